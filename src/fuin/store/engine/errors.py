"""What a database says when a row does not fit, in the words of the store."""

from sqlalchemy.exc import IntegrityError

from fuin.store.errors import AlreadyExists, NotFound, StoreRefusal


def is_missing_reference(error: IntegrityError) -> bool:
    """Return whether a row refers to another one that does not exist, rather than to be one too many of its name.

    SQLite says it by its text only: the code of a deferred check is that of any constraint.
    """
    return "FOREIGN KEY" in str(error.orig)


def insert_refusal(error: IntegrityError, *, missing: str, taken: str) -> StoreRefusal:
    """Return why a row could not be added: NotFound for what it refers to, or AlreadyExists for its name."""
    return NotFound(missing) if is_missing_reference(error) else AlreadyExists(taken)
