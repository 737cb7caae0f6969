"""Settings of buckets, one row each, and the storage class of objects and uploads.

Written out, not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table and the columns, in one transaction (store/engine/migrate.py begins and ends it)."""
    op.create_table(
        "bucket_settings",
        sa.Column("bucket", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["bucket"], ["buckets.name"], ondelete="CASCADE"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    for table in ("objects", "uploads"):
        op.add_column(table, sa.Column("storage_class", sa.Text(), nullable=True))
    # ACLs have always been off. Public policies have always been taken: so buckets from before get no block on them.
    op.execute(
        "INSERT INTO bucket_settings (bucket, name, document) "
        """SELECT name, 'ownershipControls', '{"ObjectOwnership":"BucketOwnerEnforced"}' FROM buckets"""
    )
