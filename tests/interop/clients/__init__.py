"""Programs that the tests run as a user would, each with the interpreter of its own environment."""
