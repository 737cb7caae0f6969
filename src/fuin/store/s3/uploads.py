"""Multipart uploads and their parts, until they become an object."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, and_, delete, or_, select
from sqlalchemy.exc import IntegrityError

from fuin.store.engine import schema
from fuin.store.errors import InvalidPart, NoSuchBucket, NoSuchUpload
from fuin.store.s3 import labels, objects, parts, versions
from fuin.store.s3.key_use import object_key_use
from fuin.store.s3.labels import Labels
from fuin.store.s3.listing import end_of_prefix
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.objects import Object
from fuin.store.s3.parts import Part

_u, _p = schema.uploads, schema.upload_parts
_ID = schema.parameter("p_id")
_ALL = select(
    _u.c.upload_id, _u.c.bucket, _u.c.key, _u.c.created, _u.c.initiator, _u.c.data_key, _u.c.encryption,
    _u.c.checksum_algorithm, _u.c.checksum_type, *labels.columns(_u),
)  # fmt: skip
_FIND = _ALL.where(
    _u.c.upload_id == _ID,
    _u.c.bucket == schema.parameter("p_bucket"),
    _u.c.key == schema.parameter("p_key", schema.BYTES),
)
_KEY_MARK = schema.parameter("p_after_key", schema.BYTES)
_LIST = (
    _ALL.where(
        _u.c.bucket == schema.parameter("p_bucket"),
        _u.c.key >= schema.parameter("p_start", schema.BYTES),
        _u.c.key < schema.parameter("p_end", schema.BYTES),
        or_(_u.c.key > _KEY_MARK, and_(_u.c.key == _KEY_MARK, _u.c.upload_id > schema.parameter("p_after_id"))),
    )
    .order_by(_u.c.key, _u.c.upload_id)
    .limit(schema.parameter("p_limit", schema.LONG))
)
_NAMES = select(_u.c.key, _u.c.upload_id).where(_u.c.bucket == schema.parameter("p_bucket")).order_by(_u.c.key)
_DELETE = delete(_u).where(_u.c.upload_id == _ID)
# On PostgreSQL no upload ends while a part is put, and no part is put while it ends. Parts do not wait for parts.
_EXISTS = select(_u.c.upload_id).where(_u.c.upload_id == _ID).with_for_update(read=True, key_share=True)
_FIND_TO_END = _FIND.with_for_update()
_PARTS = (
    select(*parts.columns(_p))
    .where(_p.c.upload_id == _ID, _p.c.number > schema.parameter("p_after", schema.LONG))
    .order_by(_p.c.number)
    .limit(schema.parameter("p_limit", schema.LONG))
)
_BLOBS = select(_p.c.number, _p.c.blob).where(_p.c.upload_id == _ID)
_PART_BLOB = select(_p.c.blob).where(_p.c.upload_id == _ID, _p.c.number == schema.parameter("p_number", schema.LONG))
_DELETE_PART = delete(_p).where(_p.c.upload_id == _ID, _p.c.number == schema.parameter("p_number", schema.LONG))

PARTS_AT_MOST = 10_000  # AWS's limit for one upload


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload; all its parts are encrypted under one data key, kept here as encrypted by its KMS key.

    `encryption` is JSON; it and the `labels` go into the object. `initiator` is the principal's ARN.
    """

    upload_id: str
    name: ObjectName
    created: float
    initiator: str
    data_key: bytes
    encryption: str
    checksum_algorithm: str | None
    checksum_type: str | None
    labels: Labels

    @property
    def bucket(self) -> str:
        """Return the bucket's name."""
        return self.name.bucket

    @property
    def key(self) -> str:
        """Return the key of the object to be."""
        return self.name.key


@dataclass(frozen=True, slots=True)
class Completion:
    """The object that an upload has become, as it is in the index, and the blobs that nothing refers to any longer."""

    object: Object
    blobs: tuple[str, ...]


def insert_upload(conn: Connection, upload: Upload) -> None:
    """Start an upload; raises NoSuchBucket."""
    use = object_key_use(upload.encryption)
    row = {
        "upload_id": upload.upload_id, "bucket": upload.bucket, "key": upload.key.encode(), "created": upload.created,
        "initiator": upload.initiator, "data_key": upload.data_key, "encryption": upload.encryption,
        "checksum_algorithm": upload.checksum_algorithm, "checksum_type": upload.checksum_type,
        "scheme": use.scheme, "kms_key_arn": use.key_arn, "kms_material_id": use.material_id,
    }  # fmt: skip
    labels.fill_row(row, upload.labels)
    try:
        conn.execute(_u.insert(), row)
    except IntegrityError:
        raise NoSuchBucket(upload.bucket) from None


def _upload(row: Any) -> Upload:
    return Upload(row[0], ObjectName(row[1], row[2].decode()), *(*row[3 : -labels.COUNT], labels.parse_row(row)))


