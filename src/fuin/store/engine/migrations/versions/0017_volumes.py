"""Volumes, their attachments, the hosts that open them, and their snapshots.

Written out, not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0017"
down_revision = "0016"
serves_from = "0017"  # the code before would end keys on which volumes depend

_TEXT: sa.types.TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_LONG: sa.types.TypeEngine[Any] = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
_TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
_KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "text": _TEXT, "bytes": sa.LargeBinary(), "time": _TIME, "long": _LONG, "int": sa.Integer(),
}  # fmt: skip
_DATA_KEY = "kms_key_arn text, kms_material_id bytes?, data_key bytes, context_id text"
_TOKEN = "client_token text, request_digest bytes"  # noqa: S105 - no password
_HAS_TOKEN = "client_token <> ''"  # noqa: S105 - no password


def upgrade() -> None:
    """Make the tables, in one transaction (store/engine/migrate.py begins and ends it)."""
    _hosts()
    _volumes()
    _settings()
    _snapshots()


def _table(name: str, columns: str, *constraints: sa.schema.SchemaItem) -> None:
    """Make a table; `columns` says "name kind" each, * after the kind marks a primary key, ? a nullable column."""
    made: list[sa.schema.SchemaItem] = []
    for column in columns.split(","):
        label, kind = column.split()
        made.append(
            sa.Column(label, _KINDS[kind.rstrip("*?")], primary_key=kind.endswith("*"), nullable=kind.endswith("?"))
        )
    op.create_table(name, *made, *constraints, sqlite_with_rowid=False, sqlite_strict=True)


def _foreign_key(column: str, table: str, *, cascade: bool = False) -> sa.ForeignKeyConstraint:
    """Return a reference to the column of the same name."""
    return sa.ForeignKeyConstraint([column], [f"{table}.{column}"], ondelete="CASCADE" if cascade else None)


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    holds = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=holds, postgresql_where=holds)


def _hosts() -> None:
    _table(
        "hosts",
        "host_id text*, account text, region text, zone text, name text, access_key_id text, sealed_secret bytes, "
        "created_at time",
        _foreign_key("account", "accounts"),
        sa.UniqueConstraint("access_key_id", name="hosts_by_access_key"),
        sa.UniqueConstraint("account", "region", "name", name="hosts_by_name"),
    )


def _volumes() -> None:
    _table(
        "volumes",
        "volume_id text*, account text, region text, zone text, size long, volume_type text, iops int, throughput int, "
        f"state text, {_DATA_KEY}, snapshot_id text, {_TOKEN}, created_at time, home text, is_formatted int, "
        "is_filled int",
        _foreign_key("account", "accounts"),
    )
    op.create_index("volumes_by_account", "volumes", ["account", "region", "volume_id"])
    op.create_index("volumes_by_kms_key", "volumes", ["kms_key_arn", "kms_material_id", "volume_id", "size"])
    op.create_index("volumes_by_snapshot", "volumes", ["snapshot_id", "volume_id"])
    _partial_index("volumes_by_token", "volumes", ["account", "region", "client_token"], _HAS_TOKEN, unique=True)
    _table(
        "volume_attachments",
        "volume_id text*, host_id text, device text, state text, grant_id text, key_arn text, attached_at time, "
        "delete_on_termination int, message text, fill_grant_id text",
        _foreign_key("volume_id", "volumes"),
        _foreign_key("host_id", "hosts"),
    )
    op.create_index("attachments_of_host", "volume_attachments", ["host_id", "volume_id"])
    _table(
        "modifications",
        "volume_id text*, number int*, state text, started_at time, ended_at time?, old_size long, old_type text, "
        "old_iops int, old_throughput int, size long, volume_type text, iops int, throughput int",
        _foreign_key("volume_id", "volumes", cascade=True),
    )


def _settings() -> None:
    _table(
        "ebs_defaults",
        "account text*, region text*, by_default int, key_id text",
        _foreign_key("account", "accounts"),
    )
    _table(
        "ec2_tags",
        "account text*, region text*, resource_id text*, key text*, value text",
        _foreign_key("account", "accounts"),
    )


def _snapshots() -> None:
    _table(
        "snapshots",
        "snapshot_id text*, account text, region text, volume_id text, size long, state text, progress int, "
        f"message text, description text, started_at time, completed_at time?, {_DATA_KEY}, parent_id text, {_TOKEN}, "
        "timeout_minutes int, last_write_at time, index_blob text, block_count long",
        _foreign_key("account", "accounts"),
    )
    op.create_index("snapshots_by_account", "snapshots", ["account", "region", "snapshot_id"])
    op.create_index("snapshots_by_volume", "snapshots", ["volume_id", "started_at"])
    op.create_index("snapshots_by_kms_key", "snapshots", ["kms_key_arn", "kms_material_id", "snapshot_id", "size"])
    _partial_index("snapshots_pending", "snapshots", ["state", "snapshot_id"], "state = 'pending'")
    _partial_index("snapshots_by_token", "snapshots", ["account", "region", "client_token"], _HAS_TOKEN, unique=True)
    _table(
        "snapshot_shares", "snapshot_id text*, account text*", _foreign_key("snapshot_id", "snapshots", cascade=True)
    )
    op.create_index("snapshots_shared_with", "snapshot_shares", ["account", "snapshot_id"])
    _table("snapshot_blobs", "blob text*, snapshot_id text, kind text, stored_size long, created_at time")
    op.create_index("snapshot_blobs_by_owner", "snapshot_blobs", ["snapshot_id", "kind"])
    _table(
        "snapshot_uses",
        "snapshot_id text*, blob text*, blocks long",
        _foreign_key("snapshot_id", "snapshots"),
        _foreign_key("blob", "snapshot_blobs"),
    )
    op.create_index("snapshot_uses_by_blob", "snapshot_uses", ["blob", "snapshot_id"])
    _table(
        "snapshot_blocks",
        "snapshot_id text*, block_index long*, blob text, position int, checksum bytes",
        _foreign_key("snapshot_id", "snapshots"),
    )
