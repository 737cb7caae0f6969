"""Statements of the hot paths, which are compiled once.

SQLAlchemy takes 30 to 60 µs to run a statement that SQLite answers in 5: it looks for the compiled form, prepares the
parameters and makes a result with its rows. `Prepared` gives SQLite's own driver the text and the values. On PostgreSQL
a statement costs a message to the server and its answer, so there it runs in SQLAlchemy's way, and its events see it.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, Executable, Select
    from sqlalchemy.sql.elements import ClauseElement

_DIALECT = sqlite.dialect(paramstyle="named")


def _compile(statement: ClauseElement, names: Sequence[str] | None) -> tuple[str, dict[str, Any]]:
    """Return the text of a statement for SQLite, and the values that it has from the beginning."""
    compiled = statement.compile(dialect=_DIALECT, column_keys=names)
    return str(compiled), {name: value for name, value in compiled.params.items() if value is not None}


def _execute(conn: Connection, text: str, values: Mapping[str, Any]) -> list[Any] | None:
    """Run a statement by the driver, to its end; returns its rows, or None where SQLAlchemy has to run it."""
    raw = conn.connection.dbapi_connection
    if not isinstance(raw, sqlite3.Connection):
        return None
    try:
        return raw.execute(text, values).fetchall()
    except sqlite3.Error as error:
        raise DBAPIError.instance(text, None, error, sqlite3.Error, hide_parameters=True) from error


class PreparedSelect:
    """A select; its rows have the columns' names."""

    def __init__(self, statement: Select[Any]) -> None:
        """Compile the statement."""
        self._statement = statement
        self._text, self._values = _compile(statement, None)
        names = [column.name for column in statement.selected_columns]
        self._make: Callable[[Any], Any] = namedtuple("Row", names)._make  # type: ignore[attr-defined]

    def list_rows(self, conn: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        """Return all rows."""
        rows = _execute(conn, self._text, {**self._values, **values} if self._values else values)
        return conn.execute(self._statement, values).all() if rows is None else list(map(self._make, rows))

    def first(self, conn: Connection, values: Mapping[str, Any]) -> Any:
        """Return the first row, or None; the select has few."""
        rows = _execute(conn, self._text, {**self._values, **values} if self._values else values)
        if rows is None:
            return conn.execute(self._statement, values).first()
        return self._make(rows[0]) if rows else None


class PreparedWrite:
    """An insert, update or delete, which may return one row."""

    def __init__(self, statement: Executable, names: Sequence[str] | None = None) -> None:
        """Compile the statement; `names` are the columns of an insert that gets all values by name."""
        self._statement = statement
        self._text, self._values = _compile(statement, names)  # type: ignore[arg-type]

    def run(self, conn: Connection, values: Mapping[str, Any]) -> Any:
        """Run it, and return the row that it returns, or None."""
        rows = _execute(conn, self._text, {**self._values, **values} if self._values else values)
        if rows is not None:
            return rows[0] if rows else None
        result = conn.execute(self._statement, values)
        return result.first() if result.returns_rows else None
