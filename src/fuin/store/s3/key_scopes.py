"""On which KMS keys and key materials the objects below a prefix depend: pages of them, and numbers.

`dependents.py` answers the same for one key and all buckets. Here the order is that of keys, as in listings, so a walk
over all pages reads each row once, whatever is re-wrapped meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, literal_column, select, tuple_

from fuin.store.engine import schema
from fuin.store.s3.key_use import KeyUse
from fuin.store.s3.listing import end_of_prefix
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.version_select import IS_CURRENT

if TYPE_CHECKING:
    from sqlalchemy import Connection

_o, _u = schema.objects, schema.uploads
_START, _END = schema.parameter("p_start", schema.BYTES), schema.parameter("p_end", schema.BYTES)
_BUCKET, _HAS_BYTES = schema.parameter("p_bucket"), _o.c.is_delete_marker == literal_column("0")
_ALL = (
    select(_o.c.key, _o.c.version_id, _o.c.version_order, _o.c.is_current, _o.c.size, _o.c.scheme, _o.c.kms_key_arn,
           _o.c.kms_material_id)
    .where(_o.c.bucket == _BUCKET, _o.c.key < _END, _HAS_BYTES)
    .where(tuple_(_o.c.key, _o.c.version_order) > tuple_(_START, schema.parameter("p_order", schema.LONG)))
    .order_by(_o.c.key, _o.c.version_order)
    .limit(schema.parameter("p_limit", schema.LONG))
)  # fmt: skip
_CURRENT = _ALL.where(IS_CURRENT, _o.c.key >= _START)  # by an index without the order of versions
_COUNT = (
    select(_o.c.scheme, _o.c.kms_key_arn, _o.c.kms_material_id, _o.c.is_current, func.count(), func.sum(_o.c.size))
    .where(_o.c.bucket == _BUCKET, _o.c.key >= _START, _o.c.key < _END, _HAS_BYTES)
    .group_by(_o.c.scheme, _o.c.kms_key_arn, _o.c.kms_material_id, _o.c.is_current)
)
_UPLOADS = (
    select(_u.c.scheme, _u.c.kms_key_arn, _u.c.kms_material_id, func.count())
    .where(_u.c.bucket == _BUCKET, _u.c.key >= _START, _u.c.key < _END)
    .group_by(_u.c.scheme, _u.c.kms_key_arn, _u.c.kms_material_id)
)
_BUCKETS = select(schema.buckets.c.name).order_by(schema.buckets.c.name)
_MATERIAL_KEYS = (
    select(schema.materials.c.key_id, schema.materials.c.region)
    .where(schema.materials.c.material_id == schema.parameter("p_material", schema.BYTES))
    .order_by(schema.materials.c.region)
)
_BEFORE_ALL = -(2**63)


class Place(NamedTuple):
    """A place in the order of keys and versions."""

    key: bytes
    order: int


class StoredVersion(NamedTuple):
    """A version of an object and the key that it depends on; `place` is where the next page begins."""

    name: ObjectName
    place: Place
    is_current: bool
    size: int
    use: KeyUse


class Count(NamedTuple):
    """How many versions depend on a key and key material in the same way, and the bytes of their plaintext."""

    use: KeyUse
    is_current: bool
    number: int
    bytes: int


def list_versions(
    conn: Connection, bucket: str, prefix: str, after: Place | None, limit: int, *, all_versions: bool
) -> list[StoredVersion]:
    """Return up to `limit` versions below a prefix that come after a place (None: from the first one)."""
    start = Place(prefix.encode(), _BEFORE_ALL) if after is None else after
    given = {
        "p_bucket": bucket, "p_start": start.key, "p_order": start.order, "p_end": end_of_prefix(prefix.encode()),
        "p_limit": limit,
    }  # fmt: skip
    rows: Any = conn.execute(_ALL if all_versions else _CURRENT, given)
    return [
        StoredVersion(
            ObjectName(bucket, key.decode(), version), Place(key, order), bool(current), size, KeyUse(*use)
        )
        for key, version, order, current, size, *use in rows
    ]  # fmt: skip


def count_versions(conn: Connection, bucket: str, prefix: str) -> list[Count]:
    """Return how many versions below a prefix depend on which key."""
    rows: Any = conn.execute(_COUNT, _span(bucket, prefix))
    return [Count(KeyUse(*use), bool(current), int(number), int(size)) for *use, current, number, size in rows]


def count_uploads(conn: Connection, bucket: str, prefix: str) -> list[tuple[KeyUse, int]]:
    """Return how many uploads under way below a prefix depend on which key."""
    rows: Any = conn.execute(_UPLOADS, _span(bucket, prefix))
    return [(KeyUse(*use), int(number)) for *use, number in rows]


def list_buckets(conn: Connection) -> list[str]:
    """Return the names of all buckets."""
    return list(conn.execute(_BUCKETS).scalars())


def list_keys_of_material(conn: Connection, material_id: bytes) -> list[tuple[str, str]]:
    """Return id and Region of each key with a key material; related multi-Region keys share theirs."""
    return [(key_id, region) for key_id, region in conn.execute(_MATERIAL_KEYS, {"p_material": material_id})]


def _span(bucket: str, prefix: str) -> dict[str, Any]:
    start = prefix.encode()
    return {"p_bucket": bucket, "p_start": start, "p_end": end_of_prefix(start)}
