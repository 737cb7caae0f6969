"""The index and its blobs: a write becomes visible at once and whole; what it replaces is removed afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import msgspec

from fuin.blobs.waiting import wait_until_done
from fuin.errors import FuinError, OutcomeUnknown
from fuin.s3.payload.checksums import Checksum
from fuin.store.s3 import buckets, objects, upload_intents, versions
from fuin.store.s3.object_name import UNVERSIONED
from fuin.store.s3.parts import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

    from fuin.s3.payload.intake import WrittenBlob
    from fuin.s3.request.call import S3Call
    from fuin.s3.request.conditions import WriteCondition
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.objects import Object
    from fuin.store.s3.versions import Published

# In each record of a request. A multipart object has up to 10,000: the record that completed its upload names them all,
# and the ETag, which is its own, tells which record that is.
_BLOBS_NAMED = 20
P = ParamSpec("P")
T = TypeVar("T")

_decode_checksum = msgspec.json.Decoder(Checksum).decode
_decode_values = msgspec.json.Decoder(dict[str, str]).decode


def checksum_column(checksum: Checksum | None) -> str | None:
    """Return an object's checksum in the index's form."""
    return None if checksum is None else msgspec.json.encode(checksum).decode()


def parse_checksum(column: str | None) -> Checksum | None:
    """Return the checksum that `checksum_column` has written."""
    return None if column is None else _decode_checksum(column)


def parse_values(part: Part) -> dict[str, str]:
    """Return a part's checksums by algorithm."""
    return {} if part.checksum is None else _decode_values(part.checksum)


def new_part(stored: WrittenBlob, number: int, etag: str, now: float) -> Part:
    """Return the row of a durable blob."""
    values = msgspec.json.encode(stored.checksums).decode() if stored.checksums else None
    return Part(
        blob=stored.blob,
        size=stored.size,
        stored_size=stored.stored_size,
        number=number,
        etag=etag,
        checksum=values,
        message_id=stored.message_id,
        modified=now,
        content=stored.content,
    )


def check_condition(call: S3Call, condition: WriteCondition) -> None:
    """Refuse a conditional write before its body is read; the commit checks the condition again."""
    if condition.if_none_match is None and condition.if_match is None:
        return
    present = call.services.store.look_up(objects.head_object, call.object_name)
    objects.check_conditions(None if present is None else present.etag, condition.if_none_match, condition.if_match)


async def commit(
    call: S3Call, new: Iterable[str], fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a write of the index that names the `new` blobs; when it is refused, or fails for certain, they are removed.

    A cancelled caller waits for the outcome: a blob that the index names is never removed. Nor is one that it may name
    again after a crash (OutcomeUnknown); those are the start sweep's.
    """
    blobs = list(new)
    announced = bool(blobs) and call.services.blobs.is_shared

    def name(conn: Connection) -> T:
        if announced:
            upload_intents.end(conn, blobs)
        return fn(conn, *args, **kwargs)

    writing: asyncio.Future[T] = asyncio.ensure_future(call.write(name))
    try:
        return await wait_until_done(writing)
    except OutcomeUnknown:
        raise
    except FuinError:
        await wait_until_done(call.services.blobs.remove(blobs))
        if announced:
            with contextlib.suppress(FuinError):  # the sweep forgets them otherwise
                await call.services.store.write(upload_intents.forget, blobs)
        raise


def discard_replaced(call: S3Call) -> None:
    """Remove replaced blobs without waiting, once index and log both say so; what fails is left to the sweep."""
    if call.replaced:
        call.services.blobs.remove(call.replaced)


async def publish(call: S3Call, bucket: Bucket, obj: Object, condition: WriteCondition) -> str:
    """Make an object the current version of its key; raises PreconditionFailed, NoSuchBucket, NoSuchKey.

    Returns the version. `bucket` is the one for which the caller's right was checked before the body came.
    """
    new = [part.blob for part in obj.parts if part.content is None]
    done = await commit(call, new, _publish, bucket, obj, condition)
    call.replaced += done.blobs
    record_version(call, done.version)
    return done.version


def _publish(conn: Connection, bucket: Bucket, obj: Object, condition: WriteCondition) -> Published:
    versioning = buckets.read_versioning(conn, bucket)
    return versions.publish(conn, obj, versioning, if_none_match=condition.if_none_match, if_match=condition.if_match)


def record_version(call: S3Call, version: str | None) -> None:
    """Add the version that a request is about to its record; the null version is not named."""
    if version not in (None, UNVERSIONED):
        call.facts["versionId"] = version


def written_facts(obj: Object) -> dict[str, Any]:
    """Return the facts for the audit record about an object that this request has encrypted."""
    (part,) = obj.parts
    return {"plaintextBytes": obj.size, "storedBytes": part.stored_size, "blob": part.blob, "etag": obj.etag}


def object_facts(obj: Object) -> dict[str, Any]:
    """Return the facts for the audit record about an object that this request reads, or makes from parts."""
    facts: dict[str, Any] = {"objectBytes": obj.size, "parts": obj.part_count, "etag": obj.etag}
    if obj.parts:  # a HEAD reads none
        facts["blobs"] = [part.blob for part in obj.parts[:_BLOBS_NAMED]]
    return facts
