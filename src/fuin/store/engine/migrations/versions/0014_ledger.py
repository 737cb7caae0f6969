"""The index of what depends on a KMS key counts by key material, and current versions apart from older ones.

Written out, not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_COLUMNS = ["kms_key_arn", "kms_material_id", "id", "size", "is_current"]
_HAS_KEY = sa.text("kms_key_arn IS NOT NULL")


def upgrade() -> None:
    """Make the index anew, in one transaction (store/engine/migrate.py begins and ends it).

    The code before needs the first column of it only.
    """
    op.drop_index("objects_by_kms_key", "objects")
    op.create_index("objects_by_kms_key", "objects", _COLUMNS, sqlite_where=_HAS_KEY, postgresql_where=_HAS_KEY)
