"""What the whole key service keeps: rotation, imported material, regions, grants, custom key stores.

Written out, not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0002"
down_revision = "0001"

_TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
_KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(), "bytes": sa.LargeBinary(), "time": _TIME, "int": sa.Integer(),
}  # fmt: skip


def upgrade() -> None:
    """Add everything, in one transaction (store/engine/migrate.py begins and ends it)."""
    _add(
        "keys",
        "custom_key_store text, xks_key_id text, primary_region text, deletion_window int, rotation_period int, "
        "rotation_due time, expiration_model text, valid_to time",
    )
    _add(
        "materials",
        "import_state text, description text, expiration_model text, valid_to time, rotated time, rotation_type text",
    )
    for name, table, column in (
        ("keys_to_rotate", "keys", "rotation_due"),
        ("keys_to_expire", "keys", "valid_to"),
        ("materials_to_expire", "materials", "valid_to"),
    ):
        given = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, table, [column], sqlite_where=given, postgresql_where=given)
    # The keys that AWS manages rotate every year, a year after they were made.
    op.execute("UPDATE keys SET rotation_period = 365, rotation_due = created + 365 * 86400.0 WHERE manager = 'AWS'")
    in_store = sa.text("custom_key_store IS NOT NULL")
    op.create_index(
        "keys_in_store", "keys", ["custom_key_store", "xks_key_id"], sqlite_where=in_store, postgresql_where=in_store
    )
    _grants()
    _custom_key_stores()


def _add(table: str, columns: str) -> None:
    """Add nullable columns, each "name kind"."""
    for column in columns.split(","):
        name, kind = column.split()
        op.add_column(table, sa.Column(name, _KINDS[kind], nullable=True))


def _table(name: str, columns: str, *constraints: sa.schema.SchemaItem) -> None:
    """Make a table; `columns` says "name kind" each, * after the kind marks a primary key, ? a nullable column."""
    made: list[sa.schema.SchemaItem] = []
    for column in columns.split(","):
        label, kind = column.split()
        made.append(
            sa.Column(label, _KINDS[kind.rstrip("*?")], primary_key=kind.endswith("*"), nullable=kind.endswith("?"))
        )
    op.create_table(name, *made, *constraints, sqlite_with_rowid=False, sqlite_strict=True)


def _grants() -> None:
    _table(
        "grants",
        "grant_id text*, key_id text, region text, account text, name text?, grantee text?, grantee_service text?, "
        "retiring text?, retiring_service text?, operations text, constraints text?, created time",
        sa.ForeignKeyConstraint(["key_id", "region"], ["keys.key_id", "keys.region"], ondelete="CASCADE"),
    )
    op.create_index("grants_of_key", "grants", ["key_id", "region", "grant_id"])
    op.create_index("grants_by_grantee", "grants", ["key_id", "region", "grantee", "grant_id"])
    op.create_index("grants_by_retiring", "grants", ["retiring", "region", "grant_id"])


def _custom_key_stores() -> None:
    _table(
        "custom_key_stores",
        "id text*, account text, region text, name text, type text, state text, error_code text?, created time, "
        "settings text, sealed_secret bytes",
        sa.ForeignKeyConstraint(["account"], ["accounts.account"]),
        sa.UniqueConstraint("account", "region", "name", name="custom_key_stores_by_name"),
    )
