"""What lifecycle rules look at: the versions and uploads of a bucket, some hundred at a time, in order of their keys.

A page has a bounded number of rows, whatever the rules say about them. So a walk through a bucket never reads for long
at once, and always comes forward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, literal_column, select, tuple_

from fuin.store.engine import schema
from fuin.store.s3.version_select import IS_CURRENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

BEFORE_ALL = -(2**63)  # a place before all versions of a key
_o, _u, _s = schema.objects, schema.uploads, schema.bucket_settings
_BUCKET = schema.parameter("p_bucket")
_KEY, _END = schema.parameter("p_key", schema.BYTES), schema.parameter("p_end", schema.BYTES)
_ORDER, _LIMIT = schema.parameter("p_order", schema.LONG), schema.parameter("p_limit", schema.LONG)
_VERSIONS = (
    select(
        _o.c.key, _o.c.version_id, _o.c.version_order, _o.c.is_current, _o.c.is_delete_marker, _o.c.size, _o.c.modified,
        _o.c.noncurrent_since, _o.c.tags, _o.c.object_lock,
    )
    .where(_o.c.bucket == _BUCKET, tuple_(_o.c.key, _o.c.version_order) > tuple_(_KEY, _ORDER), _o.c.key < _END)
    .order_by(_o.c.key, _o.c.version_order)
    .limit(_LIMIT)
)  # fmt: skip
_NEWER = (
    select(_o.c.id)
    .where(
        _o.c.bucket == _BUCKET, _o.c.key == _KEY, _o.c.version_order <= _ORDER,
        _o.c.is_current == literal_column("0"), _o.c.is_delete_marker == literal_column("0"),
    )
    .limit(_LIMIT)
)  # fmt: skip
_COUNT_NEWER = select(func.count()).select_from(_NEWER.subquery())
_UPLOADS = (
    select(_u.c.key, _u.c.upload_id, _u.c.created)
    .where(
        _u.c.bucket == _BUCKET, tuple_(_u.c.key, _u.c.upload_id) > tuple_(_KEY, schema.parameter("p_id", schema.TEXT)),
        _u.c.key < _END,
    )
    .order_by(_u.c.key, _u.c.upload_id)
    .limit(_LIMIT)
)  # fmt: skip
_LOCK = (
    select(_o.c.id)
    .where(_o.c.bucket == _BUCKET, _o.c.key.in_(schema.parameter("p_keys", schema.BYTES, many=True)), IS_CURRENT)
    .order_by(_o.c.key)
    .with_for_update()
)
_NEXT_BUCKET = (
    select(_s.c.bucket)
    .where(_s.c.name == schema.parameter("p_name"), _s.c.bucket > schema.parameter("p_after"))
    .order_by(_s.c.bucket)
    .limit(1)
)
_BUCKETS = select(_s.c.bucket).where(_s.c.name == schema.parameter("p_name")).order_by(_s.c.bucket)


class VersionRow(NamedTuple):
    """A version, or a delete marker; `noncurrent_since` is None for the newest one. Tags and lock are JSON."""

    key: bytes
    version: str
    order: int
    is_current: int
    is_delete_marker: int
    size: int
    modified: float
    noncurrent_since: float | None
    tags: str | None
    object_lock: str | None


class UploadRow(NamedTuple):
    """A multipart upload under way."""

    key: bytes
    upload_id: str
    created: float


def list_buckets(conn: Connection, setting: str) -> list[str]:
    """Return the names of all buckets that have a setting."""
    return list(conn.execute(_BUCKETS, {"p_name": setting}).scalars())


def find_next_bucket(conn: Connection, setting: str, after: str) -> str | None:
    """Return the name of the first bucket after a name that has a setting, or None at the end."""
    return conn.execute(_NEXT_BUCKET, {"p_name": setting, "p_after": after}).scalar()


def list_versions(conn: Connection, bucket: str, after: tuple[bytes, int], end: bytes, limit: int) -> list[VersionRow]:
    """Return up to `limit` versions after a key and a place in its order, with keys less than `end`."""
    given = {"p_bucket": bucket, "p_key": after[0], "p_order": after[1], "p_end": end, "p_limit": limit}
    return [VersionRow._make(row) for row in conn.execute(_VERSIONS, given)]


def count_newer(conn: Connection, bucket: str, key: bytes, order: int, at_most: int) -> int:
    """Return how many noncurrent versions with bytes a key has up to a place in its order, but `at_most` at most."""
    given = {"p_bucket": bucket, "p_key": key, "p_order": order, "p_limit": at_most}
    count: int = conn.execute(_COUNT_NEWER, given).scalar_one()
    return count


def list_uploads(conn: Connection, bucket: str, after: tuple[bytes, str], end: bytes, limit: int) -> list[UploadRow]:
    """Return up to `limit` uploads after a key and an id, with keys less than `end`."""
    given = {"p_bucket": bucket, "p_key": after[0], "p_id": after[1], "p_end": end, "p_limit": limit}
    return [UploadRow._make(row) for row in conn.execute(_UPLOADS, given)]


def lock_keys(conn: Connection, bucket: str, keys: Sequence[bytes]) -> None:
    """Lock the newest versions of some keys until the end of the transaction, in the order of all deletions.

    After it no other node puts anything on top of them, or deletes a version of them, before this transaction ends.
    """
    conn.execute(_LOCK, {"p_bucket": bucket, "p_keys": keys}).all()
