"""The rows that name stored messages, with all that they say about them, page by page: for `fuin verify`.

A version of an object, or an upload under way, *owns* messages: one for each of its parts. A page has the owners of one
bucket in the order of their names, each with its parts, as one state of the database has them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, func, literal_column, or_, select

from fuin.store.engine import schema
from fuin.store.s3 import parts, uploads
from fuin.store.s3.key_use import KeyUse
from fuin.store.s3.listing import end_of_prefix
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.parts import Part
from fuin.store.s3.version_select import VersionSelect

if TYPE_CHECKING:
    from sqlalchemy import Connection

_o, _p, _u, _up = schema.objects, schema.object_parts, schema.uploads, schema.upload_parts
_OWNERS = 500  # of a page
_PARTS = 2000  # of a page; one owner alone may have five times as many
_VERSION = select(
    _o.c.id, _o.c.key, _o.c.version_order, _o.c.version_id, _o.c.is_delete_marker, _o.c.encryption, _o.c.scheme,
    _o.c.kms_key_arn, _o.c.kms_material_id, _o.c.etag, _o.c.size, _o.c.checksum, _o.c.part_count, _o.c.upload_id,
)  # fmt: skip
_HAS_BYTES = _o.c.is_delete_marker == literal_column("0")
_FIND_VERSION = VersionSelect(_VERSION)
_BUCKET, _LIMIT = schema.parameter("p_bucket"), schema.parameter("p_limit", schema.LONG)
_START, _END = schema.parameter("p_start", schema.BYTES), schema.parameter("p_end", schema.BYTES)
_KEY, _ORDER = schema.parameter("p_key", schema.BYTES), schema.parameter("p_order", schema.LONG)
_VERSIONS = (
    _VERSION.where(
        _o.c.bucket == _BUCKET, _o.c.key >= _START, _o.c.key < _END, _HAS_BYTES,
        or_(_o.c.key > _KEY, and_(_o.c.key == _KEY, _o.c.version_order > _ORDER)),
    )
    .order_by(_o.c.key, _o.c.version_order).limit(_LIMIT)
)  # fmt: skip
_VERSION_PARTS = (
    select(_p.c.object, *parts.columns(_p))
    .where(_p.c.object.in_(schema.parameter("p_objects", schema.LONG, many=True))).order_by(_p.c.object, _p.c.number)
)  # fmt: skip
_UPLOAD = select(_u.c.data_key, _u.c.encryption, _u.c.scheme, _u.c.kms_key_arn, _u.c.kms_material_id).where(
    _u.c.upload_id == schema.parameter("p_id"), _u.c.bucket == _BUCKET, _u.c.key == _KEY
)
_STORED = select(
    select(func.coalesce(func.sum(_p.c.stored_size), 0)).join_from(_p, _o, _p.c.object == _o.c.id).where(
        _o.c.bucket == _BUCKET, _o.c.key >= _START, _o.c.key < _END
    ).scalar_subquery()
    + select(func.coalesce(func.sum(_up.c.stored_size), 0)).join_from(_up, _u, _up.c.upload_id == _u.c.upload_id).where(
        _u.c.bucket == _BUCKET, _u.c.key >= _START, _u.c.key < _END
    ).scalar_subquery()
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WholeContent:
    """The claims of a version's row about its whole content; `made_by` is the id of the upload that made it."""

    etag: str
    size: int
    checksum: str | None
    part_count: int
    made_by: str | None


@dataclass(frozen=True, slots=True)
class Owner:
    """A version of an object, or an upload under way, with its parts in their order.

    `whole` is that of a version. `upload_id` and `data_key`, the second place where an upload has its encrypted data
    key, are those of an upload.
    """

    name: ObjectName
    encryption: str
    use: KeyUse
    parts: tuple[Part, ...]
    whole: WholeContent | None = None
    upload_id: str = ""
    data_key: bytes = b""


class Mark(NamedTuple):
    """The place of an owner in the order of its bucket; `id` is that of an upload."""

    key: bytes = b""
    order: int = 0
    id: str = ""


class Page(NamedTuple):
    """A page of owners; `after` is the mark of the last one, and None after the last page."""

    owners: list[Owner]
    after: Mark | None


def page_of_versions(conn: Connection, bucket: str, prefix: str, after: Mark) -> Page:
    """Return the next versions of the objects of a bucket whose keys begin with a prefix; delete markers left out."""
    given = {**_range(bucket, prefix), "p_key": after.key, "p_order": after.order, "p_limit": _OWNERS}
    rows, count = list[Any](), 0
    for row in conn.execute(_VERSIONS, given):
        count += row.part_count
        if rows and count > _PARTS:
            break
        rows.append(row)
    if not rows:
        return Page([], None)
    return Page(_with_parts(conn, bucket, rows), Mark(rows[-1].key, rows[-1].version_order))


def page_of_uploads(conn: Connection, bucket: str, prefix: str, after: Mark) -> Page:
    """Return the next uploads under way to a bucket whose keys begin with a prefix."""
    found, owners, count = uploads.list_uploads(conn, bucket, prefix, after.key.decode(), after.id, _OWNERS), [], 0
    for upload in found:
        owner = find_owner(conn, Owner(upload.name, "", KeyUse(None, None, None), (), upload_id=upload.upload_id))
        if owner is not None:
            owners.append(owner)
            count += len(owner.parts)
        after = Mark(upload.key.encode(), 0, upload.upload_id)
        if count > _PARTS:
            break
    return Page(owners, after if found else None)


def find_owner(conn: Connection, owner: Owner) -> Owner | None:
    """Return an owner as it is now: the version, or the upload, of that name; None if there is no such one."""
    if not owner.upload_id:
        row = _FIND_VERSION.first(conn, owner.name)
        return None if row is None or row.is_delete_marker else _with_parts(conn, owner.name.bucket, [row])[0]
    name = {"p_id": owner.upload_id, "p_bucket": owner.name.bucket, "p_key": owner.name.key.encode()}
    row = conn.execute(_UPLOAD, name).first()
    if row is None:
        return None
    data_key, encryption, *use = row
    found = tuple(uploads.list_parts(conn, owner.upload_id))
    return replace(owner, encryption=encryption, use=KeyUse(*use), parts=found, data_key=data_key)


def stored_bytes(conn: Connection, bucket: str, prefix: str) -> int:
    """Return the bytes of all messages that a bucket has under a prefix, as the rows have them."""
    return int(conn.execute(_STORED, _range(bucket, prefix)).scalar_one())


def _range(bucket: str, prefix: str) -> dict[str, Any]:
    start = prefix.encode()
    return {"p_bucket": bucket, "p_start": start, "p_end": end_of_prefix(start)}


def _with_parts(conn: Connection, bucket: str, rows: list[Any]) -> list[Owner]:
    """Return the versions of these rows, with their parts."""
    found: dict[int, list[Part]] = {row.id: [] for row in rows}
    for number, *part in conn.execute(_VERSION_PARTS, {"p_objects": list(found)}):
        found[number].append(Part(*part))
    return [
        Owner(
            ObjectName(bucket, row.key.decode(), row.version_id), row.encryption,
            KeyUse(row.scheme, row.kms_key_arn, row.kms_material_id), tuple(found[row.id]),
            WholeContent(row.etag, row.size, row.checksum, row.part_count, row.upload_id),
        )
        for row in rows
    ]  # fmt: skip
