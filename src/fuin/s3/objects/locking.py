"""The lock of an object: GetObjectRetention, PutObjectRetention, GetObjectLegalHold, PutObjectLegalHold.

Retention lasts until a time that has certainly come (docs/decisions/0009): a clock that is set forward ends none.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fuin.clock import CLOCK
from fuin.errors import FuinError
from fuin.s3.objects import get, index
from fuin.s3.payload import documents
from fuin.s3.request import existing_tags, locks, rights, version, xml
from fuin.s3.request.call import document, empty
from fuin.s3.request.conditions import iso_date
from fuin.s3.request.faults import S3Fault
from fuin.store.errors import NotFound, ObjectLocked
from fuin.store.s3 import buckets, object_lock
from fuin.store.s3 import objects as rows
from fuin.store.s3.object_lock import GOVERNANCE, UNLOCKED, ObjectLock

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from fuin.gate.http import Answer
    from fuin.s3.request.call import S3Call
    from fuin.s3.request.existing_tags import SeenTags
    from fuin.s3.request.xml import Node
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.object_name import ObjectName


async def get_object_retention(call: S3Call) -> Answer:
    """Return the retention of an object or a version."""
    lock = await _find(call)
    if lock.mode is None or lock.until is None:
        raise S3Fault("NoSuchObjectLockConfiguration")
    return document("Retention", xml.text("Mode", lock.mode), xml.text("RetainUntilDate", iso_date(lock.until)))


async def get_object_legal_hold(call: S3Call) -> Answer:
    """Return the legal hold of an object or a version."""
    lock = await _find(call)
    if lock.hold is None:
        raise S3Fault("NoSuchObjectLockConfiguration")
    return document("LegalHold", xml.text("Status", lock.hold))


async def put_object_retention(call: S3Call) -> Answer:
    """Set, extend or remove a retention; one that lasts is made weaker in governance mode only, with a right to it."""
    bucket, given = await _read(call, "Retention", locks.parse_retention)
    bypass = await call.consult(rights.authorize_bypass, bucket)
    return await _set(call, bucket, partial(_retain, given, bypass))


async def put_object_legal_hold(call: S3Call) -> Answer:
    """Set a legal hold on or off."""
    bucket, given = await _read(call, "LegalHold", locks.parse_hold)
    return await _set(call, bucket, lambda lock: ObjectLock(lock.mode, lock.until, given.hold))


def _authorize(call: S3Call) -> Bucket:
    bucket = rights.authorize_object(call)
    version.check_request(call)
    return bucket


async def _find(call: S3Call) -> ObjectLock:
    bucket = await call.consult(_authorize)
    locks.require_configuration(bucket)
    found = await call.consult(get.find_unless_marker, bucket)
    return object_lock.parse_column(found.labels.object_lock)


async def _read(call: S3Call, root: str, parse: Callable[[Node], ObjectLock]) -> tuple[Bucket, ObjectLock]:
    """Return the bucket and the lock in the document; its fault comes after the decision, which sees the lock."""
    if call.caller is None:  # before anybody's body is read
        await call.consult(_authorize)
    fault: Exception | None = None
    try:
        call.lock = parse(xml.parse(await documents.read(call), root))
    except (FuinError, xml.MalformedDocument) as error:
        fault = error  # only an allowed caller hears it
    bucket = await call.consult(_authorize)
    locks.require_configuration(bucket)
    if fault is not None:
        raise fault
    return bucket, call.lock or UNLOCKED


def _retain(given: ObjectLock, bypass: bool, lock: ObjectLock) -> ObjectLock:
    """Return the lock with the given retention; raises ObjectLocked if one that lasts would become weaker."""
    if lock.until is not None and lock.retains(CLOCK.certain_time()):
        weaker = given.mode != lock.mode or given.until is None or given.until < lock.until
        if weaker and not (bypass and lock.mode == GOVERNANCE):
            raise ObjectLocked
    return ObjectLock(given.mode, given.until, lock.hold)


async def _set(call: S3Call, bucket: Bucket, change: Callable[[ObjectLock], ObjectLock]) -> Answer:
    await call.consult(get.find_unless_marker, bucket)
    lock = call.lock or UNLOCKED
    call.facts["lock"] = {"mode": lock.mode, "until": lock.until, "hold": lock.hold}
    await call.announce("change")
    try:
        written = await call.write(_write, bucket, call.object_name, change, call.seen_tags)
    except NotFound:  # it was removed meanwhile
        raise await call.consult(get.missing_fault, bucket, call.object_name) from None
    index.record_version(call, written)
    return empty(200)


def _write(
    conn: Connection, bucket: Bucket, name: ObjectName, change: Callable[[ObjectLock], ObjectLock], seen: SeenTags
) -> str:
    buckets.check_same(conn, bucket)
    existing_tags.check_same(conn, seen)
    return rows.set_lock(conn, name, change)
