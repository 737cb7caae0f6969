"""The columns about keys beside the envelopes that they were made from, page by page: for `fuin ledger check`.

A page is in the order of the rows' marks, so a walk over all of them needs the memory of one page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, select, tuple_

from fuin.store.engine import schema
from fuin.store.s3.key_use import KeyUse, rewrapped_header
from fuin.store.s3.object_name import ObjectName

if TYPE_CHECKING:
    from sqlalchemy import Connection

_o, _op, _u, _up, _b = schema.objects, schema.object_parts, schema.uploads, schema.upload_parts, schema.buckets
_LIMIT = schema.parameter("p_limit", schema.LONG)
_NUMBER = schema.parameter("p_number", schema.LONG)
_OBJECTS = (
    select(_o.c.id, _o.c.bucket, _o.c.key, _o.c.version_id, _o.c.encryption, _o.c.scheme, _o.c.kms_key_arn,
           _o.c.kms_material_id)
    .where(_o.c.id > schema.parameter("p_after", schema.LONG)).order_by(_o.c.id).limit(_LIMIT)
)  # fmt: skip
_UPLOADS = (
    select(_u.c.upload_id, _u.c.bucket, _u.c.key, _u.c.encryption, _u.c.scheme, _u.c.kms_key_arn, _u.c.kms_material_id)
    .where(_u.c.upload_id > schema.parameter("p_after")).order_by(_u.c.upload_id).limit(_LIMIT)
)  # fmt: skip
_BUCKETS = (
    select(_b.c.name, _b.c.account, _b.c.region, _b.c.encryption, _b.c.scheme, _b.c.kms_key_arn)
    .where(_b.c.name > schema.parameter("p_after")).order_by(_b.c.name).limit(_LIMIT)
)  # fmt: skip


def _parts(owner: Any, number: Any, selected: Select[Any], kind: Any) -> Select[Any]:
    after = tuple_(schema.parameter("p_after", kind), _NUMBER)
    return selected.where(tuple_(owner, number) > after).order_by(owner, number).limit(_LIMIT)


_OBJECT_PARTS = _parts(
    _op.c.object, _op.c.number,
    select(_op.c.object, _op.c.number, _op.c.blob, _o.c.bucket, _o.c.key, _o.c.version_id, _o.c.encryption,
           _o.c.scheme, _o.c.kms_key_arn, _o.c.kms_material_id, _op.c.content)
    .join_from(_op, _o, _op.c.object == _o.c.id),
    schema.LONG,
)  # fmt: skip
_UPLOAD_PARTS = _parts(
    _up.c.upload_id, _up.c.number,
    select(_up.c.upload_id, _up.c.number, _up.c.blob, _u.c.bucket, _u.c.key, _u.c.scheme, _u.c.kms_key_arn,
           _u.c.kms_material_id).join_from(_up, _u, _up.c.upload_id == _u.c.upload_id),
    schema.TEXT,
)  # fmt: skip
_COUNTS = select(*(select(func.count()).select_from(one).scalar_subquery() for one in (_b, _u, _up, _o, _op)))


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """A version of an object: its columns about keys, and its envelope as JSON."""

    mark: int
    name: ObjectName
    encryption: str
    use: KeyUse


@dataclass(frozen=True, slots=True)
class UploadRow:
    """An upload under way; `mark` is its id."""

    mark: str
    name: ObjectName
    encryption: str
    use: KeyUse


@dataclass(frozen=True, slots=True)
class BucketRow:
    """A bucket, with the default of its encryption; `mark` is its name."""

    mark: str
    account: str
    region: str
    encryption: str | None
    use: KeyUse


@dataclass(frozen=True, slots=True)
class PartRow:
    """A stored message: a part of a version of an object, or of an upload, whose id is then the first of `mark`.

    `encryption` is the JSON of an object, which says whether it was re-wrapped; an upload never is.
    """

    mark: tuple[int | str, int]
    blob: str
    name: ObjectName
    use: KeyUse
    content: bytes | None = field(default=None, repr=False)  # the message, if its row holds it
    encryption: str | None = None

    @property
    def rewrapped_header(self) -> bytes | None:
        """Return the SHA-256 of the encrypted data key that the message's header has, if that is not in the index."""
        return None if self.encryption is None else rewrapped_header(self.encryption)

    @property
    def upload_id(self) -> str:
        """Return the id of its upload, empty for a part of an object."""
        owner = self.mark[0]
        return owner if isinstance(owner, str) else ""


START_OF_OBJECT_PARTS: tuple[int | str, int] = (0, 0)
START_OF_UPLOAD_PARTS: tuple[int | str, int] = ("", 0)


def page_of_buckets(conn: Connection, after: str, limit: int) -> list[BucketRow]:
    """Return up to `limit` buckets with names greater than `after`."""
    rows = conn.execute(_BUCKETS, {"p_after": after, "p_limit": limit})
    return [
        BucketRow(name, account, region, text, KeyUse(scheme, arn, None))
        for name, account, region, text, scheme, arn in rows
    ]


def page_of_uploads(conn: Connection, after: str, limit: int) -> list[UploadRow]:
    """Return up to `limit` uploads with ids greater than `after`."""
    rows = conn.execute(_UPLOADS, {"p_after": after, "p_limit": limit})
    return [
        UploadRow(upload_id, ObjectName(bucket, key.decode()), text, KeyUse(*use))
        for upload_id, bucket, key, text, *use in rows
    ]


def page_of_objects(conn: Connection, after: int, limit: int) -> list[ObjectRow]:
    """Return up to `limit` versions of objects after the one with the mark `after` (0: from the first)."""
    rows = conn.execute(_OBJECTS, {"p_after": after, "p_limit": limit})
    return [
        ObjectRow(number, ObjectName(bucket, key.decode(), version), text, KeyUse(*use))
        for number, bucket, key, version, text, *use in rows
    ]


def page_of_parts(conn: Connection, after: tuple[int | str, int], limit: int) -> list[PartRow]:
    """Return up to `limit` parts of objects, or of uploads if `after` has the id of one, with greater marks."""
    owner, number = after
    given = {"p_after": owner, "p_number": number, "p_limit": limit}
    if isinstance(owner, str):
        return [
            PartRow((upload_id, part), blob, ObjectName(bucket, key.decode()), KeyUse(*use))
            for upload_id, part, blob, bucket, key, *use in conn.execute(_UPLOAD_PARTS, given)
        ]
    return [
        PartRow((row, part), blob, ObjectName(bucket, key.decode(), version), KeyUse(*use), content, encryption)
        for row, part, blob, bucket, key, version, encryption, *use, content in conn.execute(_OBJECT_PARTS, given)
    ]


def find_part(conn: Connection, mark: tuple[int | str, int]) -> PartRow | None:
    """Return the part with this mark, if it is still there."""
    owner, number = mark
    return next((part for part in page_of_parts(conn, (owner, number - 1), 1) if part.mark == mark), None)


def count_rows(conn: Connection) -> int:
    """Return how many rows all pages have together."""
    return sum(conn.execute(_COUNTS).one())
