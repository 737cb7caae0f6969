"""The tests; a package, so that the folders' helper modules import as `tests.support.…`."""
