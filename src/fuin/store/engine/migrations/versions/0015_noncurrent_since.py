"""Versions that are not current say since when, so that lifecycle rules can count their days.

Written out, not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0015"
down_revision = "0014"
serves_from = "0015"  # the code before would leave the time of an earlier change in place

_TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
# A version became noncurrent when the next newer one was made. If that one is gone, it counts from a later time.
_FILL = """
    UPDATE objects SET noncurrent_since = (
        SELECT newer.modified FROM objects AS newer
        WHERE newer.bucket = objects.bucket AND newer.key = objects.key AND newer.version_order < objects.version_order
        ORDER BY newer.version_order DESC LIMIT 1
    ) WHERE is_current = 0
"""


def upgrade() -> None:
    """Add the column and fill it, in one transaction (store/engine/migrate.py begins and ends it)."""
    op.add_column("objects", sa.Column("noncurrent_since", _TIME, nullable=True))
    op.execute(_FILL)
