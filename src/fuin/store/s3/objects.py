"""The index of objects: which objects exist, and in which blobs; the bytes are in the blob store.

A row is one version of an object. `publish`, `set_tags`, `unpublish` and `unpublish_all` are the only writers.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, literal_column, select, update
from sqlalchemy.exc import IntegrityError

from fuin.store.engine import rows, schema
from fuin.store.engine.errors import is_missing_reference
from fuin.store.errors import NoSuchBucket, NotFound, PreconditionFailed
from fuin.store.s3 import labels, parts
from fuin.store.s3.key_use import object_key_use
from fuin.store.s3.labels import Labels
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.parts import Part

_o, _p = schema.objects, schema.object_parts
_ID = schema.parameter("p_id", schema.LONG)
# The number is part of the statement's text: only so does the database see that the index of current versions has it.
IS_CURRENT = _o.c.is_current == literal_column("1")
_IS_OBJECT = and_(
    _o.c.bucket == schema.parameter("p_bucket"), _o.c.key == schema.parameter("p_key", schema.BYTES), IS_CURRENT
)
_FIND = select(
    _o.c.id, _o.c.etag, _o.c.size, _o.c.modified, _o.c.encryption, _o.c.checksum, _o.c.upload_id, _o.c.part_count,
    *labels.columns(_o),
).where(_IS_OBJECT)  # fmt: skip
_FIELDS = tuple(column.name for column in _FIND.selected_columns)[1 : -labels.COUNT]
# Locked, since the write that follows rests on it; SQLite has one writer, and no such clause.
_PRESENT = select(_o.c.id, _o.c.etag).where(_IS_OBJECT)
_IDENTITY = _PRESENT.with_for_update()
_SET_TAGS = update(_o).where(_IS_OBJECT).values(tags=schema.parameter("p_tags", schema.TEXT))
_DELETE = delete(_o).where(_o.c.id == _ID)
_PARTS = select(*parts.columns(_p)).where(_p.c.object == _ID).order_by(_p.c.number)
_BLOBS = select(_p.c.blob).where(_p.c.object == _ID)
# Locked in one order, so that nobody waits in a circle.
_MANY = (
    select(_o.c.id, _o.c.key, _o.c.etag)
    .where(
        _o.c.bucket == schema.parameter("p_bucket"),
        _o.c.key.in_(schema.parameter("p_keys", schema.BYTES, many=True)),
        IS_CURRENT,
    )
    .order_by(_o.c.key)
    .with_for_update()
)
_IDS = schema.parameter("p_ids", schema.LONG, many=True)
_BLOBS_OF_MANY = select(_p.c.blob).where(_p.c.object.in_(_IDS))
_DELETE_MANY = delete(_o).where(_o.c.id.in_(_IDS))
_AT_ONCE = 500  # parameters of one IN list
_BUCKET = select(schema.buckets.c.name).where(schema.buckets.c.name == schema.parameter("p_bucket"))


@dataclass(frozen=True, slots=True)
class Object:
    """An object's row. `etag` has no quotes; `encryption` and `checksum` are JSON.

    `parts` are in the order of the object's bytes. `upload_id` names the multipart upload that made it.
    """

    name: ObjectName
    etag: str
    size: int
    modified: float
    labels: Labels
    encryption: str
    checksum: str | None = None
    upload_id: str | None = None
    part_count: int = 1
    parts: tuple[Part, ...] = field(default=())

    @property
    def bucket(self) -> str:
        """Return the bucket's name."""
        return self.name.bucket

    @property
    def key(self) -> str:
        """Return the object's key."""
        return self.name.key


def _object(name: ObjectName, row: Any, parts: tuple[Part, ...]) -> Object:
    values: dict[str, Any] = dict(zip(_FIELDS, row[1 : -labels.COUNT], strict=True))
    return Object(name=name, labels=labels.parse_row(row), parts=parts, **values)


def _parameters(name: ObjectName) -> dict[str, Any]:
    """Return the parameters of a statement on the current version of an object, which is the only one."""
    return {"p_bucket": name.bucket, "p_key": name.key.encode()}


def head_object(conn: Connection, name: ObjectName) -> Object | None:
    """Return an object without its parts (`part_count` says how many there are)."""
    row = conn.execute(_FIND, _parameters(name)).first()
    return None if row is None else _object(name, row, ())


def get_object(conn: Connection, name: ObjectName, at_most: int | None = None) -> Object | None:
    """Return an object with its parts, or without any if there are more than `at_most`."""
    row = conn.execute(_FIND, _parameters(name)).first()
    if row is None:
        return None
    if at_most is not None and row.part_count > at_most:
        return _object(name, row, ())
    return _object(name, row, tuple(Part(*part) for part in conn.execute(_PARTS, {"p_id": row.id})))


def check_conditions(etag: str | None, if_none_match: str | None, if_match: str | None) -> None:
    """Check a write's conditions against the present object's ETag (None: no such object); ETags are without quotes.

    Raises PreconditionFailed, or NotFound for If-Match where there is no object, as S3 does.
    """
    if if_none_match is not None and etag is not None and if_none_match in ("*", etag):
        raise PreconditionFailed("If-None-Match")
    if if_match is not None:
        if etag is None:
            raise NotFound("the object of If-Match")
        if if_match not in ("*", etag):
            raise PreconditionFailed("If-Match")


