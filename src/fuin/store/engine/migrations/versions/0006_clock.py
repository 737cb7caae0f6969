"""The steady time: one row, by which the server knows how much time has passed whatever the wall clock says."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0006"
down_revision = "0005"

_TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
_COUNTS = ("uptime", "boottime", "counted", "jump_limit")


def upgrade() -> None:
    """Make the table; the row comes with the next start, from what the audit log says."""
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("wall", _TIME, nullable=False),
        sa.Column("steady", _TIME, nullable=False),
        sa.Column("boot", sa.Text(), nullable=False),
        *[sa.Column(name, _TIME, nullable=False) for name in _COUNTS],
        sa.Column("held", sa.Text()),
        sa.Column("since", _TIME),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
