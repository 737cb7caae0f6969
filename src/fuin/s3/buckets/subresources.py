"""The three verbs of the sub-resources in `subresource_table.py`: get, put, delete."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from fuin.s3.buckets.subresource_table import TABLE
from fuin.s3.objects import get
from fuin.s3.payload import documents
from fuin.s3.request import rights, version, xml
from fuin.s3.request.call import document, empty
from fuin.s3.request.faults import S3Fault
from fuin.s3.request.operation import BUCKET, CHECKED_DOCUMENT, DOCUMENT, OBJECT, S3Operation
from fuin.store.s3 import buckets as rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from fuin.gate.http import Answer
    from fuin.s3.buckets.subresource_table import Delete, Put, Subresource
    from fuin.s3.request.call import S3Call
    from fuin.store.s3.buckets import Bucket


def _authorized_bucket(call: S3Call, row: Subresource) -> Bucket:
    """Return the bucket once the caller has the operation's right to it, or to the object."""
    if row.level == BUCKET:
        return rights.authorize_bucket(call)
    bucket = rights.authorize_object(call)
    version.check_request(call)
    return bucket


async def get_subresource(call: S3Call, row: Subresource) -> Answer:
    """Return the stored setting, or the answer of S3 if nothing is set."""
    bucket = await call.consult(_authorized_bucket, row)
    kept = bucket.setting(row.name)
    if row.show is not None and kept is not None:
        return document(row.root, row.show(kept))
    if row.unset:
        raise S3Fault(row.unset, row.text, BucketName=call.bucket)
    if row.level == OBJECT:
        await call.consult(get.find_head, bucket, call.object_name)
    return document(row.root, row.content)


async def put_subresource(call: S3Call, row: Subresource, change: Put) -> Answer:
    """Store a setting that this server honours, and refuse every other."""
    await call.consult(_authorized_bucket, row)
    raw = await documents.read(call)
    bucket = await call.consult(_authorized_bucket, row)  # again: the client may have sent the body slowly
    if row.level == OBJECT:
        await call.consult(get.find_head, bucket, call.object_name)
    kept = change.take(xml.parse(raw, row.root))
    if row.show is not None:
        call.facts["settings"] = {row.name: None if kept is None else msgspec.Raw(kept.encode())}
        await call.change(_set, bucket, row.name, kept)
    return empty(change.status)


async def delete_subresource(call: S3Call, row: Subresource, change: Delete) -> Answer:
    """Remove the setting; nearly always nothing is set, and the answer is the same."""
    bucket = await call.consult(_authorized_bucket, row)
    if change.absent:
        raise S3Fault(change.absent, BucketName=call.bucket)
    if row.level == OBJECT:
        await call.consult(get.find_head, bucket, call.object_name)
    if row.show is not None:
        call.facts["settings"] = {row.name: None}
        await call.change(_set, bucket, row.name, None)
    return empty(204)


def _set(conn: Connection, bucket: Bucket, name: str, kept: str | None) -> None:
    rows.check_same(conn, bucket)
    rows.set_setting(conn, bucket.name, name, kept)


def operations() -> Iterator[S3Operation]:
    """Yield the operations of the table."""
    for row in TABLE:
        query = tuple(row.name.split("&"))
        yield S3Operation(row.get, "GET", row.level, query, run=partial(get_subresource, row=row))
        if row.put is not None:
            body = CHECKED_DOCUMENT if row.put.checked else DOCUMENT
            run = partial(put_subresource, row=row, change=row.put)
            yield S3Operation(row.put.operation, "PUT", row.level, query, body=body, run=run)
        if row.delete is not None:
            run = partial(delete_subresource, row=row, change=row.delete)
            yield S3Operation(row.delete.operation, "DELETE", row.level, query, run=run)
