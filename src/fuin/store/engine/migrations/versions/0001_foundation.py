"""The tables of the first version: identities, keys, buckets, objects, uploads.

Written out, not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0001"
down_revision = None

_TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
_LONG: sa.types.TypeEngine[Any] = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
_KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(), "bytes": sa.LargeBinary(), "time": _TIME, "long": _LONG, "int": sa.Integer(),
}  # fmt: skip


def _table(name: str, columns: str, *constraints: sa.schema.SchemaItem, rowid: bool = False) -> None:
    """Make a table; `columns` says "name kind" each, * after the kind marks a primary key, ? a nullable column."""
    made: list[sa.schema.SchemaItem] = []
    for column in columns.split(","):
        label, kind = column.split()
        made.append(
            sa.Column(label, _KINDS[kind.rstrip("*?")], primary_key=kind.endswith("*"), nullable=kind.endswith("?"))
        )
    op.create_table(name, *made, *constraints, sqlite_with_rowid=rowid, sqlite_strict=True)


def _refers(columns: str, table: str, targets: str, *, cascade: bool = False) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        columns.split(), [f"{table}.{target}" for target in targets.split()], ondelete="CASCADE" if cascade else None
    )


def upgrade() -> None:
    """Make everything, in one transaction (store/engine/migrate.py begins and ends it)."""
    _create_server_tables()
    _identities()
    _keys()
    _key_names()
    _buckets()
    _uploads()


def _create_server_tables() -> None:
    _table("epoch", "id int*, value long")
    op.execute("INSERT INTO epoch (id, value) VALUES (1, 1)")
    _table("meta", "name text*, value text")


def _identities() -> None:
    _table("accounts", "account text*, created time")
    _table(
        "users", "account text*, name text*, user_id text, created time",
        _refers("account", "accounts", "account"), sa.UniqueConstraint("user_id", name="users_by_id"),
    )  # fmt: skip
    _table(
        "access_keys",
        "access_key_id text*, account text, user text?, active int, sealed_secret bytes, created time",
        _refers("account", "accounts", "account"),
        _refers("account user", "users", "account name", cascade=True),
    )
    op.create_index("access_keys_by_user", "access_keys", ["account", "user"])
    _table(
        "user_policies", "account text*, user text*, name text*, document text",
        _refers("account user", "users", "account name", cascade=True),
    )  # fmt: skip


def _keys() -> None:
    _table(
        "keys",
        "key_id text*, region text*, account text, state text, description text, spec text, usage text, origin text, "
        "manager text, service text, multi_region int, created time, deletion_date time?, policy text, "
        "current_material bytes",
        _refers("account", "accounts", "account"),
    )
    op.create_index("keys_by_account", "keys", ["account", "region", "key_id"])
    op.create_index(
        "keys_to_delete", "keys", ["deletion_date"],
        sqlite_where=sa.text("deletion_date IS NOT NULL"), postgresql_where=sa.text("deletion_date IS NOT NULL"),
    )  # fmt: skip
    op.create_index(
        "keys_of_services", "keys", ["account", "region", "manager", "service"], unique=True,
        sqlite_where=sa.text("service <> ''"), postgresql_where=sa.text("service <> ''"),
    )  # fmt: skip
    _table("sealed_materials", "id int*, wrapped bytes", rowid=True)
    _table(
        "materials",
        "id int*, key_id text, region text, material_id bytes, spec text, created time, state text",
        _refers("id", "sealed_materials", "id"),
        sa.UniqueConstraint("key_id", "material_id", "region", name="materials_by_key"),
        _refers("key_id region", "keys", "key_id region", cascade=True),
        rowid=True,
    )
    op.create_index("materials_of_key", "materials", ["key_id", "region"])


def _key_names() -> None:
    _table(
        "aliases", "account text*, region text*, name text*, key_id text, created time, updated time",
        _refers("key_id region", "keys", "key_id region", cascade=True),
    )  # fmt: skip
    op.create_index("aliases_of_key", "aliases", ["key_id", "region"])
    _table(
        "key_tags", "key_id text*, region text*, name text*, value text",
        _refers("key_id region", "keys", "key_id region", cascade=True),
    )  # fmt: skip


def _buckets() -> None:
    _table(
        "buckets", "name text*, account text, region text, created time, encryption text?, policy text?",
        _refers("account", "accounts", "account"),
    )  # fmt: skip
    op.create_index("buckets_by_account", "buckets", ["account", "name"])
    _table(
        "objects",
        "id int*, bucket text, key bytes, etag text, size long, modified time, headers text, metadata text, "
        "encryption text, checksum text?, upload_id text?, part_count int",
        sa.UniqueConstraint("bucket", "key", name="objects_by_key"),
        _refers("bucket", "buckets", "name"),
        rowid=True,
    )
    _table(
        "object_parts",
        "object int*, number int*, blob text, size long, stored_size long, etag text, checksum text?, "
        "message_id bytes, modified time",
        sa.UniqueConstraint("blob", name="object_parts_by_blob"),
        _refers("object", "objects", "id", cascade=True),
    )


def _uploads() -> None:
    _table(
        "uploads",
        "upload_id text*, bucket text, key bytes, created time, initiator text, data_key bytes, encryption text, "
        "metadata text, headers text, checksum_algorithm text?, checksum_type text?",
        _refers("bucket", "buckets", "name"),
    )
    op.create_index("uploads_by_key", "uploads", ["bucket", "key", "upload_id"])
    _table(
        "upload_parts",
        "upload_id text*, number int*, blob text, size long, stored_size long, etag text, checksum text?, "
        "message_id bytes, modified time",
        sa.UniqueConstraint("blob", name="upload_parts_by_blob"),
        _refers("upload_id", "uploads", "upload_id", cascade=True),
    )
