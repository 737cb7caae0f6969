"""The stored message of a small object is a value of its row.

Written out, not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
serves_from = "0016"  # the code before would look for a blob, and find nothing


def upgrade() -> None:
    """Add the column, in one transaction (store/engine/migrate.py begins and ends it)."""
    op.add_column("object_parts", sa.Column("content", sa.LargeBinary(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":  # ciphertext cannot be compressed
        op.execute("ALTER TABLE object_parts ALTER COLUMN content SET STORAGE EXTERNAL")
