"""New versions of objects: how a write changes the stack of versions of its key.

Each key has a stack of versions, the newest on top. The top one is current, also if it is a delete marker. What a write
does to it depends on the bucket (AWS: "How S3 Versioning works"):

| versioning | a new object |
| --- | --- |
| never enabled | takes the place of the null version, which is the only one |
| Enabled | gets an id, and goes on top |
| Suspended | becomes the null version, on top; the null version that was there goes, the others stay |

The current version is locked first, and there is one of each key. So writes to one key come one after the other, and
two that find an empty stack meet at the unique index of current versions: then one of them runs again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from fuin.store.engine import schema
from fuin.store.engine.errors import is_missing_reference
from fuin.store.engine.prepared import PreparedSelect, PreparedWrite
from fuin.store.errors import NoSuchBucket, ObjectLocked
from fuin.store.s3 import labels, parts, version_id
from fuin.store.s3.key_use import object_key_use
from fuin.store.s3.object_name import UNVERSIONED
from fuin.store.s3.objects import check_conditions
from fuin.store.s3.version_select import VersionSelect

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.store.s3.object_name import ObjectName
    from fuin.store.s3.objects import Object

ENABLED, SUSPENDED = "Enabled", "Suspended"

_o, _p = schema.objects, schema.object_parts
_ID = schema.parameter("p_id", schema.LONG)
_COLUMNS = select(_o.c.id, _o.c.etag, _o.c.version_id, _o.c.version_order, _o.c.is_delete_marker, _o.c.object_lock)
_PRESENT = VersionSelect(_COLUMNS)
# Locked, since the write that follows rests on it; SQLite has one writer, and no such clause.
_LOCK = VersionSelect(_COLUMNS.with_for_update())
_BLOBS = PreparedSelect(select(_p.c.blob).where(_p.c.object == _ID, _p.c.content.is_(None)))
_DELETE = PreparedWrite(delete(_o).where(_o.c.id == _ID))
_DEMOTE = PreparedWrite(
    update(_o).where(_o.c.id == _ID).values(is_current=0, noncurrent_since=schema.parameter("p_since", schema.TIME))
)
_INSERT = PreparedWrite(_o.insert().returning(_o.c.id), [column.name for column in _o.columns if column.name != "id"])
_INSERT_PART = PreparedWrite(_p.insert(), _p.columns.keys())
_BUCKET = select(schema.buckets.c.name).where(schema.buckets.c.name == schema.parameter("p_bucket"))


class Published(NamedTuple):
    """The version that an object has become, and the blobs that nothing refers to any longer."""

    version: str
    blobs: list[str]


def publish(
    conn: Connection,
    obj: Object,
    versioning: str | None = None,
    *,
    if_none_match: str | None = None,
    if_match: str | None = None,
) -> Published:
    """Make an object the current version of its key, in one step; `versioning` is the bucket's state.

    Raises NoSuchBucket, PreconditionFailed, NotFound (If-Match on nothing). `part_count` follows from `parts`.
    """
    if if_match is not None and conn.execute(_BUCKET, {"p_bucket": obj.bucket}).first() is None:
        raise NoSuchBucket(
            obj.bucket
        )  # without a bucket there is no object, but that is not what the caller must learn
    newest = lock_newest(conn, obj.name)
    check_conditions(None if newest is None or newest.is_delete_marker else newest.etag, if_none_match, if_match)
    blobs = [] if versioning == ENABLED else _remove_null(conn, obj.name, newest, versioning)
    if newest is not None and (versioning == ENABLED or newest.version_id != UNVERSIONED):
        _DEMOTE.run(conn, {"p_id": newest.id, "p_since": obj.modified})
    version, order = next_version(versioning, obj.modified, None if newest is None else newest.version_order)
    _insert(conn, obj, version, order)
    return Published(version, blobs)


def lock_newest(conn: Connection, name: ObjectName) -> Any:
    """Return the row of a key's current version, locked until the end of the transaction, or None without versions."""
    name = name._replace(version=None)
    row = _LOCK.first(conn, name)
    if row is None and conn.dialect.name == "postgresql":
        # Another node may have replaced the version while this one waited: the row that it waited for has gone.
        while row is None and _PRESENT.first(conn, name) is not None:
            row = _LOCK.first(conn, name)
    return row


def next_version(versioning: str | None, now: float, newest: int | None) -> tuple[str, int]:
    """Return id and place of the next version of a key, whose newest one is at the place `newest`."""
    if versioning is None:
        return UNVERSIONED, 0
    order = version_id.next_order(now, newest)
    return (version_id.new_version_id(order) if versioning == ENABLED else UNVERSIONED), order


def _remove_null(conn: Connection, name: ObjectName, newest: Any, versioning: str | None) -> list[str]:
    """Remove a key's null version, if it has one; returns its blobs."""
    row = newest if newest is not None and newest.version_id == UNVERSIONED else None
    if row is None and versioning is not None:
        row = _LOCK.first(conn, name._replace(version=UNVERSIONED))
    if row is None:
        return []
    require_unlocked(row)
    blobs = [blob for (blob,) in _BLOBS.list_rows(conn, {"p_id": row.id})]
    _DELETE.run(conn, {"p_id": row.id})  # its parts go by ON DELETE CASCADE
    return blobs


def require_unlocked(row: Any) -> None:
    """Raise ObjectLocked for a null version with a lock, which no write may replace, whatever its retention says.

    A bucket with Object Lock keeps versions for ever. If it had such a null version all the same, that would stay.
    """
    if row.object_lock is not None:
        raise ObjectLocked(row.version_id)


def _insert(conn: Connection, obj: Object, version: str, order: int) -> None:
    use = object_key_use(obj.encryption)
    row = {
        "bucket": obj.bucket, "key": obj.key.encode(), "version_id": version, "version_order": order, "is_current": 1,
        "noncurrent_since": None, "is_delete_marker": 0, "etag": obj.etag, "size": obj.size, "modified": obj.modified,
        "encryption": obj.encryption, "checksum": obj.checksum, "upload_id": obj.upload_id,
        "part_count": len(obj.parts),
        "scheme": use.scheme, "kms_key_arn": use.key_arn, "kms_material_id": use.material_id,
    }  # fmt: skip
    labels.fill_row(row, obj.labels)
    try:
        (owner,) = _INSERT.run(conn, row)
    except IntegrityError as error:  # the row's reference spares a question for the bucket, of 40 µs
        if is_missing_reference(error):
            raise NoSuchBucket(obj.bucket) from None
        raise
    found = [{"object": owner, "content": part.content, **parts.row(part)} for part in obj.parts]
    if len(found) == 1:
        _INSERT_PART.run(conn, found[0])
    elif found:
        conn.execute(_p.insert(), found)
