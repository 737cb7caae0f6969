"""The dependents of a KMS key: the objects and uploads that nobody can open without it, and the buckets that name it.

Each answer comes from an index (`…_by_kms_key`), so a key with few dependents is quick among millions of objects. The
numbers are exact. Key ARNs are those that the rows hold: a multi-Region key has one in each of its Regions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from fuin.store.engine import schema
from fuin.store.s3.object_name import ObjectName

if TYPE_CHECKING:
    from sqlalchemy import Connection

_o, _u, _p, _b = schema.objects, schema.uploads, schema.upload_parts, schema.buckets
_ARN, _LIMIT = schema.parameter("p_arn"), schema.parameter("p_limit", schema.LONG)
_OBJECTS = select(func.count(), func.coalesce(func.sum(_o.c.size), 0)).where(_o.c.kms_key_arn == _ARN)
_UPLOADS = select(func.count()).select_from(_u).where(_u.c.kms_key_arn == _ARN)
_UPLOADED = (
    select(func.coalesce(func.sum(_p.c.size), 0))
    .select_from(_u.join(_p, _u.c.upload_id == _p.c.upload_id))
    .where(_u.c.kms_key_arn == _ARN)
)
_PAGE = (
    select(_o.c.id, _o.c.bucket, _o.c.key, _o.c.version_id, _o.c.size, _o.c.kms_material_id)
    .where(_o.c.kms_key_arn == _ARN, _o.c.id > schema.parameter("p_after", schema.LONG))
    .order_by(_o.c.id)
    .limit(_LIMIT)
)
_UPLOAD_PAGE = (
    select(_u.c.upload_id, _u.c.bucket, _u.c.key)
    .where(_u.c.kms_key_arn == _ARN, _u.c.upload_id > schema.parameter("p_after"))
    .order_by(_u.c.upload_id)
    .limit(_LIMIT)
)
_BUCKETS = select(_b.c.name).where(_b.c.kms_key_arn == _ARN).order_by(_b.c.name)


@dataclass(frozen=True, slots=True)
class Totals:
    """How much depends on a key: versions of objects, uploads under way, and the plaintext bytes of both."""

    objects: int
    object_bytes: int
    uploads: int
    upload_bytes: int


@dataclass(frozen=True, slots=True)
class DependentObject:
    """A version of an object; `number` is its place in the list, which is in the order of writing.

    `material_id` is the key material that encrypts the data key, None if the stored ciphertext blob does not name it.
    """

    number: int
    name: ObjectName
    size: int
    material_id: bytes | None


@dataclass(frozen=True, slots=True)
class DependentUpload:
    """A multipart upload under way."""

    upload_id: str
    name: ObjectName


def count(conn: Connection, key_arn: str) -> Totals:
    """Return how much depends on a key."""
    given = {"p_arn": key_arn}
    number, size = conn.execute(_OBJECTS, given).one()
    uploads, uploaded = conn.execute(_UPLOADS, given).scalar_one(), conn.execute(_UPLOADED, given).scalar_one()
    return Totals(int(number), int(size), int(uploads), int(uploaded))


def list_objects(conn: Connection, key_arn: str, after: int = 0, limit: int = 1000) -> list[DependentObject]:
    """Return up to `limit` objects that depend on a key, after the one of number `after` (0: from the first)."""
    rows = conn.execute(_PAGE, {"p_arn": key_arn, "p_after": after, "p_limit": limit})
    return [
        DependentObject(number, ObjectName(bucket, key.decode(), version), size, material_id)
        for number, bucket, key, version, size, material_id in rows
    ]


def list_uploads(conn: Connection, key_arn: str, after: str = "", limit: int = 1000) -> list[DependentUpload]:
    """Return up to `limit` uploads that depend on a key, with ids greater than `after`."""
    rows = conn.execute(_UPLOAD_PAGE, {"p_arn": key_arn, "p_after": after, "p_limit": limit})
    return [DependentUpload(upload_id, ObjectName(bucket, key.decode())) for upload_id, bucket, key in rows]


def list_buckets(conn: Connection, arn: str) -> list[str]:
    """Return the buckets whose default encryption names a key, or an alias, by this ARN.

    A default that names a key by an alias is found by the alias's ARN: ask for those of the key as well.
    """
    return list(conn.execute(_BUCKETS, {"p_arn": arn}).scalars())