def find_upload(conn: Connection, upload_id: str, name: ObjectName) -> Upload | None:
    """Return an upload; it is found under the name of its own object only."""
    row = conn.execute(_FIND, _identity(upload_id, name)).first()
    return None if row is None else _upload(row)


def _identity(upload_id: str, name: ObjectName) -> dict[str, Any]:
    return {"p_id": upload_id, "p_bucket": name.bucket, "p_key": name.key.encode()}


def list_uploads(conn: Connection, bucket: str, prefix: str, after_key: str, after_id: str, limit: int) -> list[Upload]:
    """Return up to `limit` uploads in the order of key and id, after the marker (both empty: from the first).

    With `after_key` only, uploads of that very key are passed over, as S3 does: give after_id "\\U0010ffff" for that.
    """
    start = prefix.encode()
    parameters = {
        "p_bucket": bucket, "p_start": start, "p_end": end_of_prefix(start), "p_after_key": after_key.encode(),
        "p_after_id": after_id, "p_limit": limit,
    }  # fmt: skip
    return [_upload(row) for row in conn.execute(_LIST, parameters)]


def list_names(conn: Connection, bucket: str) -> dict[str, str]:
    """Return the ids of all uploads of a bucket with their keys."""
    return {upload_id: key.decode() for key, upload_id in conn.execute(_NAMES, {"p_bucket": bucket})}


def put_part(conn: Connection, upload_id: str, part: Part) -> list[str]:
    """Add a part, in place of the one of that number; returns the replaced blob. Raises NoSuchUpload."""
    if conn.execute(_EXISTS, {"p_id": upload_id}).first() is None:
        raise NoSuchUpload(upload_id)
    blobs = list(conn.execute(_PART_BLOB, {"p_id": upload_id, "p_number": part.number}).scalars())
    if blobs:
        conn.execute(_DELETE_PART, {"p_id": upload_id, "p_number": part.number})
    conn.execute(_p.insert(), {"upload_id": upload_id, **parts.row(part)})
    return blobs


def list_parts(conn: Connection, upload_id: str, after: int = 0, limit: int = PARTS_AT_MOST) -> list[Part]:
    """Return up to `limit` parts with numbers greater than `after`, in order."""
    return [Part(*row) for row in conn.execute(_PARTS, {"p_id": upload_id, "p_after": after, "p_limit": limit})]


def complete_upload(
    conn: Connection,
    upload_id: str,
    obj: Object,
    versioning: str | None = None,
    *,
    if_none_match: str | None = None,
    if_match: str | None = None,
) -> Completion:
    """Make the upload's chosen parts (`obj.parts`, as `list_parts` gave them) the object, and end the upload.

    Raises InvalidPart when a chosen part was replaced meanwhile, NoSuchUpload, NoSuchBucket, PreconditionFailed. When
    it is repeated after a success, it returns the object as it is, and no blobs: a client's retry loses nothing.
    """
    if conn.execute(_FIND_TO_END, _identity(upload_id, obj.name)).first() is None:
        return Completion(_completed_object(conn, upload_id, obj.name), ())
    present: dict[int, str] = {row[0]: row[1] for row in conn.execute(_BLOBS, {"p_id": upload_id})}
    for part in obj.parts:
        if present.get(part.number) != part.blob:
            raise InvalidPart(part.number)
    conn.execute(_DELETE, {"p_id": upload_id})  # its parts go by ON DELETE CASCADE
    chosen = replace(obj, upload_id=upload_id, part_count=len(obj.parts))
    done = versions.publish(conn, chosen, versioning, if_none_match=if_none_match, if_match=if_match)
    kept = {part.blob for part in obj.parts}
    published = replace(chosen, name=obj.name._replace(version=done.version))
    return Completion(published, (*done.blobs, *(blob for blob in present.values() if blob not in kept)))


def _completed_object(conn: Connection, upload_id: str, name: ObjectName) -> Object:
    obj = find_completed(conn, upload_id, name)
    if obj is None:
        raise NoSuchUpload(upload_id)
    return obj


def find_completed(conn: Connection, upload_id: str, name: ObjectName) -> Object | None:
    """Return the object that this upload made, while it is still the one of that name; for a retried completion."""
    obj = objects.get_object(conn, name)
    return obj if obj is not None and obj.upload_id == upload_id else None


def abort_upload(conn: Connection, upload_id: str, name: ObjectName) -> list[str]:
    """End an upload without an object; returns its blobs. Raises NoSuchUpload."""
    if conn.execute(_FIND_TO_END, _identity(upload_id, name)).first() is None:
        raise NoSuchUpload(upload_id)
    blobs = [blob for _, blob in conn.execute(_BLOBS, {"p_id": upload_id})]
    conn.execute(_DELETE, {"p_id": upload_id})
    return blobs
