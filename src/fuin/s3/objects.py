"""Writing and deleting objects: PutObject, DeleteObject, DeleteObjects."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from fuin import crash, ids, lists
from fuin.envelope.stream import Sealer
from fuin.errors import AccessDenied
from fuin.gate import permit_identity
from fuin.s3 import (
    body,
    checksums,
    conditions,
    documents,
    encryption,
    index,
    metadata,
    owner_acls,
    payload,
    rights,
    storage_classes,
    xml,
)
from fuin.s3.addressing import check_key
from fuin.s3.checksums import ALGORITHMS, Checksum
from fuin.s3.digests import Digests
from fuin.s3.exchange import document, empty
from fuin.s3.faults import S3Fault, not_implemented
from fuin.store import buckets
from fuin.store import objects as rows
from fuin.store.objects import Object

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.request import Answer
    from fuin.s3.body import Stored
    from fuin.s3.encryption import Encryption, FreshKey
    from fuin.s3.exchange import Exchange, Headers
    from fuin.store.buckets import Bucket

DELETES_AT_MOST = 1000
_AT_ONCE = 64  # keys whose rights are asked for in one turn of the event loop


def new_sealer(x: Exchange, fresh: FreshKey, key: str) -> Sealer:
    """Return what encrypts the object `key` of the request's bucket; after this nobody needs the data key itself."""
    frame_length = x.services.settings.frame_length
    x.call.facts["frameLength"] = frame_length
    kept = fresh.encryption
    return Sealer(fresh.plaintext, kept.data_keys(), kept.full_context(x.bucket, key), frame_length)


def etag_of(kept: Encryption, md5: str | None) -> str:
    """Return the ETag: the MD5 under SSE-S3, else 32 random digits, since the MD5 would tell about the plaintext."""
    return md5 if md5 is not None and kept.algorithm == encryption.AES256 else os.urandom(16).hex()


async def put_object(x: Exchange) -> Answer:
    """Store a body of up to 5 GiB, encrypted under a data key of its own; it appears whole or not at all."""
    bucket = rights.bucket_of_object(x, "s3:PutObject")
    metadata.check_supported(x.request.headers)
    owner_acls.check_headers(x.request.headers, bucket.account)
    storage_class = storage_classes.of_request(x.request.headers)
    choice = encryption.wanted(x, bucket)
    promise = payload.of_request(x, x.services.settings.object_limit)
    columns = metadata.of_request(x.request.headers).columns()
    condition = conditions.of_write(x.header)
    index.check_condition(x, condition)

    fresh = await encryption.new_data_key(x, bucket, choice)
    kept, sealer = fresh.encryption, new_sealer(x, fresh, x.key)
    del fresh  # the data key in the clear
    crash.point("put_object.after_data_key")

    is_md5 = kept.algorithm == encryption.AES256
    algorithm = promise.checksum or ALGORITHMS[checksums.DEFAULT]
    digests = Digests(promise, [algorithm], etag=is_md5)
    stored = await body.receive(x, promise, sealer, digests, etag=is_md5)
    crash.point("put_object.after_blob")

    checksum = Checksum(algorithm.name, stored.checksums[algorithm.name])
    obj = stored_whole(x, kept, stored, checksum, columns, storage_class)
    await index.put(x, bucket, obj, condition)
    crash.point("put_object.after_index")
    x.call.facts.update(index.written_facts(obj))
    return empty(
        200, [*_written(obj.etag), *checksum_headers(checksum), *encryption.answer_headers(kept, context=True)]
    )


def stored_whole(
    x: Exchange,
    kept: Encryption,
    stored: Stored,
    checksum: Checksum,
    columns: tuple[str, str],
    storage_class: str | None,
) -> Object:
    """Return the row of the request's object, which is one message; `columns` are its headers and metadata."""
    etag = etag_of(kept, stored.md5)
    return Object(
        x.bucket, x.key, etag, stored.size, x.call.now, *columns, kept.column(), index.checksum_column(checksum),
        parts=(index.part_of(stored, 1, etag, x.call.now),), storage_class=storage_class,
    )  # fmt: skip


def _written(etag: str) -> Headers:
    return [(b"ETag", f'"{etag}"'.encode())]


def checksum_headers(checksum: Checksum | None) -> Headers:
    """Return the headers that give a checksum."""
    if checksum is None:
        return []
    return [
        (ALGORITHMS[checksum.algorithm].header, checksum.value.encode()),
        (b"x-amz-checksum-type", checksum.kind.encode()),
    ]


