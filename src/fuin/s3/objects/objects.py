"""Writing and deleting objects: PutObject, DeleteObject, DeleteObjects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fuin import crash, ids
from fuin.access.resources.own import OwnResource
from fuin.access.vocabulary.missing_capabilities import DELETE_BY_SIZE_OR_TIME
from fuin.envelope import layers
from fuin.errors import AccessDenied
from fuin.gate import lists
from fuin.s3.objects import index
from fuin.s3.payload import checksums, documents, intake
from fuin.s3.payload.checksums import ALGORITHMS, Checksum
from fuin.s3.payload.declaration import parse_declaration
from fuin.s3.payload.digests import Digests
from fuin.s3.request import conditions, metadata, object_labels, owner_acls, rights, xml
from fuin.s3.request.addressing import check_key
from fuin.s3.request.call import document, empty
from fuin.s3.request.faults import S3Fault, not_implemented
from fuin.s3.sealing import schemes
from fuin.store.s3 import buckets
from fuin.store.s3 import objects as rows
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.objects import Object

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.envelope.layers import MessageSealer
    from fuin.gate.http import Answer
    from fuin.s3.payload.intake import WrittenBlob
    from fuin.s3.request.call import Headers, S3Call
    from fuin.s3.sealing.scheme import NewDataKey, StoredEncryption
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.labels import Labels

DELETES_AT_MOST = 1000
_AT_ONCE = 32  # keys that are authorized in one turn of the event loop


def new_sealer(call: S3Call, new_key: NewDataKey) -> MessageSealer:
    """Return the sealer of the request's object; nobody needs the data key itself any longer."""
    frame_length = call.services.settings.frame_length
    call.facts["frameLength"] = frame_length
    stored = new_key.encryption
    context = stored.full_context(call.bucket, call.key)
    return layers.new_sealer(new_key.plaintext, stored.data_keys(), context, frame_length)


async def put_object(call: S3Call) -> Answer:
    """Store a body of up to 5 GiB, encrypted under a data key of its own; it appears whole or not at all."""
    bucket = await call.consult(rights.authorize_object)
    metadata.check_supported(call.request.headers)
    owner_acls.check_headers(call.request.headers, bucket.account)
    object_labels.check_request(call.request.headers)
    await call.consult(rights.authorize_tags)
    choice = schemes.choose(call, bucket)
    declaration = parse_declaration(call, call.services.settings.object_limit)
    labels = object_labels.parse_request(call.request.headers)
    condition = conditions.parse_write(call.header)
    await call.consult(index.check_condition, condition)

    new_key = await choice.scheme.make_data_key(call, bucket, choice)
    encryption, sealer = new_key.encryption, new_sealer(call, new_key)
    del new_key  # the data key in the clear
    crash.point("put_object.after_data_key")

    algorithm = declaration.checksum or ALGORITHMS[checksums.DEFAULT]
    digests = Digests(declaration, [algorithm], etag=choice.scheme.has_md5_etag)
    stored = await intake.receive(call, declaration, sealer, digests, etag=choice.scheme.has_md5_etag)
    crash.point("put_object.after_blob")

    checksum = Checksum(algorithm.name, stored.checksums[algorithm.name])
    obj = whole_object(call, encryption, stored, checksum, labels)
    await index.publish(call, bucket, obj, condition)
    crash.point("put_object.after_index")
    call.facts.update(index.written_facts(obj))
    headers = [(b"ETag", f'"{obj.etag}"'.encode()), *checksum_headers(checksum)]
    return empty(200, headers + choice.scheme.answer_headers(call, encryption, with_context=True))


def whole_object(
    call: S3Call, encryption: StoredEncryption, stored: WrittenBlob, checksum: Checksum, labels: Labels
) -> Object:
    """Return the row of the request's object, which is one blob."""
    etag = encryption.scheme.etag(stored.md5)
    return Object(
        name=call.object_name,
        etag=etag,
        size=stored.size,
        modified=call.now,
        labels=labels,
        encryption=encryption.column(),
        checksum=index.checksum_column(checksum),
        parts=(index.new_part(stored, 1, etag, call.now),),
    )


def checksum_headers(checksum: Checksum | None) -> Headers:
    """Return the headers that give a checksum."""
    if checksum is None:
        return []
    return [
        (ALGORITHMS[checksum.algorithm].header, checksum.value.encode()),
        (b"x-amz-checksum-type", checksum.kind.encode()),
    ]


def check_version(version: str | None) -> None:
    """Refuse every version but `null`: buckets have no versions here."""
    if version not in (None, "", "null"):
        raise S3Fault(
            "InvalidArgument", "Invalid version id specified", ArgumentName="versionId", ArgumentValue=version
        )


