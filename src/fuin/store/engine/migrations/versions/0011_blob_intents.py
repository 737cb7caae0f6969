"""Who writes a blob, where several nodes share the store of blobs.

Written out, not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0011"
down_revision = "0010"
serves_from = "0011"  # the code before writes blobs without an intent, and others would sweep them

_TEXT: sa.types.TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")


def upgrade() -> None:
    """Make the table, in one transaction (store/engine/migrate.py begins and ends it)."""
    op.create_table(
        "blob_intents",
        sa.Column("blob", _TEXT, primary_key=True, nullable=False),
        sa.Column("node", _TEXT, nullable=False),
        sa.Column("begun", _TIME, nullable=False),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    op.create_index("blob_intents_by_time", "blob_intents", ["begun"])