def check_version(version: str | None) -> None:
    """Take no version but `null`: buckets have no versions here."""
    if version not in (None, "", "null"):
        raise S3Fault(
            "InvalidArgument", "Invalid version id specified", ArgumentName="versionId", ArgumentValue=version
        )


async def delete_object(x: Exchange) -> Answer:
    """Remove an object; one that does not exist is removed as well, as S3 has it."""
    bucket = rights.bucket_of_object(x, "s3:DeleteObject")
    check_version(x.query.get("versionId"))
    for name in (b"x-amz-if-match-size", b"x-amz-if-match-last-modified-time"):  # AWS: directory buckets only
        if x.header(name) is not None:
            raise not_implemented(name.decode(), "Deleting by size or time")
    condition = conditions.of_write(x.header)
    await x.call.announce("delete")
    replaced = await x.call.write(_delete, bucket, x.key, condition.if_match)
    x.replaced += replaced
    x.call.facts["deleted"] = bool(replaced)
    return empty(204)


def _delete(conn: Connection, bucket: Bucket, key: str, if_match: str | None) -> list[str]:
    buckets.check_same(conn, bucket)
    return rows.delete_object(conn, bucket.name, key, if_match=if_match)


async def delete_objects(x: Exchange) -> Answer:
    """Remove up to 1,000 objects, each with the caller's right to that one; the answer tells of each.

    The record names them all, by the decision about each, before any is removed.
    """
    bucket = _existing(x)
    wanted, quiet = await lists.beside(x.call, _wanted, await documents.read(x, checked=True))
    allowed: list[str] = []
    results: dict[str, str] = {}
    for number, key in enumerate(wanted, 1):
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)  # let others have their turn
        refusal = _refusal(x, bucket, key)
        if refusal is None:
            allowed.append(key)
        else:
            results[key] = refusal
    x.call.facts.update(objects=len(wanted), refused=len(results))
    if allowed:
        await x.call.announce("delete")
        x.replaced += await x.call.write(_delete_all, bucket, allowed)
    if not quiet:
        results |= {key: xml.tag("Deleted", xml.text("Key", key)) for key in allowed}
    return document("DeleteResult", *(results[key] for key in wanted if key in results))


def _existing(x: Exchange) -> Bucket:
    bucket = x.services.store.catalog().bucket(x.bucket)
    if bucket is None:
        facts = rights.conditions(x, "s3:DeleteObject")
        permit_identity(x.call, "s3:DeleteObject", ids.object_arn(x.bucket, "*"), x.call.account, facts)
        raise S3Fault("NoSuchBucket", BucketName=x.bucket)
    if x.caller is None and bucket.policy is None:
        raise S3Fault("AccessDenied")  # before the body is read; no policy could allow any of it
    rights.check_owner(x, bucket)
    return bucket


def _wanted(body: bytes) -> tuple[list[str], bool]:
    """Return the keys, each once, and whether only errors are to be told."""
    root = xml.parse(body, "Delete")
    root.only("Object", "Quiet")
    keys: list[str] = []
    for node in root.all("Object"):
        node.only("Key", "VersionId", "ETag", "LastModifiedTime", "Size")
        key = node.get("Key")
        if not key:
            raise S3Fault("MalformedXML")
        if node.get("ETag") or node.get("LastModifiedTime") or node.get("Size"):
            raise S3Fault("NotImplemented", "Conditional deletes of many objects are not implemented by this server.")
        check_version(node.get("VersionId"))
        check_key(key)
        keys.append(key)
    if not 1 <= len(keys) <= DELETES_AT_MOST:
        raise S3Fault("MalformedXML")
    return list(dict.fromkeys(keys)), (root.get("Quiet") or "").strip().lower() == "true"


def _refusal(x: Exchange, bucket: Bucket, key: str) -> str | None:
    try:
        rights.bucket_of_other(x, "s3:DeleteObject", bucket.name, key)
    except AccessDenied as error:
        return xml.tag(
            "Error", xml.text("Key", key), xml.text("Code", "AccessDenied"), xml.text("Message", error.sentence)
        )
    return None


def _delete_all(conn: Connection, bucket: Bucket, keys: list[str]) -> list[str]:
    buckets.check_same(conn, bucket)
    return [blob for key in keys for blob in rows.delete_object(conn, bucket.name, key)]
