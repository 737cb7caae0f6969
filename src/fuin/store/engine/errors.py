"""A database's errors about rows that it refuses, as the store's own errors."""

from sqlalchemy.exc import IntegrityError

from fuin.store.errors import AlreadyExists, NotFound, StoreRefusal

_FOREIGN_KEY = "23503"


def is_missing_reference(error: IntegrityError) -> bool:
    """Return whether a row refers to a missing row; else another row has its name already.

    SQLite shows it in its text only: the code of a deferred check is the same as for every constraint. PostgreSQL has a
    code of its own.
    """
    return getattr(error.orig, "sqlstate", None) == _FOREIGN_KEY or "FOREIGN KEY" in str(error.orig)


def insert_refusal(error: IntegrityError, *, missing: str, taken: str) -> StoreRefusal:
    """Return the error for a refused row: NotFound if it refers to a missing row, or AlreadyExists for its name."""
    return NotFound(missing) if is_missing_reference(error) else AlreadyExists(taken)
