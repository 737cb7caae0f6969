"""A serial of commits, and an id of the installation: by them database, log and blobs are held against each other."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

# An installation that is there gets its id here, in the same transaction; a new one gets it with its first account.
_ID = sa.text("INSERT INTO meta (name, value) SELECT 'installation', :id FROM meta WHERE name = 'account'")


def upgrade() -> None:
    """Add the column and the id, in one transaction (store/engine/migrate.py begins and ends it)."""
    op.add_column("epoch", sa.Column("serial", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.execute(_ID.bindparams(sa.bindparam("id", secrets.token_hex(16), sa.Text())))
