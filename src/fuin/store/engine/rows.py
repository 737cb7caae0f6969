"""Helpers for statements on rows that need more than plain SQL."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler


def inserted_id(result: sa.CursorResult[Any]) -> int:
    """Return the number that the database has given to the row that was just inserted."""
    key = result.inserted_primary_key
    if key is None:
        raise TypeError("the statement has inserted no row")
    return int(key[0])


ALL = 2**63 - 1  # the limit of a statement that is to return all rows: PostgreSQL takes no negative one


class zeros(sa.sql.functions.FunctionElement[Any]):  # noqa: N801 - used as SQL's own functions are
    """The expression for as many zero bytes; each database has its own, since plain SQL has none."""

    inherit_cache = True


@compiles(zeros, "sqlite")
def _zeros_on_sqlite(element: zeros, compiler: SQLCompiler, **options: Any) -> str:
    return f"zeroblob({compiler.process(element.clauses, **options)})"


@compiles(zeros, "postgresql")
def _zeros_on_postgresql(element: zeros, compiler: SQLCompiler, **options: Any) -> str:
    return f"decode(repeat('00', {compiler.process(element.clauses, **options)}), 'hex')"
