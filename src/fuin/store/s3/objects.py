"""The index of objects: what is stored where; the bytes are in the blob store."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, delete, select

from fuin.store.engine import rows, schema
from fuin.store.errors import NoSuchBucket, NotFound, PreconditionFailed
from fuin.store.s3 import parts
from fuin.store.s3.parts import Part

_o, _p = schema.objects, schema.object_parts
_ID = schema.parameter("p_id", schema.LONG)
_IS_OBJECT = and_(_o.c.bucket == schema.parameter("p_bucket"), _o.c.key == schema.parameter("p_key", schema.BYTES))
_FIND = select(
    _o.c.id, _o.c.etag, _o.c.size, _o.c.modified, _o.c.headers, _o.c.metadata, _o.c.encryption, _o.c.checksum,
    _o.c.upload_id, _o.c.part_count, _o.c.storage_class,
).where(_IS_OBJECT)  # fmt: skip
_FIELDS = tuple(column.name for column in _FIND.selected_columns)[1:]
_IDENTITY = select(_o.c.id, _o.c.etag).where(_IS_OBJECT)
_DELETE = delete(_o).where(_o.c.id == _ID)
_PARTS = select(*parts.columns(_p)).where(_p.c.object == _ID).order_by(_p.c.number)
_BLOBS = select(_p.c.blob).where(_p.c.object == _ID)
_BUCKET = select(schema.buckets.c.name).where(schema.buckets.c.name == schema.parameter("p_bucket"))


@dataclass(frozen=True, slots=True)
class Object:
    """An object's row. `etag` has no quotes; `headers` (content-type …), `metadata`, `encryption`, `checksum` are JSON.

    `parts` are in the order of the object's bytes. `upload_id` names the multipart upload that made it. A
    `storage_class` of None is STANDARD.
    """

    bucket: str
    key: str
    etag: str
    size: int
    modified: float
    headers: str
    metadata: str
    encryption: str
    checksum: str | None = None
    upload_id: str | None = None
    part_count: int = 1
    parts: tuple[Part, ...] = field(default=())
    storage_class: str | None = None


def _object(bucket: str, key: str, row: Any, found: tuple[Part, ...]) -> Object:
    values: dict[str, Any] = dict(zip(_FIELDS, row[1:], strict=True))
    return Object(bucket=bucket, key=key, parts=found, **values)


def head_object(conn: Connection, bucket: str, key: str) -> Object | None:
    """Return an object without its parts (`part_count` says how many there are)."""
    row = conn.execute(_FIND, {"p_bucket": bucket, "p_key": key.encode()}).first()
    return None if row is None else _object(bucket, key, row, ())


def get_object(conn: Connection, bucket: str, key: str, at_most: int | None = None) -> Object | None:
    """Return an object with its parts, or without any if there are more than `at_most`."""
    row = conn.execute(_FIND, {"p_bucket": bucket, "p_key": key.encode()}).first()
    if row is None:
        return None
    if at_most is not None and row.part_count > at_most:
        return _object(bucket, key, row, ())
    return _object(bucket, key, row, tuple(Part(*part) for part in conn.execute(_PARTS, {"p_id": row.id})))


def check_conditions(etag: str | None, if_none_match: str | None, if_match: str | None) -> None:
    """Check a write's conditions against the present object's ETag (None: there is none); ETags are without quotes.

    Raises PreconditionFailed, or NotFound for If-Match where there is no object, as S3 does.
    """
    if if_none_match is not None and etag is not None and if_none_match in ("*", etag):
        raise PreconditionFailed("If-None-Match")
    if if_match is not None:
        if etag is None:
            raise NotFound("the object of If-Match")
        if if_match not in ("*", etag):
            raise PreconditionFailed("If-Match")


def remove(conn: Connection, bucket: str, key: str, if_none_match: str | None, if_match: str | None) -> list[str]:
    """Remove the object of that name, if the conditions hold and there is one; returns its blobs."""
    row = conn.execute(_IDENTITY, {"p_bucket": bucket, "p_key": key.encode()}).first()
    check_conditions(None if row is None else row.etag, if_none_match, if_match)
    if row is None:
        return []
    blobs = list(conn.execute(_BLOBS, {"p_id": row.id}).scalars())
    conn.execute(_DELETE, {"p_id": row.id})  # its parts go by ON DELETE CASCADE
    return blobs


def put_object(
    conn: Connection, obj: Object, *, if_none_match: str | None = None, if_match: str | None = None
) -> list[str]:
    """Put an object in the place of the one of that name, at once; returns the blobs that nothing refers to any more.

    Raises NoSuchBucket, PreconditionFailed, NotFound (If-Match on nothing). `part_count` follows from `parts`.
    """
    if conn.execute(_BUCKET, {"p_bucket": obj.bucket}).first() is None:
        raise NoSuchBucket(obj.bucket)
    blobs = remove(conn, obj.bucket, obj.key, if_none_match, if_match)
    row = {
        "bucket": obj.bucket, "key": obj.key.encode(), "etag": obj.etag, "size": obj.size, "modified": obj.modified,
        "headers": obj.headers, "metadata": obj.metadata, "encryption": obj.encryption, "checksum": obj.checksum,
        "upload_id": obj.upload_id, "part_count": len(obj.parts), "storage_class": obj.storage_class,
    }  # fmt: skip
    owner = rows.inserted_id(conn.execute(_o.insert(), row))
    if obj.parts:
        conn.execute(_p.insert(), [{"object": owner, **parts.row(part)} for part in obj.parts])
    return blobs


def delete_object(conn: Connection, bucket: str, key: str, *, if_match: str | None = None) -> list[str]:
    """Remove an object; returns its blobs, none when there was no such object (S3 answers 204 to that as well)."""
    return remove(conn, bucket, key, None, if_match)
