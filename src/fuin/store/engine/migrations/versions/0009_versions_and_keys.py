"""Objects get a version, and objects, uploads and buckets say in columns which KMS key they depend on.

Written out, not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0009"
down_revision = "0008"

_TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
_LONG: sa.types.TypeEngine[Any] = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
_KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(), "bytes": sa.LargeBinary(), "time": _TIME, "long": _LONG, "int": sa.Integer(),
}  # fmt: skip
_KEY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}", re.ASCII)
_AT_ONCE = 1000  # rows whose columns are filled by one statement
_HAS_KEY = sa.text("kms_key_arn IS NOT NULL")
_OLD = (
    "id, bucket, key, etag, size, modified, headers, metadata, encryption, checksum, upload_id, part_count, "
    "storage_class"
)


def upgrade() -> None:
    """Make tables and columns and fill them, in one transaction (store/engine/migrate.py begins and ends it)."""
    # The old tables lose their names first, so that the new ones are made under theirs.
    op.rename_table("objects", "old_objects")
    op.rename_table("object_parts", "old_object_parts")
    if op.get_bind().dialect.name == "postgresql":
        _rename_constraints()
    _objects()
    op.execute(f"INSERT INTO objects ({_OLD}, version_id, is_current) SELECT {_OLD}, 'null', 1 FROM old_objects")  # noqa: S608
    op.execute("INSERT INTO object_parts SELECT * FROM old_object_parts")
    op.drop_table("old_object_parts")  # before what it refers to
    op.drop_table("old_objects")
    for table, columns in (("uploads", "text text bytes"), ("buckets", "text text")):
        for name, kind in zip(("scheme", "kms_key_arn", "kms_material_id"), columns.split(), strict=False):
            op.add_column(table, sa.Column(name, _KINDS[kind], nullable=True))
    _fill("objects", "id", _object_columns)
    _fill("uploads", "upload_id", _object_columns)
    _fill("buckets", "name", _bucket_columns)
    for index, table, names in (
        ("objects_by_kms_key", "objects", ["kms_key_arn", "id", "size"]),
        ("uploads_by_kms_key", "uploads", ["kms_key_arn", "upload_id"]),
        ("buckets_by_kms_key", "buckets", ["kms_key_arn", "name"]),
    ):
        op.create_index(index, table, names, sqlite_where=_HAS_KEY, postgresql_where=_HAS_KEY)


def _rename_constraints() -> None:
    """Take the names of the old tables' constraints out of the way: on PostgreSQL they are names of indexes too."""
    for table, constraint in (
        ("objects", "objects_pkey"), ("objects", "objects_by_key"), ("object_parts", "object_parts_pkey"),
        ("object_parts", "object_parts_by_blob"),
    ):  # fmt: skip
        op.execute(f"ALTER TABLE old_{table} RENAME CONSTRAINT {constraint} TO old_{constraint}")
    op.execute("ALTER SEQUENCE objects_id_seq RENAME TO old_objects_id_seq")


def _table(name: str, columns: str, *constraints: sa.schema.SchemaItem, rowid: bool = False) -> None:
    """Make a table; `columns` says "name kind" each, * after the kind marks a primary key, ? a nullable column."""
    made: list[sa.schema.SchemaItem] = []
    for column in columns.split(","):
        label, kind = column.split()
        made.append(
            sa.Column(label, _KINDS[kind.rstrip("*?")], primary_key=kind.endswith("*"), nullable=kind.endswith("?"))
        )
    op.create_table(name, *made, *constraints, sqlite_with_rowid=rowid, sqlite_strict=True)


def _objects() -> None:
    _table(
        "objects",
        "id int*, bucket text, key bytes, version_id text, is_current int, etag text, size long, modified time, "
        "headers text, metadata text, encryption text, checksum text?, upload_id text?, part_count int, "
        "storage_class text?, scheme text?, kms_key_arn text?, kms_material_id bytes?",
        sa.UniqueConstraint("bucket", "key", "version_id", name="objects_by_version"),
        sa.ForeignKeyConstraint(["bucket"], ["buckets.name"]),
        rowid=True,
    )
    current = sa.text("is_current = 1")
    op.create_index(
        "objects_by_key", "objects", ["bucket", "key"], unique=True, sqlite_where=current, postgresql_where=current
    )
    _table(
        "object_parts",
        "object int*, number int*, blob text, size long, stored_size long, etag text, checksum text?, "
        "message_id bytes, modified time",
        sa.UniqueConstraint("blob", name="object_parts_by_blob"),
        sa.ForeignKeyConstraint(["object"], ["objects.id"], ondelete="CASCADE"),
    )


def _fill(table: str, name: str, columns: Callable[..., dict[str, Any]]) -> None:
    """Fill the new columns of a table whose rows have a name, page by page, so that a page fits in memory."""
    conn, read = op.get_bind(), ", ".join((name, "encryption", *(("account", "region") if table == "buckets" else ())))
    page = f"SELECT {read} FROM {table} {{}} ORDER BY {name} LIMIT {_AT_ONCE}"  # noqa: S608 - names from above
    rows = list(conn.execute(sa.text(page.format(""))))
    while rows:
        values = [{"p_name": row[0], **columns(*row[1:])} for row in rows]
        assignments = ", ".join(f"{column} = :{column}" for column in values[0] if column != "p_name")
        conn.execute(sa.text(f"UPDATE {table} SET {assignments} WHERE {name} = :p_name"), values)  # noqa: S608
        rows = list(conn.execute(sa.text(page.format(f"WHERE {name} > :after")), {"after": rows[-1][0]}))


def _object_columns(encryption: str) -> dict[str, Any]:
    stored = _members(encryption)
    return {
        "scheme": stored.get("algorithm"), "kms_key_arn": stored.get("key"),
        "kms_material_id": _material_id(stored.get("blob") or ""),
    }  # fmt: skip


def _members(encryption: str) -> dict[str, str]:
    """Return the members of a column that are strings; a damaged column has none.

    One damaged row must not keep a server from starting: such an object is refused when it is read, as before.
    """
    try:
        members = json.loads(encryption)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(members, dict):
        return {}
    return {name: value for name, value in members.items() if isinstance(value, str)}


def _material_id(data_key: str) -> bytes | None:
    """Return the id of the key material: bytes 18 to 50 of a ciphertext blob, after its version and the key's id."""
    try:
        blob = base64.b64decode(data_key, validate=True)
    except (binascii.Error, ValueError):
        return None
    return blob[18:50] if blob[:1] in {b"\x01", b"\x02"} and len(blob) > 50 else None


def _bucket_columns(encryption: str | None, account: str, region: str) -> dict[str, Any]:
    if encryption is None:
        return {"scheme": None, "kms_key_arn": None}
    default = _members(encryption)
    scheme, key = default.get("algorithm"), default.get("key")
    if key is None and scheme == "aws:kms":
        key = "alias/aws/s3"
    if key is not None and not key.startswith("arn:"):
        kind = "" if key.startswith("alias/") else "key/"
        key = f"arn:aws:kms:{region}:{account}:{kind}{key}" if not kind or _KEY_ID.fullmatch(key) else None
    return {"scheme": scheme, "kms_key_arn": key}
