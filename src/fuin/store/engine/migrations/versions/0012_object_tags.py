"""The tags of objects, and of the objects that uploads become.

Written out, not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
serves_from = "0012"  # for conditions on tags the code before sees none, and it copies objects without

_TEXT: sa.types.TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the columns, in one transaction (store/engine/migrate.py begins and ends it)."""
    for table in ("objects", "uploads"):
        op.add_column(table, sa.Column("tags", _TEXT, nullable=True))
