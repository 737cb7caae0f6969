"""Object Lock of a bucket: GetObjectLockConfiguration and PutObjectLockConfiguration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin.s3.payload import documents
from fuin.s3.request import locks, rights, xml
from fuin.s3.request.call import document, empty
from fuin.s3.request.faults import S3Fault
from fuin.store.s3 import buckets as rows
from fuin.store.s3.versions import ENABLED

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.http import Answer
    from fuin.s3.request.call import S3Call
    from fuin.store.s3.buckets import Bucket

_ROOT = "ObjectLockConfiguration"
_NOT_VERSIONED = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"


async def get_object_lock_configuration(call: S3Call) -> Answer:
    """Return that Object Lock is on, and the default retention; it is never turned off."""
    bucket = await call.consult(rights.authorize_bucket)
    kept = bucket.setting(locks.SETTING)
    if kept is None:
        raise S3Fault("ObjectLockConfigurationNotFoundError", BucketName=call.bucket)
    return document(_ROOT, locks.configuration_content(kept))


async def put_object_lock_configuration(call: S3Call) -> Answer:
    """Turn Object Lock on in a bucket with versions, or change its default retention."""
    await call.consult(rights.authorize_bucket)
    raw = await documents.read(call)
    bucket = await call.consult(rights.authorize_bucket)  # again: the client may have sent the body slowly
    kept = locks.parse_configuration(xml.parse(raw, _ROOT))
    call.facts["settings"] = {locks.SETTING: msgspec.Raw(kept.encode())}
    await call.change(_set, bucket, kept)
    return empty(200)


def _set(conn: Connection, bucket: Bucket, kept: str) -> None:
    if rows.read_versioning(conn, bucket) != ENABLED:
        raise S3Fault("InvalidBucketState", _NOT_VERSIONED)
    rows.set_setting(conn, bucket.name, locks.SETTING, kept)
