"""The index of objects: which objects exist, and in which blobs; the bytes are in the blob store.

A row is one version of an object, or a delete marker. `versions.py` and `deletions.py` write rows; only `set_tags` and
`set_lock` change one here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, literal_column, select, update

from fuin.store.engine import schema
from fuin.store.engine.prepared import PreparedSelect
from fuin.store.errors import NotFound, PreconditionFailed
from fuin.store.s3 import labels, object_lock, parts
from fuin.store.s3.labels import Labels
from fuin.store.s3.object_lock import ObjectLock
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.parts import Part
from fuin.store.s3.version_select import VersionSelect

_o, _p = schema.objects, schema.object_parts
_ID = schema.parameter("p_id", schema.LONG)
_COLUMNS = select(
    _o.c.id, _o.c.is_delete_marker, _o.c.version_id, _o.c.etag, _o.c.size, _o.c.modified, _o.c.encryption,
    _o.c.checksum, _o.c.upload_id, _o.c.part_count, *labels.columns(_o),
)  # fmt: skip
_BEFORE_FIELDS = 3
_COUNT = len(_COLUMNS.selected_columns)
_FIND = VersionSelect(_COLUMNS)
# Most objects have one part, which comes in the same row; so a GET asks the database once.
_FIND_WITH_PART = VersionSelect(
    _COLUMNS.add_columns(*(column.label(f"part_{column.name}") for column in parts.columns(_p))).outerjoin_from(
        _o, _p, and_(_p.c.object == _o.c.id, _o.c.part_count == literal_column("1"))
    )
)
# Locked, since the write that follows rests on it; SQLite has one writer, and no such clause.
_LOCK = VersionSelect(select(_o.c.id, _o.c.version_id, _o.c.is_delete_marker, _o.c.object_lock).with_for_update())
_MARKER = VersionSelect(select(_o.c.version_id, _o.c.modified, _o.c.is_delete_marker))
_SET_TAGS = update(_o).where(_o.c.id == _ID).values(tags=schema.parameter("p_tags", schema.TEXT))
_SET_LOCK = update(_o).where(_o.c.id == _ID).values(object_lock=schema.parameter("p_lock", schema.TEXT))
_PARTS = PreparedSelect(select(*parts.columns(_p)).where(_p.c.object == _ID).order_by(_p.c.number))


@dataclass(slots=True)  # not frozen: each request makes one, which would take five times as long
class Object:
    """An object's row. `etag` has no quotes; `encryption` and `checksum` are JSON.

    `name` has the version, but for an object that is not in the index yet. `parts` are in the order of the object's
    bytes. `upload_id` names the multipart upload that made it.
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


class DeleteMarker(NamedTuple):
    """A version that says that the object was deleted."""

    version: str
    modified: float


def _object(name: ObjectName, version: str, row: Any, parts: tuple[Part, ...]) -> Object:
    etag, size, modified, encryption, checksum, upload_id, part_count = row[_BEFORE_FIELDS : -labels.COUNT]
    return Object(
        ObjectName(name.bucket, name.key, version), etag, size, modified, labels.parse_row(row), encryption, checksum,
        upload_id, part_count, parts,
    )  # fmt: skip


def head_object(conn: Connection, name: ObjectName) -> Object | None:
    """Return an object without its parts (`part_count` says how many there are); None also for a delete marker."""
    row = _FIND.first(conn, name)
    return None if row is None or row.is_delete_marker else _object(name, row.version_id, row, ())


def get_object(conn: Connection, name: ObjectName, at_most: int | None = None) -> Object | None:
    """Return an object with its parts, or without any if there are more than `at_most`; None for a delete marker."""
    row = _FIND_WITH_PART.first(conn, name)
    if row is None or row.is_delete_marker:
        return None
    found: tuple[Part, ...] = ()
    if row.part_count == 1 and row.part_blob is not None:
        found = (Part(*row[_COUNT:]),)
    elif at_most is None or row.part_count <= at_most:
        found = tuple(Part(*part) for part in _PARTS.list_rows(conn, {"p_id": row.id}))
    return _object(name, row.version_id, row[:_COUNT], found)


def find_marker(conn: Connection, name: ObjectName) -> DeleteMarker | None:
    """Return the delete marker of this name, if it is one."""
    row = _MARKER.first(conn, name)
    return DeleteMarker(row.version_id, row.modified) if row is not None and row.is_delete_marker else None


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


def set_tags(conn: Connection, name: ObjectName, tags: str | None) -> str:
    """Give an object these tags, in the form of `Labels`, in place of its own; returns its version; raises NotFound."""
    row = _lock(conn, name)
    conn.execute(_SET_TAGS, {"p_id": row.id, "p_tags": tags})
    version: str = row.version_id
    return version


def set_lock(conn: Connection, name: ObjectName, change: Callable[[ObjectLock], ObjectLock]) -> str:
    """Give an object the lock that `change` makes of its own; returns its version.

    Raises NotFound, and what `change` raises.
    """
    row = _lock(conn, name)
    lock = change(object_lock.parse_column(row.object_lock))
    conn.execute(_SET_LOCK, {"p_id": row.id, "p_lock": lock.column()})
    version: str = row.version_id
    return version


def _lock(conn: Connection, name: ObjectName) -> Any:
    """Return the row of an object, locked until the end of the transaction; raises NotFound."""
    row = _LOCK.first(conn, name)
    if row is None or row.is_delete_marker:
        raise NotFound("the object")
    return row
