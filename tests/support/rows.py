"""Many rows at once, made from one that the service has made."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, select


def multiply(conn: Connection, table: Table, changes: Iterable[Mapping[str, Any]], **which: Any) -> None:
    """Insert copies of the one row that has the values of `which`, each with some of its values changed."""
    query = select(table).where(*(table.c[name] == value for name, value in which.items()))
    row = dict(conn.execute(query).mappings().one())
    row.pop("id", None) if table.name == "objects" else None  # which the database counts
    conn.execute(table.insert(), [{**row, **change} for change in changes])
