"""CompleteMultipartUpload: the requested parts become the object, in one write of the index; no data moves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from fuin.gate import lists
from fuin.numbers import whole_number
from fuin.s3.objects import index
from fuin.s3.payload import checksums, documents
from fuin.s3.payload.checksums import ALGORITHMS, COMPOSITE, FULL_OBJECT, Checksum
from fuin.s3.request import conditions, hosts, locks, rights, version, xml
from fuin.s3.request.call import document
from fuin.s3.request.faults import S3Fault
from fuin.s3.sealing import schemes
from fuin.settings import MIB
from fuin.store.s3 import buckets
from fuin.store.s3 import uploads as rows
from fuin.store.s3.object_name import UNVERSIONED
from fuin.store.s3.objects import Object

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.http import Answer
    from fuin.s3.request.call import S3Call
    from fuin.s3.request.conditions import WriteCondition
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.parts import Part
    from fuin.store.s3.uploads import Completion, Upload

PART_AT_LEAST = 5 * MIB  # but for the last


@dataclass(frozen=True, slots=True)
class RequestedPart:
    """A part in the request: its number, its ETag and the checksums that the client expects."""

    number: int
    etag: str
    values: dict[str, str]


async def complete_multipart_upload(call: S3Call) -> Answer:
    """Make the requested parts the object; a retry after a success gets the same answer."""
    bucket = await call.consult(rights.authorize_object)
    condition = conditions.parse_write(call.header)
    upload = await call.services.store.read(rows.find_upload, call.query["uploadId"], call.object_name)
    if upload is None:
        return await _answer_retry(call, bucket)
    call.facts["uploadId"] = upload.upload_id
    # Beside the event loop: there may be 10,000 parts.
    requested = await lists.run_beside(call, _parse_parts, await documents.read(call, of_object=True))
    encryption = schemes.parse_stored(upload.encryption)
    await schemes.check_repeated(call, bucket, encryption)
    if encryption.scheme.checksum_needs_key and (
        _sent_algorithm(call) is not None or any(part.values for part in requested)
    ):
        await encryption.scheme.open_data_key(call, bucket, encryption, call.key, for_upload=True)
    stored_parts = await lists.page(call, rows.list_parts, upload.upload_id)
    obj = await lists.run_beside(call, _completed_object, call, bucket, upload, requested, stored_parts)
    await call.name("blobs", [part.blob for part in obj.parts])
    await call.announce("change")
    done = await call.write(_complete, bucket, upload.upload_id, obj, condition)
    call.replaced += done.blobs
    index.record_version(call, done.object.name.version)
    call.facts.update(index.object_facts(done.object), encryption=encryption.scheme.name)
    if encryption.key:
        call.facts["keyArn"] = encryption.key
    return _answer(call, done.object)


def _complete(conn: Connection, bucket: Bucket, upload_id: str, obj: Object, condition: WriteCondition) -> Completion:
    versioning = buckets.read_versioning(conn, bucket)
    return rows.complete_upload(
        conn, upload_id, obj, versioning, if_none_match=condition.if_none_match, if_match=condition.if_match
    )


def _completed_object(
    call: S3Call, bucket: Bucket, upload: Upload, requested: list[RequestedPart], stored_parts: list[Part]
) -> Object:
    """Return the object of the requested parts; raises what its helpers do, and InvalidRequest."""
    selection = _select_parts(upload, requested, stored_parts)
    size = sum(part.size for part in selection)
    _check_size(call, size)
    checksum = _object_checksum(call, upload, selection)
    return Object(
        name=call.object_name,
        etag=multipart_etag(selection),
        size=size,
        modified=call.now,
        labels=upload.labels._replace(object_lock=locks.with_default(bucket, upload.labels.object_lock, call.now)),
        encryption=upload.encryption,
        checksum=index.checksum_column(checksum),
        upload_id=upload.upload_id,
        part_count=len(selection),
        parts=selection,
    )


async def _answer_retry(call: S3Call, bucket: Bucket) -> Answer:
    """Answer a retry whose first attempt has succeeded; raises NoSuchUpload for an unknown upload."""
    upload_id = call.query["uploadId"]
    done = await call.services.store.read(rows.find_completed, upload_id, call.object_name)
    if done is None:
        raise S3Fault("NoSuchUpload", UploadId=upload_id[:200])
    await schemes.check_repeated(call, bucket, schemes.parse_stored(done.encryption))
    call.facts.update(uploadId=upload_id, repeated=True)
    return _answer(call, done)


def _answer(call: S3Call, obj: Object) -> Answer:
    host = call.header(b"host") or ""
    path = (
        call.key
        if hosts.bucket_in_host(host, call.services.settings.s3_domains) is not None
        else f"{call.bucket}/{call.key}"
    )
    location = f"{'https' if call.request.secure else 'http'}://{host}/{quote(path)}"
    content = [
        xml.text("Location", location), xml.text("Bucket", call.bucket), xml.text("Key", call.key),
        f"<ETag>&quot;{obj.etag}&quot;</ETag>",
    ]  # fmt: skip
    checksum = index.parse_checksum(obj.checksum)
    if checksum is not None:
        content.append(xml.text(ALGORITHMS[checksum.algorithm].element, checksum.value))
        content.append(xml.text("ChecksumType", checksum.kind))
    encryption = schemes.parse_stored(obj.encryption)
    headers = version.written_headers(obj.name.version or UNVERSIONED)
    headers += encryption.scheme.answer_headers(call, encryption)
    return document("CompleteMultipartUploadResult", *content, headers=headers)


def _parse_parts(body: bytes) -> list[RequestedPart]:
    """Return the parts of the request, in ascending order; raises MalformedXML, InvalidPartOrder."""
    root = xml.parse(body, "CompleteMultipartUpload")
    requested: list[RequestedPart] = []
    for node in root.find_children("Part"):
        number, etag = whole_number((node.get("PartNumber") or "").strip(), 0, 99_999), node.get("ETag")
        if number is None or etag is None:
            raise S3Fault("MalformedXML")
        values = {
            algorithm.name: value
            for algorithm in ALGORITHMS.values()
            if (value := node.get(algorithm.element)) is not None
        }
        if requested and number <= requested[-1].number:
            raise S3Fault("InvalidPartOrder", PartNumber=str(number))
        requested.append(RequestedPart(number, etag.strip().strip('"'), values))
    if not 1 <= len(requested) <= rows.PARTS_AT_MOST:
        raise S3Fault("MalformedXML")
    return requested


def _select_parts(upload: Upload, requested: list[RequestedPart], stored_parts: list[Part]) -> tuple[Part, ...]:
    """Return the stored parts that the request names; raises InvalidPart, EntityTooSmall, InvalidRequest."""
    by_number = {part.number: part for part in stored_parts}
    selection: list[Part] = []
    for want in requested:
        part = by_number.get(want.number)
        if part is None or part.etag != want.etag or not _has_same_checksums(want, part):
            raise S3Fault("InvalidPart", UploadId=upload.upload_id, PartNumber=str(want.number), ETag=want.etag)
        if upload.checksum_type == COMPOSITE and upload.checksum_algorithm not in want.values:
            text = f"The upload was created using a {(upload.checksum_algorithm or '').lower()} checksum. The complete "
            text += f"request must include the checksum for each part. It was missing for part {want.number} in the "
            raise S3Fault("InvalidRequest", f"{text}request.")
        selection.append(part)
    for part in selection[:-1]:
        if part.size < PART_AT_LEAST:
            raise S3Fault(
                "EntityTooSmall", ProposedSize=str(part.size), MinSizeAllowed=str(PART_AT_LEAST),
                PartNumber=str(part.number), ETag=part.etag,
            )  # fmt: skip
    return tuple(selection)


def _has_same_checksums(want: RequestedPart, part: Part) -> bool:
    values = index.parse_values(part)
    return all(values.get(name) == value for name, value in want.values.items())


def _check_size(call: S3Call, size: int) -> None:
    told = call.header(b"x-amz-mp-object-size")
    if told is not None and told != str(size):
        text = f"The provided 'x-amz-mp-object-size' header value {told} does not match what was computed: {size}"
        raise S3Fault("InvalidRequest", text)


def _sent_algorithm(call: S3Call) -> checksums.Algorithm | None:
    found = checksums.algorithms_of_headers(call.request.headers)
    return found[0] if found else None


def _object_checksum(call: S3Call, upload: Upload, parts: tuple[Part, ...]) -> Checksum:
    """Return the object's checksum, made from the parts'; raises BadDigest if the request has another."""
    algorithm = ALGORITHMS[upload.checksum_algorithm or checksums.DEFAULT]
    kind = upload.checksum_type or FULL_OBJECT
    asked = call.header(b"x-amz-checksum-type")
    if asked is not None and asked != kind:
        raise S3Fault("InvalidRequest", f"The upload was created using the {kind} checksum mode.")
    value = combined_value(algorithm, kind, parts)
    if _sent_algorithm(call) is algorithm and call.header(algorithm.header) not in (value, value.partition("-")[0]):
        raise S3Fault("BadDigest", f"The {algorithm.name} you specified did not match the calculated checksum.")
    return Checksum(algorithm.name, value, kind)


def combined_value(algorithm: checksums.Algorithm, kind: str, parts: tuple[Part, ...]) -> str:
    """Return the checksum of an object, made from those of its parts; raises KeyError if one has none."""
    values = [index.parse_values(part)[algorithm.name] for part in parts]
    if kind == COMPOSITE:
        return checksums.composite_value(algorithm, values)
    return checksums.combine(algorithm, [(value, part.size) for value, part in zip(values, parts, strict=True)])


def multipart_etag(parts: tuple[Part, ...]) -> str:
    """Return the ETag of an object, made from those of its parts, as S3 does."""
    digest = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False)
    return f"{digest.hexdigest()}-{len(parts)}"