def publish(
    conn: Connection, obj: Object, *, if_none_match: str | None = None, if_match: str | None = None
) -> list[str]:
    """Put an object in place of the one with its name, in one step; returns the blobs that are no longer used.

    Raises NoSuchBucket, PreconditionFailed, NotFound (If-Match on nothing). `part_count` follows from `parts`.
    """
    if if_match is not None and conn.execute(_BUCKET, {"p_bucket": obj.bucket}).first() is None:
        raise NoSuchBucket(
            obj.bucket
        )  # without a bucket there is no object, but that is not what the caller must learn
    blobs = _remove(conn, obj.name, if_none_match, if_match)
    use = object_key_use(obj.encryption)
    row = {
        "bucket": obj.bucket, "key": obj.key.encode(), "version_id": obj.name.version, "is_current": 1,
        "etag": obj.etag, "size": obj.size, "modified": obj.modified,
        "encryption": obj.encryption, "checksum": obj.checksum, "upload_id": obj.upload_id,
        "part_count": len(obj.parts),
        "scheme": use.scheme, "kms_key_arn": use.key_arn, "kms_material_id": use.material_id,
    }  # fmt: skip
    labels.fill_row(row, obj.labels)
    try:
        owner = rows.inserted_id(conn.execute(_o.insert(), row))
    except IntegrityError as error:  # the row's reference spares a question for the bucket, of 40 µs
        if is_missing_reference(error):
            raise NoSuchBucket(obj.bucket) from None
        raise
    if obj.parts:
        conn.execute(_p.insert(), [{"object": owner, **parts.row(part)} for part in obj.parts])
    return blobs


def set_tags(conn: Connection, name: ObjectName, tags: str | None) -> None:
    """Give an object these tags, in the form of `Labels`, in place of its own; raises NotFound."""
    if conn.execute(_SET_TAGS, {**_parameters(name), "p_tags": tags}).rowcount == 0:
        raise NotFound("the object")


def unpublish(conn: Connection, name: ObjectName, *, if_match: str | None = None) -> list[str]:
    """Remove an object; returns its blobs, or nothing for no such object (S3 answers 204 to that as well)."""
    return _remove(conn, name, None, if_match)


class Removal(NamedTuple):
    """What the removal of many objects leaves: blobs that are no longer used, and keys whose conditions failed."""

    blobs: list[str]
    missing: list[str]  # a condition on an ETag, and no object
    changed: list[str]  # an object with another ETag


def unpublish_all(conn: Connection, bucket: str, wanted: Mapping[str, Collection[str]]) -> Removal:
    """Remove the objects with these keys; each must have all the ETags that are named for it, which may be none.

    Keys without an object do not matter, but for those with an ETag. It takes a few statements, not some for each key:
    a transaction on PostgreSQL delays every change of rights, and each statement waits for the network. An object that
    another node replaces meanwhile stays, as if it came later.
    """
    done = Removal([], [], [])
    keys = sorted(key.encode() for key in wanted)
    for start in range(0, len(keys), _AT_ONCE):
        chosen = keys[start : start + _AT_ONCE]
        present = {row.key: row for row in conn.execute(_MANY, {"p_bucket": bucket, "p_keys": chosen})}
        ids = []
        for key in chosen:
            etags, row = wanted[key.decode()], present.get(key)
            if etags and row is None:  # or replaced while this one waited for it
                row = _lock(conn, {"p_bucket": bucket, "p_key": key})
            if row is None:
                done.missing.extend([key.decode()] if etags else [])
            elif all(etag in ("*", row.etag) for etag in etags):
                ids.append(row.id)
            else:
                done.changed.append(key.decode())
        if ids:
            done.blobs.extend(conn.execute(_BLOBS_OF_MANY, {"p_ids": ids}).scalars())
            conn.execute(_DELETE_MANY, {"p_ids": ids})
    return done


def _lock(conn: Connection, parameters: dict[str, Any]) -> Any:
    """Return the row of an object, locked until the end of the transaction, or None if there is no such object."""
    row = conn.execute(_IDENTITY, parameters).first()
    if row is None and conn.dialect.name == "postgresql":
        # Another node may have replaced the object while this one waited: the row that it waited for has gone.
        while row is None and conn.execute(_PRESENT, parameters).first() is not None:
            row = conn.execute(_IDENTITY, parameters).first()
    return row


def _remove(conn: Connection, name: ObjectName, if_none_match: str | None, if_match: str | None) -> list[str]:
    row = _lock(conn, _parameters(name))
    check_conditions(None if row is None else row.etag, if_none_match, if_match)
    if row is None:
        return []
    blobs = list(conn.execute(_BLOBS, {"p_id": row.id}).scalars())
    conn.execute(_DELETE, {"p_id": row.id})  # its parts go by ON DELETE CASCADE
    return blobs