async def delete_object(call: S3Call) -> Answer:
    """Remove an object; without such an object the answer is the same, as in S3."""
    bucket = await call.consult(rights.authorize_object)
    check_version(call.query.get("versionId"))
    for name in (b"x-amz-if-match-size", b"x-amz-if-match-last-modified-time"):  # AWS: directory buckets only
        if call.header(name) is not None:
            raise not_implemented(DELETE_BY_SIZE_OR_TIME, name.decode())
    condition = conditions.parse_write(call.header)
    await call.announce("delete")
    replaced = await call.write(_delete, bucket, call.key, condition.if_match)
    call.replaced += replaced
    call.facts["deleted"] = bool(replaced)
    return empty(204)


def _delete(conn: Connection, bucket: Bucket, key: str, if_match: str | None) -> list[str]:
    buckets.check_same(conn, bucket)
    return rows.unpublish(conn, ObjectName(bucket.name, key), if_match=if_match)


async def delete_objects(call: S3Call) -> Answer:
    """Remove up to 1,000 objects, each by the caller's right to it; the answer lists each one.

    Before any is removed, the record has the decision about each, and so names them all.
    """
    bucket = await call.consult(_existing_bucket)
    wanted, quiet = await lists.run_beside(call, _parse_keys, await documents.read(call))
    allowed: dict[str, set[str]] = {}
    results: dict[str, str] = {}
    for number, (key, etags) in enumerate(wanted.items(), 1):
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)  # let others have their turn
        refusal = await call.consult(_refusal, bucket, key)
        if refusal is None:
            allowed[key] = etags
        else:
            results[key] = refusal
    call.facts.update(objects=len(wanted), refused=len(results))
    if allowed:
        await call.announce("delete")
        done = await call.write(_delete_all, bucket, allowed)
        call.replaced += done.blobs
        results |= {key: _error(key, "NoSuchKey") for key in done.missing}
        results |= {key: _error(key, "PreconditionFailed") for key in done.changed}
    if not quiet:
        results |= {key: xml.tag("Deleted", xml.text("Key", key)) for key in allowed if key not in results}
    return document("DeleteResult", *(results[key] for key in wanted if key in results))


def _existing_bucket(call: S3Call) -> Bucket:
    bucket = call.services.store.catalog().bucket(call.bucket)
    if bucket is None:
        facts = rights.condition_facts(call, call.row.action)
        call.permit(call.row.action, OwnResource(ids.object_arn(call.bucket, "*"), call.account), facts)
        raise S3Fault("NoSuchBucket", BucketName=call.bucket)
    if call.caller is None and bucket.policy is None:
        raise S3Fault("AccessDenied")  # before the body is read; no policy could allow any of it
    rights.check_owner(call, bucket)
    return bucket


def _parse_keys(body: bytes) -> tuple[dict[str, set[str]], bool]:
    """Return the keys, with the ETags that each object must have, and whether the answer has errors only."""
    root = xml.parse(body, "Delete")
    root.refuse_others("Object", "Quiet")
    wanted: dict[str, set[str]] = {}
    nodes = root.find_children("Object")
    if not 1 <= len(nodes) <= DELETES_AT_MOST:
        raise S3Fault("MalformedXML")
    for node in nodes:
        node.refuse_others("Key", "VersionId", "ETag", "LastModifiedTime", "Size")
        key = node.get("Key")
        if not key:
            raise S3Fault("MalformedXML")
        if node.get("LastModifiedTime") or node.get("Size"):  # AWS: directory buckets only
            raise not_implemented(DELETE_BY_SIZE_OR_TIME)
        check_version(node.get("VersionId"))
        check_key(key)
        etags = wanted.setdefault(key, set())
        if etag := node.get("ETag"):
            etags.add(conditions.strip_quotes(etag))
    return wanted, (root.get("Quiet") or "").strip().lower() == "true"


def _refusal(call: S3Call, bucket: Bucket, key: str) -> str | None:
    try:
        rights.authorize_other_object(call, call.row.action, bucket.name, key)
    except AccessDenied as error:
        return _error(key, "AccessDenied", error.sentence)
    return None


def _error(key: str, code: str, message: str = "") -> str:
    """Return the element of an object that was not deleted; without a `message` it has the code's own."""
    shown = message or S3Fault(code).message
    return xml.tag("Error", xml.text("Key", key), xml.text("Code", code), xml.text("Message", shown))


def _delete_all(conn: Connection, bucket: Bucket, wanted: dict[str, set[str]]) -> rows.Removal:
    buckets.check_same(conn, bucket)
    return rows.unpublish_all(conn, bucket.name, wanted)
