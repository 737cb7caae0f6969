"""The tables of an installation of many nodes, and on PostgreSQL wide ids and the order of bytes for all texts.

Written out, not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0010"
down_revision = "0009"
serves_from = "0010"  # the first schema that several nodes share

_TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
_LONG: sa.types.TypeEngine[Any] = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
_KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(), "bytes": sa.LargeBinary(), "time": _TIME, "long": _LONG,
}  # fmt: skip
# Columns that earlier migrations made four bytes wide on PostgreSQL. On SQLite every integer has eight.
_WIDE = (
    ("objects", "id"), ("object_parts", "object"), ("sealed_materials", "id"), ("materials", "id"), ("epoch", "serial"),
)  # fmt: skip
_NUMBERED = ("objects", "sealed_materials")


def upgrade() -> None:
    """Make the tables, in one transaction (store/engine/migrate.py begins and ends it)."""
    _table(
        "nodes",
        "name text*, incarnation bytes, beat long, acked long, joined time, renewed time, lease time, version text, "
        "address text, load text, log_head text",
    )
    _table("gates", "node text*, serial long")
    _table("commits", "id bytes*, node text, made time")
    op.create_index("commits_by_age", "commits", ["made"])
    _table("jobs", "name text*, node text, incarnation bytes, beat long")
    if op.get_bind().dialect.name == "postgresql":
        _widen()
        _order_by_bytes()


def _table(name: str, columns: str) -> None:
    """Make a table; `columns` says "name kind" each, * after the kind marks a primary key."""
    made = [
        sa.Column(label, _KINDS[kind.rstrip("*")], primary_key=kind.endswith("*"), nullable=False)
        for label, kind in (column.split() for column in columns.split(","))
    ]
    op.create_table(name, *made, sqlite_with_rowid=False, sqlite_strict=True)


def _widen() -> None:
    for table, column in _WIDE:
        op.execute(f'ALTER TABLE {table} ALTER COLUMN "{column}" TYPE BIGINT')
    for table in _NUMBERED:
        op.execute(f"ALTER SEQUENCE {table}_id_seq AS BIGINT")


def _order_by_bytes() -> None:
    """Give every text the order of its bytes, which is SQLite's, whatever collation the database has."""
    inspector = sa.inspect(op.get_bind())
    for table in inspector.get_table_names():
        if table == "alembic_version":
            continue
        texts = [column["name"] for column in inspector.get_columns(table) if isinstance(column["type"], sa.Text)]
        if texts:
            changes = ", ".join(f'ALTER COLUMN "{name}" TYPE TEXT COLLATE "C"' for name in texts)
            op.execute(f"ALTER TABLE {table} {changes}")
