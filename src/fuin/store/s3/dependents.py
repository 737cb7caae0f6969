"""The dependents of a KMS key: the objects and uploads that nobody can open without it, and the buckets that name it.

Each answer comes from an index (`…_by_kms_key`), so a key with few dependents is quick among millions of objects. The
numbers are exact: the columns are written in the transaction that writes the object. Key ARNs are those that the rows
hold: a multi-Region key has one in each of its Regions. Why there are no counters: docs/decisions/0024.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, select

from fuin.store.engine import schema
from fuin.store.s3.object_name import ObjectName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_o, _u, _p, _b = schema.objects, schema.uploads, schema.upload_parts, schema.buckets
_ARN, _LIMIT = schema.parameter("p_arn"), schema.parameter("p_limit", schema.LONG)
_ARNS = schema.parameter("p_arns", schema.TEXT, many=True)
_AFTER = schema.parameter("p_after", schema.LONG)
_OBJECTS = (
    select(
        _o.c.kms_material_id, func.count(), func.sum(_o.c.size), func.sum(_o.c.is_current),
        func.sum(_o.c.size * _o.c.is_current),
    )
    .where(_o.c.kms_key_arn == _ARN)
    .group_by(_o.c.kms_material_id)
)  # fmt: skip
_UPLOADS = (
    select(_u.c.kms_material_id, func.count()).where(_u.c.kms_key_arn == _ARN).group_by(_u.c.kms_material_id)
)  # fmt: skip
_UPLOADED = (
    select(_u.c.kms_material_id, func.sum(_p.c.size))
    .select_from(_u.join(_p, _u.c.upload_id == _p.c.upload_id))
    .where(_u.c.kms_key_arn == _ARN)
    .group_by(_u.c.kms_material_id)
)
# In the order of an index: else PostgreSQL may read the whole table in search of one row that does not exist.
_ANY = select(
    select(_o.c.id).where(_o.c.kms_key_arn == _ARN).order_by(_o.c.kms_material_id, _o.c.id).limit(1).scalar_subquery(),
    select(_u.c.upload_id).where(_u.c.kms_key_arn == _ARN).order_by(_u.c.upload_id).limit(1).scalar_subquery(),
    select(_b.c.name).where(_b.c.kms_key_arn.in_(_ARNS)).limit(1).scalar_subquery(),
)
_BUCKETS = select(_b.c.name).where(_b.c.kms_key_arn.in_(_ARNS))
_BUCKET_COUNT = select(func.count()).where(_b.c.kms_key_arn.in_(_ARNS))
_UPLOAD_PAGE = (
    select(_u.c.upload_id, _u.c.bucket, _u.c.key, _u.c.kms_material_id)
    .where(_u.c.kms_key_arn == _ARN, _u.c.upload_id > schema.parameter("p_after"))
    .order_by(_u.c.upload_id)
    .limit(_LIMIT)
)


def _page_statement(has_material: Any) -> Select[Any]:
    return (
        select(_o.c.id, _o.c.bucket, _o.c.key, _o.c.version_id, _o.c.is_current, _o.c.size)
        .where(_o.c.kms_key_arn == _ARN, has_material, _o.c.id > _AFTER)
        .order_by(_o.c.id)
        .limit(_LIMIT)
    )


_PAGE = _page_statement(_o.c.kms_material_id == schema.parameter("p_material", schema.BYTES))
_PAGE_WITHOUT_MATERIAL = _page_statement(_o.c.kms_material_id.is_(None))


@dataclass(frozen=True, slots=True)
class Totals:
    """How much depends on a key or key material: objects, older versions of them, and uploads under way.

    Bytes are those of the plaintext.
    """

    objects: int = 0
    object_bytes: int = 0
    versions: int = 0  # that are not the current ones
    version_bytes: int = 0
    uploads: int = 0
    upload_bytes: int = 0

    @property
    def bytes(self) -> int:
        """Return the bytes of all of them."""
        return self.object_bytes + self.version_bytes + self.upload_bytes

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.objects + other.objects,
            self.object_bytes + other.object_bytes,
            self.versions + other.versions,
            self.version_bytes + other.version_bytes,
            self.uploads + other.uploads,
            self.upload_bytes + other.upload_bytes,
        )


@dataclass(frozen=True, slots=True)
class DependentObject:
    """A version of an object; `number` is its place in the list, which is in the order of writing."""

    number: int
    name: ObjectName
    is_current: bool
    size: int


@dataclass(frozen=True, slots=True)
class DependentUpload:
    """A multipart upload under way; `material_id` is None if the stored data key does not name its key material."""

    upload_id: str
    name: ObjectName
    material_id: bytes | None


def count(conn: Connection, key_arn: str) -> Totals:
    """Return how much depends on a key."""
    return sum(count_by_material(conn, key_arn).values(), Totals())


def count_by_material(conn: Connection, key_arn: str) -> dict[bytes | None, Totals]:
    """Return how much depends on each key material of a key, if anything does.

    None stands for what does not name its material: the stored data key is no ciphertext blob of Fuin.
    """
    given, totals = {"p_arn": key_arn}, defaultdict[bytes | None, Totals](Totals)
    for material_id, number, size, current, current_size in conn.execute(_OBJECTS, given):
        versions, version_bytes = int(number) - int(current), int(size) - int(current_size)
        totals[material_id] += Totals(int(current), int(current_size), versions, version_bytes)
    for material_id, number in conn.execute(_UPLOADS, given):
        totals[material_id] += Totals(uploads=int(number))
    for material_id, size in conn.execute(_UPLOADED, given):
        totals[material_id] += Totals(upload_bytes=int(size))
    return dict(totals)


def has_any(conn: Connection, key_arn: str, arns: Sequence[str]) -> bool:
    """Return whether anything depends on a key; `arns` are its own ARN and those of its aliases."""
    found = conn.execute(_ANY, {"p_arn": key_arn, "p_arns": arns}).one()
    return any(one is not None for one in found)


def list_objects(
    conn: Connection, key_arn: str, material_id: bytes | None, after: int = 0, limit: int = 1000
) -> list[DependentObject]:
    """Return up to `limit` versions of objects that depend on a key material of a key (None as in `count_by_material`).

    They come after the one of number `after` (0: from the first).
    """
    given: dict[str, Any] = {"p_arn": key_arn, "p_after": after, "p_limit": limit}
    if material_id is None:
        rows = conn.execute(_PAGE_WITHOUT_MATERIAL, given)
    else:
        rows = conn.execute(_PAGE, {**given, "p_material": material_id})
    return [
        DependentObject(number, ObjectName(bucket, key.decode(), version), bool(is_current), size)
        for number, bucket, key, version, is_current, size in rows
    ]


def list_uploads(conn: Connection, key_arn: str, after: str = "", limit: int = 1000) -> list[DependentUpload]:
    """Return up to `limit` uploads that depend on a key, with ids greater than `after`."""
    rows = conn.execute(_UPLOAD_PAGE, {"p_arn": key_arn, "p_after": after, "p_limit": limit})
    return [
        DependentUpload(upload_id, ObjectName(bucket, key.decode()), material_id)
        for upload_id, bucket, key, material_id in rows
    ]


def list_buckets(conn: Connection, arns: Sequence[str]) -> list[str]:
    """Return the buckets whose default encryption names a key by one of these ARNs: its own, or one of an alias."""
    return sorted(conn.execute(_BUCKETS, {"p_arns": arns}).scalars())


def count_buckets(conn: Connection, arns: Sequence[str]) -> int:
    """Return how many buckets `list_buckets` returns."""
    return int(conn.execute(_BUCKET_COUNT, {"p_arns": arns}).scalar_one())
