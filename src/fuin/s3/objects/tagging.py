"""The tags of an object: GetObjectTagging, PutObjectTagging, DeleteObjectTagging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.errors import FuinError
from fuin.s3.objects import get, index
from fuin.s3.payload import documents
from fuin.s3.request import existing_tags, rights, tags, version, xml
from fuin.s3.request.call import document, empty
from fuin.store.errors import NotFound
from fuin.store.s3 import buckets
from fuin.store.s3 import objects as rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.http import Answer
    from fuin.s3.request.call import Headers, S3Call
    from fuin.s3.request.existing_tags import SeenTags
    from fuin.s3.request.tags import Tags
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.object_name import ObjectName


async def get_object_tagging(call: S3Call) -> Answer:
    """Return the object's tags."""
    bucket = await call.consult(_authorize)
    found = await call.consult(get.find_unless_marker, bucket)
    headers = version.answer_headers(bucket, found.name.version)
    return document("Tagging", tags.tag_set(found.labels.tags), headers=headers)


async def put_object_tagging(call: S3Call) -> Answer:
    """Give an object the tags of the document, in place of those that it has."""
    if call.caller is None:  # before anybody's body is read
        await call.consult(_authorize)
    fault = await _read_tags(call)  # before the decision, since a condition may ask for them
    bucket = await call.consult(_authorize)
    if fault is not None:
        raise fault
    return empty(200, await _set(call, bucket, call.tags or {}))


async def delete_object_tagging(call: S3Call) -> Answer:
    """Take all tags off an object."""
    bucket = await call.consult(_authorize)
    return empty(204, await _set(call, bucket, {}))


def _authorize(call: S3Call) -> Bucket:
    bucket = rights.authorize_object(call)
    version.check_request(call)
    return bucket


async def _read_tags(call: S3Call) -> Exception | None:
    """Read the tags of the request's document; return its fault, if it has one, which only an allowed caller hears."""
    try:
        call.tags = tags.parse_document(xml.parse(await documents.read(call), "Tagging"), tags.OF_OBJECTS)
    except (FuinError, xml.MalformedDocument) as fault:
        return fault
    return None


async def _set(call: S3Call, bucket: Bucket, given: Tags) -> Headers:
    """Give the object these tags, and return the header with its version."""
    await call.consult(get.find_unless_marker, bucket)
    call.facts["tags"] = len(given)
    await call.announce("change")
    try:
        written = await call.write(_write, bucket, call.object_name, tags.column(given), call.seen_tags)
    except NotFound:  # it was removed meanwhile
        raise await call.consult(get.missing_fault, bucket, call.object_name) from None
    index.record_version(call, written)
    return version.answer_headers(bucket, written)


def _write(conn: Connection, bucket: Bucket, name: ObjectName, kept: str | None, seen: SeenTags) -> str:
    buckets.check_same(conn, bucket)
    existing_tags.check_same(conn, seen)
    return rows.set_tags(conn, name, kept)
