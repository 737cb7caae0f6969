"""Objects get many versions: their order, delete markers, locks, and the state of versioning as a column of the bucket.

Written out, not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0013"
down_revision = "0012"
serves_from = "0013"  # the code before would replace versions, and serve delete markers as objects

_TEXT: sa.types.TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_LONG: sa.types.TypeEngine[Any] = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
_TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
_KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "text": _TEXT, "bytes": sa.LargeBinary(), "time": _TIME, "long": _LONG, "int": sa.Integer(),
}  # fmt: skip
_OLD = (
    "id, bucket, key, version_id, is_current, etag, size, modified, headers, metadata, encryption, checksum, "
    "upload_id, part_count, storage_class, tags, scheme, kms_key_arn, kms_material_id"
)


def upgrade() -> None:
    """Add the columns, in one transaction (store/engine/migrate.py begins and ends it)."""
    if op.get_bind().dialect.name == "postgresql":
        _alter_objects()
    else:
        _copy_objects()
    suspended = "version_id = 'null' AND version_order <> 0"
    _index("objects_of_suspended", ["bucket", "key"], suspended, unique=True)
    op.add_column("buckets", sa.Column("versioning", _TEXT, nullable=True))
    op.add_column("uploads", sa.Column("object_lock", _TEXT, nullable=True))
    _move_settings()


def _index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    holds = sa.text(where)
    op.create_index(name, "objects", columns, unique=unique, sqlite_where=holds, postgresql_where=holds)


def _alter_objects() -> None:
    for name, kind in (("version_order", _LONG), ("is_delete_marker", sa.Integer())):
        op.add_column("objects", sa.Column(name, kind, nullable=False, server_default="0"))
        op.alter_column("objects", name, server_default=None)
    op.add_column("objects", sa.Column("object_lock", _TEXT, nullable=True))
    op.drop_constraint("objects_by_version", "objects", type_="unique")
    op.create_unique_constraint("objects_by_version", "objects", ["bucket", "key", "version_order"])


def _copy_objects() -> None:
    """Copy the tables: SQLite takes no constraint away from one."""
    op.rename_table("objects", "old_objects")
    op.rename_table("object_parts", "old_object_parts")
    _table(
        "objects",
        "id int*, bucket text, key bytes, version_id text, version_order long, is_current int, is_delete_marker int, "
        "etag text, size long, modified time, headers text, metadata text, encryption text, checksum text?, "
        "upload_id text?, part_count int, storage_class text?, tags text?, object_lock text?, scheme text?, "
        "kms_key_arn text?, kms_material_id bytes?",
        sa.UniqueConstraint("bucket", "key", "version_order", name="objects_by_version"),
        sa.ForeignKeyConstraint(["bucket"], ["buckets.name"]),
        rowid=True,
    )
    _table(
        "object_parts",
        "object int*, number int*, blob text, size long, stored_size long, etag text, checksum text?, "
        "message_id bytes, modified time",
        sa.UniqueConstraint("blob", name="object_parts_by_blob"),
        sa.ForeignKeyConstraint(["object"], ["objects.id"], ondelete="CASCADE"),
    )
    op.execute(
        f"INSERT INTO objects ({_OLD}, version_order, is_delete_marker) SELECT {_OLD}, 0, 0 FROM old_objects"  # noqa: S608
    )
    op.execute("INSERT INTO object_parts SELECT * FROM old_object_parts")
    op.drop_table("old_object_parts")  # before what it refers to
    op.drop_table("old_objects")  # and its indexes, whose names are free now
    _index("objects_by_key", ["bucket", "key"], "is_current = 1", unique=True)
    _index("objects_by_kms_key", ["kms_key_arn", "id", "size"], "kms_key_arn IS NOT NULL")


def _table(name: str, columns: str, *constraints: sa.schema.SchemaItem, rowid: bool = False) -> None:
    """Make a table; `columns` says "name kind" each, * after the kind marks a primary key, ? a nullable column."""
    made: list[sa.schema.SchemaItem] = []
    for column in columns.split(","):
        label, kind = column.split()
        made.append(
            sa.Column(label, _KINDS[kind.rstrip("*?")], primary_key=kind.endswith("*"), nullable=kind.endswith("?"))
        )
    op.create_table(name, *made, *constraints, sqlite_with_rowid=rowid, sqlite_strict=True)


def _move_settings() -> None:
    """Move the state of versioning, which was Suspended or nothing, from the settings into the column."""
    conn = op.get_bind()
    update = sa.text("UPDATE buckets SET versioning = :status WHERE name = :name")
    kept = conn.execute(sa.text("SELECT bucket, document FROM bucket_settings WHERE name = 'versioning'")).all()
    for bucket, document in kept:
        status = json.loads(document).get("Status")
        if status in ("Enabled", "Suspended"):
            conn.execute(update, {"status": status, "name": bucket})
    conn.execute(sa.text("DELETE FROM bucket_settings WHERE name = 'versioning'"))
