"""The lifecycle configuration of a bucket: GetBucketLifecycleConfiguration, Put and DeleteBucketLifecycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin.s3.lifecycle import document as rule_document
from fuin.s3.lifecycle.headers import MINIMUM_SIZE
from fuin.s3.lifecycle.rules import SETTING, parse_setting
from fuin.s3.payload import documents
from fuin.s3.request import rights, xml
from fuin.s3.request.call import document, empty
from fuin.s3.request.faults import S3Fault
from fuin.store.s3 import buckets as rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.http import Answer
    from fuin.s3.lifecycle.rules import LifecycleConfiguration
    from fuin.s3.request.call import Headers, S3Call
    from fuin.store.s3.buckets import Bucket


async def get_configuration(call: S3Call) -> Answer:
    """Return the rules, as they were put; each has an id."""
    bucket = await call.consult(rights.authorize_bucket)
    kept = bucket.setting(SETTING)
    if kept is None:
        raise S3Fault("NoSuchLifecycleConfiguration", BucketName=call.bucket)
    found = parse_setting(kept)
    return document(rule_document.ROOT, rule_document.show(found), headers=_headers(found))


async def put_configuration(call: S3Call) -> Answer:
    """Set the rules, in place of those before; they are for the objects that exist, too, from the next midnight on."""
    await call.consult(rights.authorize_bucket)
    minimum_size = rule_document.parse_minimum_size(call.header(MINIMUM_SIZE))
    raw = await documents.read(call)
    bucket = await call.consult(rights.authorize_bucket)  # again: the client may have sent the body slowly
    chosen = rule_document.parse(xml.parse(raw, rule_document.ROOT), minimum_size)
    kept = chosen.column()
    call.facts["settings"] = {SETTING: msgspec.Raw(kept.encode())}
    await call.change(_set, bucket, kept)
    return empty(200, _headers(chosen))


async def delete_configuration(call: S3Call) -> Answer:
    """Remove all rules; a bucket without any answers the same. No work by them commits after the answer."""
    bucket = await call.consult(rights.authorize_bucket)
    call.facts["settings"] = {SETTING: None}
    await call.change(_set, bucket, None)
    return empty(204)


def _set(conn: Connection, bucket: Bucket, kept: str | None) -> None:
    rows.check_same(conn, bucket)
    rows.set_setting(conn, bucket.name, SETTING, kept)


def _headers(configuration: LifecycleConfiguration) -> Headers:
    return [(MINIMUM_SIZE, configuration.minimum_size.encode())]
