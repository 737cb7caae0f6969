"""Writing and deleting objects: PutObject, DeleteObject, DeleteObjects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fuin import crash, ids
from fuin.access.resources.own import OwnResource
from fuin.access.vocabulary.missing_capabilities import DELETE_BY_SIZE_OR_TIME
from fuin.clock import CLOCK
from fuin.envelope import layers
from fuin.errors import AccessDenied
from fuin.gate import lists
from fuin.s3.lifecycle import headers as lifecycle
from fuin.s3.objects import index
from fuin.s3.payload import checksums, documents, intake
from fuin.s3.payload.checksums import ALGORITHMS, Checksum
from fuin.s3.payload.declaration import parse_declaration
from fuin.s3.payload.digests import Digests
from fuin.s3.request import conditions, locks, metadata, object_labels, owner_acls, rights, version, xml
from fuin.s3.request.addressing import check_key
from fuin.s3.request.call import document, empty
from fuin.s3.request.faults import LOCKED, S3Fault, not_implemented
from fuin.s3.sealing import schemes
from fuin.store.s3 import buckets, deletions
from fuin.store.s3.deletions import Locks, Wanted
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
    from fuin.store.s3.deletions import Deletion
    from fuin.store.s3.labels import Labels

DELETES_AT_MOST = 1000
_ERROR = "<Error>"
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
    await call.consult(rights.authorize_lock)
    locks.check_digest(call)
    choice = schemes.choose(call, bucket)
    declaration = parse_declaration(call, call.services.settings.object_limit)
    lock = locks.with_default(bucket, locks.parse_request(call, bucket), call.now)
    labels = object_labels.parse_request(call.request.headers, lock)
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
    written = await index.publish(call, bucket, obj, condition)
    crash.point("put_object.after_index")
    call.facts.update(index.written_facts(obj))
    headers = [(b"ETag", f'"{obj.etag}"'.encode()), *checksum_headers(checksum), *version.written_headers(written)]
    headers += lifecycle.object_headers(bucket, obj)
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


async def delete_object(call: S3Call) -> Answer:
    """Delete an object or a version; without such an object the answer is the same, as in S3."""
    bucket = await call.consult(rights.authorize_object)
    version.check_request(call)
    for name in (b"x-amz-if-match-size", b"x-amz-if-match-last-modified-time"):  # AWS: directory buckets only
        if call.header(name) is not None:
            raise not_implemented(DELETE_BY_SIZE_OR_TIME, name.decode())
    condition = conditions.parse_write(call.header)
    limits = Locks(CLOCK.certain_time(), await call.consult(rights.authorize_bypass, bucket))
    await call.announce("delete")
    done = await call.write(_delete, bucket, call.object_name, call.now, limits, condition.if_match)
    call.replaced += done.blobs
    ((wanted, deletion),) = done.deletions.items()
    call.facts["deleted"] = deletion.removed
    index.record_version(call, wanted.version or deletion.marker)
    if deletion.marker is not None:
        call.facts["deleteMarker"] = True
    return empty(204, version.deleted_headers(wanted.version or deletion.marker, is_marker=deletion.marker is not None))


def _delete(
    conn: Connection, bucket: Bucket, name: ObjectName, now: float, limits: Locks, if_match: str | None
) -> deletions.Removal:
    versioning = buckets.read_versioning(conn, bucket)
    return deletions.delete_object(conn, name, versioning, now, limits, if_match=if_match)


async def delete_objects(call: S3Call) -> Answer:
    """Delete up to 1,000 objects and versions, each by the caller's right to it; the answer lists each one.

    Before any is removed, the record has the decision about each, and so names them all.
    """
    bucket = await call.consult(_existing_bucket)
    limits = Locks(CLOCK.certain_time(), locks.asks_bypass(call, bucket))
    wanted, quiet = await lists.run_beside(call, _parse_keys, await documents.read(call))
    allowed: list[Wanted] = []
    results: dict[Wanted, str] = {}
    for number, one in enumerate(wanted, 1):
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)  # let others have their turn
        refusal = await call.consult(_refusal, bucket, one, limits)
        if refusal is None:
            allowed.append(one)
        else:
            results[one] = refusal
    call.facts.update(objects=len(wanted), refused=len(results))
    if allowed:
        if named := [one for one in allowed if one.version is not None]:
            await call.name("versions", [{"key": one.key, "versionId": one.version} for one in named])
        await call.announce("delete")
        done = await call.write(_delete_all, bucket, call.now, allowed, limits)
        call.replaced += done.blobs
        results |= {one: _result(one, deletion) for one, deletion in done.deletions.items()}
        call.facts["deleteMarkers"] = sum(
            one.version is None and deletion.marker is not None for one, deletion in done.deletions.items()
        )
    shown = [results[one] for one in wanted]
    return document("DeleteResult", *(text for text in shown if not quiet or text.startswith(_ERROR)))


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


def _parse_keys(body: bytes) -> tuple[list[Wanted], bool]:
    """Return each object or version once, with the ETags that it must have, and whether the answer has errors only."""
    root = xml.parse(body, "Delete")
    root.refuse_others("Object", "Quiet")
    wanted: dict[tuple[str, str | None], set[str]] = {}
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
        check_key(key)
        etags = wanted.setdefault((key, node.get("VersionId") or None), set())
        if etag := node.get("ETag"):
            etags.add(conditions.strip_quotes(etag))
    each = [Wanted(key, version_id, frozenset(etags)) for (key, version_id), etags in wanted.items()]
    return each, (root.get("Quiet") or "").strip().lower() == "true"


def _refusal(call: S3Call, bucket: Bucket, one: Wanted, limits: Locks) -> str | None:
    name = ObjectName(bucket.name, one.key, one.version)
    try:
        rights.authorize_other_object(call, call.row.action, name)
        if limits.bypass:
            rights.authorize_other_object(call, rights.BYPASS, name)
    except AccessDenied as error:
        return _error(one, "AccessDenied", error.sentence)
    if one.version is not None and not version.is_well_formed(one.version):
        return _error(one, "NoSuchVersion")
    return None


def _error(one: Wanted, code: str, message: str = "") -> str:
    """Return the element of an object that was not deleted; without a `message` it has the code's own."""
    shown = message or S3Fault(code).message
    return xml.tag(
        "Error", xml.text("Key", one.key), *_version_element(one), xml.text("Code", code), xml.text("Message", shown)
    )


def _version_element(one: Wanted) -> list[str]:
    return [] if one.version is None else [xml.text("VersionId", one.version)]


def _result(one: Wanted, deletion: Deletion) -> str:
    """Return the element of an object or version: deleted or not."""
    if deletion.locked:
        return _error(one, "AccessDenied", LOCKED)
    if deletion.missing or deletion.changed:
        return _error(one, "NoSuchKey" if deletion.missing else "PreconditionFailed")
    marker: list[str] = []
    if deletion.marker is not None:
        marker = [xml.text("DeleteMarker", True), xml.text("DeleteMarkerVersionId", deletion.marker)]
    return xml.tag("Deleted", xml.text("Key", one.key), *_version_element(one), *marker)


def _delete_all(conn: Connection, bucket: Bucket, now: float, wanted: list[Wanted], limits: Locks) -> deletions.Removal:
    versioning = buckets.read_versioning(conn, bucket)
    return deletions.delete_objects(conn, bucket.name, versioning, now, wanted, limits)
