"""The three verbs of the sub-resources in `subresource_table.py`: get, put, delete."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from fuin.s3 import documents, reads, rights, xml
from fuin.s3.call import document, empty
from fuin.s3.faults import S3Fault
from fuin.s3.objects import check_version
from fuin.s3.routes import BUCKET, OBJECT
from fuin.s3.subresource_table import TABLE
from fuin.store.s3 import buckets as rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Connection

    from fuin.gate.http import Answer
    from fuin.s3.call import S3Call
    from fuin.s3.subresource_table import Delete, Put, Subresource
    from fuin.store.s3.buckets import Bucket


def _reach(call: S3Call, row: Subresource, action: str) -> Bucket:
    """Return the bucket once the caller may do `action` to it, or to the object."""
    if row.level == BUCKET:
        return rights.bucket_for(call, action)
    bucket = rights.bucket_of_object(call, action)
    check_version(call.query.get("versionId"))
    return bucket


async def get(row: Subresource, call: S3Call) -> Answer:
    """Give what is kept, or what S3 answers while nothing is set."""
    _, action = row.get
    bucket = await call.consult(_reach, row, action)
    kept = bucket.setting(row.name)
    if row.show is not None and kept is not None:
        return document(row.root, row.show(kept))
    if row.unset:
        raise S3Fault(row.unset, row.text, BucketName=call.bucket)
    if row.level == OBJECT:
        await call.consult(reads.find, bucket, call.key)
    return document(row.root, row.content)


async def put(row: Subresource, asked: Put, call: S3Call) -> Answer:
    """Take what this server keeps to, and refuse the rest."""
    await call.consult(_reach, row, asked.action)
    raw = await documents.read(call, checked=asked.checked)
    bucket = await call.consult(_reach, row, asked.action)  # again: its sender chose how long the body took
    if row.level == OBJECT:
        await call.consult(reads.find, bucket, call.key)
    kept = asked.take(xml.parse(raw, row.root))
    if kept is not None:
        call.facts["settings"] = {row.name: msgspec.Raw(kept.encode())}
        await call.change(_set, bucket, row.name, kept)
    return empty(asked.status)


async def delete(row: Subresource, asked: Delete, call: S3Call) -> Answer:
    """Remove what is kept; most often there is nothing, and that is as good."""
    bucket = await call.consult(_reach, row, asked.action)
    if asked.absent:
        raise S3Fault(asked.absent, BucketName=call.bucket)
    if row.level == OBJECT:
        await call.consult(reads.find, bucket, call.key)
    if row.show is not None:
        call.facts["settings"] = {row.name: None}
        await call.change(_set, bucket, row.name, None)
    return empty(204)


def _set(conn: Connection, bucket: Bucket, name: str, kept: str | None) -> None:
    rows.check_same(conn, bucket)
    rows.set_setting(conn, bucket.name, name, kept)


def operations() -> dict[str, Callable[[S3Call], Awaitable[Answer]]]:
    """Return the operations of the table by name."""
    found: dict[str, Callable[[S3Call], Awaitable[Answer]]] = {row.get[0]: partial(get, row) for row in TABLE}
    found |= {row.put.operation: partial(put, row, row.put) for row in TABLE if row.put}
    return found | {row.delete.operation: partial(delete, row, row.delete) for row in TABLE if row.delete}


def actions() -> dict[str, str]:
    """Return the action that each operation of the table asks for."""
    changes = [asked for row in TABLE for asked in (row.put, row.delete) if asked is not None]
    return dict(row.get for row in TABLE) | {asked.operation: asked.action for asked in changes}
