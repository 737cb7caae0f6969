"""UploadPart and UploadPartCopy: each part is one blob, under the upload's data key."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fuin.envelope import layers
from fuin.s3.multipart import uploads
from fuin.s3.objects import copying, get, index
from fuin.s3.payload import checksums, intake
from fuin.s3.payload.checksums import ALGORITHMS, Checksum
from fuin.s3.payload.declaration import parse_declaration
from fuin.s3.payload.digests import Digests
from fuin.s3.request import ranges, rights, version
from fuin.s3.request.call import empty
from fuin.s3.request.faults import S3Fault
from fuin.s3.request.part_number import part_number
from fuin.s3.sealing import schemes
from fuin.store.s3 import uploads as rows

if TYPE_CHECKING:
    from fuin.envelope.layers import MessageSealer
    from fuin.gate.http import Answer
    from fuin.s3.payload.checksums import Algorithm
    from fuin.s3.payload.intake import WrittenBlob
    from fuin.s3.request.call import S3Call
    from fuin.s3.sealing.scheme import StoredEncryption
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.parts import Part
    from fuin.store.s3.uploads import Upload


async def upload_part(call: S3Call) -> Answer:
    """Store a part; under SSE-KMS the caller needs kms:Decrypt, since the data key is older than the part."""
    bucket = await call.consult(rights.authorize_object)
    number = part_number(call)
    declaration = parse_declaration(call, call.services.settings.object_limit)
    upload = await call.consult(uploads.find)
    encryption = schemes.parse_stored(upload.encryption)
    await schemes.check_repeated(call, bucket, encryption, needs_key=True)
    algorithms = _algorithms(upload, declaration.checksum)

    sealer = await _sealer(call, bucket, encryption)
    has_md5 = encryption.scheme.has_md5_etag
    digests = Digests(declaration, algorithms, etag=has_md5)
    stored = await intake.receive(call, declaration, sealer, digests, etag=has_md5)
    part = await _put(call, upload, encryption, number, stored)

    headers = [(b"ETag", f'"{part.etag}"'.encode()), *encryption.scheme.answer_headers(call, encryption)]
    told = declaration.checksum.name if declaration.checksum is not None else upload.checksum_algorithm
    if told is not None:
        headers.append((ALGORITHMS[told].header, stored.checksums[told].encode()))
    return empty(200, headers)


def _algorithms(upload: Upload, sent: Algorithm | None) -> list[Algorithm]:
    """Return the algorithms to compute: the upload's own, and the one of the client's checksum."""
    declared = ALGORITHMS[upload.checksum_algorithm or checksums.DEFAULT]
    if sent is None:
        return [declared]
    if upload.checksum_algorithm is not None and sent is not declared:
        text = f"Checksum Type mismatch occurred, expected checksum Type: {declared.name.lower()}, "
        raise S3Fault("InvalidRequest", f"{text}actual checksum Type: {sent.name.lower()}")
    return [declared, sent]


async def _sealer(call: S3Call, bucket: Bucket, encryption: StoredEncryption) -> MessageSealer:
    """Return the sealer of the part, bound to the object's name; the data key is dropped on return."""
    frame_length = call.services.settings.frame_length
    call.facts.update(part=part_number(call), frameLength=frame_length)
    data_key = await encryption.scheme.open_data_key(call, bucket, encryption, call.key, for_upload=True)
    if call.record.is_open:  # no use of a KMS key has put the part on the record
        await call.announce("change")
    context = encryption.full_context(call.bucket, call.key)
    return layers.new_sealer(data_key, encryption.data_keys(), context, frame_length)


async def _put(call: S3Call, upload: Upload, encryption: StoredEncryption, number: int, stored: WrittenBlob) -> Part:
    """Put the part into the index, in place of an earlier one with its number."""
    part = index.new_part(stored, number, encryption.scheme.etag(stored.md5), call.now)
    replaced = await index.commit(call, [part.blob], rows.put_part, upload.upload_id, part)
    call.replaced += replaced
    call.facts.update(
        plaintextBytes=part.size, storedBytes=part.stored_size, blob=part.blob, etag=part.etag, part=number
    )
    return part


async def upload_part_copy(call: S3Call) -> Answer:
    """Store a part that is copied from an object, or a range of one; the caller needs the right to both keys."""
    bucket = await call.consult(rights.authorize_object)
    number = part_number(call)
    upload = await call.consult(uploads.find)
    encryption = schemes.parse_stored(upload.encryption)
    await schemes.check_repeated(call, bucket, encryption, needs_key=True)
    from_bucket, name = await call.consult(copying.authorize_source)
    asked = partial(ranges.parse_copy_range, call.header(b"x-amz-copy-source-range"))
    look = partial(copying.find_source, call, from_bucket, name, asked)
    source, batches = await get.open_current(call, from_bucket, await look(), look)
    try:
        sealer = await _sealer(call, bucket, encryption)
        has_md5 = encryption.scheme.has_md5_etag
        digests = Digests(None, _algorithms(upload, None), etag=has_md5)
        stored = await copying.reseal(call, source, batches, sealer, digests, has_md5)
    finally:
        await batches.close()
    part = await _put(call, upload, encryption, number, stored)
    told = upload.checksum_algorithm
    checksum = Checksum(told, stored.checksums[told]) if told is not None else None
    headers = version.source_headers(source.obj.name.version) + encryption.scheme.answer_headers(call, encryption)
    return copying.copy_result("CopyPartResult", part, checksum, headers)
