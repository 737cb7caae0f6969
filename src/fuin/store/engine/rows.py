"""Helpers for statements on rows that need more than plain SQL."""

from typing import Any

import sqlalchemy as sa


def inserted_id(result: sa.CursorResult[Any]) -> int:
    """Return the number that the database has given to the row that was just inserted."""
    key = result.inserted_primary_key
    if key is None:
        raise TypeError("the statement has inserted no row")
    return int(key[0])


def zeros(length: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the expression for as many zero bytes; SQLite's own function, since plain SQL has none."""
    return sa.func.zeroblob(length)
