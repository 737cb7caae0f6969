"""UploadPart and UploadPartCopy: one message a part, under the upload's data key."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fuin.envelope.stream import Sealer
from fuin.s3 import body, checksums, copying, encryption, index, payload, ranges, reads, repeats, rights, uploads
from fuin.s3.checksums import ALGORITHMS, Checksum
from fuin.s3.digests import Digests
from fuin.s3.encryption import Encryption
from fuin.s3.exchange import empty
from fuin.s3.faults import S3Fault
from fuin.s3.objects import etag_of
from fuin.store import uploads as rows
from fuin.store.objects import Object

if TYPE_CHECKING:
    from fuin.request import Answer
    from fuin.s3.body import Stored
    from fuin.s3.checksums import Algorithm
    from fuin.s3.exchange import Exchange
    from fuin.store.buckets import Bucket
    from fuin.store.parts import Part
    from fuin.store.uploads import Upload


async def upload_part(x: Exchange) -> Answer:
    """Store a part; under SSE-KMS the caller needs kms:Decrypt, since the data key is older than the part."""
    bucket = rights.bucket_of_object(x, "s3:PutObject")
    encryption.refuse_customer_keys(x.request.headers)
    number = uploads.number_of(x)
    promise = payload.of_request(x, x.services.settings.object_limit)
    upload = uploads.find(x)
    kept = Encryption.from_column(upload.encryption)
    await repeats.check(x, bucket, kept)
    algorithms = _algorithms(upload, promise.checksum)

    sealer = await _sealer(x, bucket, kept)
    is_md5 = kept.algorithm == encryption.AES256
    digests = Digests(promise, algorithms, etag=is_md5)
    stored = await body.receive(x, promise, sealer, digests, etag=is_md5)
    part = await _put(x, upload, kept, number, stored)

    headers = [(b"ETag", f'"{part.etag}"'.encode()), *encryption.answer_headers(kept)]
    told = promise.checksum.name if promise.checksum is not None else upload.checksum_algorithm
    if told is not None:
        headers.append((ALGORITHMS[told].header, stored.checksums[told].encode()))
    return empty(200, headers)


def _algorithms(upload: Upload, sent: Algorithm | None) -> list[Algorithm]:
    """Return what is to be computed: the upload's own algorithm, and the one that the request brings a value of."""
    declared = ALGORITHMS[upload.checksum_algorithm or checksums.DEFAULT]
    if sent is None:
        return [declared]
    if upload.checksum_algorithm is not None and sent is not declared:
        text = f"Checksum Type mismatch occurred, expected checksum Type: {declared.name.lower()}, "
        raise S3Fault("InvalidRequest", f"{text}actual checksum Type: {sent.name.lower()}")
    return [declared, sent]


async def _sealer(x: Exchange, bucket: Bucket, kept: Encryption) -> Sealer:
    """Return what encrypts the part, bound to the object's name; the data key is dropped when it returns."""
    frame_length = x.services.settings.frame_length
    x.call.facts.update(part=uploads.number_of(x), frameLength=frame_length)
    data_key = await uploads.open_data_key(x, bucket, kept)
    return Sealer(data_key, kept.data_keys(), kept.full_context(x.bucket, x.key), frame_length)


async def _put(x: Exchange, upload: Upload, kept: Encryption, number: int, stored: Stored) -> Part:
    """Make the part known to the index, in place of an earlier one of its number."""
    part = index.part_of(stored, number, etag_of(kept, stored.md5), x.call.now)
    replaced = await index.commit(x, [part.blob], rows.put_part, upload.upload_id, part)
    x.replaced += replaced
    x.call.facts.update(
        plaintextBytes=part.size, storedBytes=part.stored_size, blob=part.blob, etag=part.etag, part=number
    )
    return part


async def upload_part_copy(x: Exchange) -> Answer:
    """Store a part that is copied from an object, or a range of one; both keys are asked for as the caller."""
    bucket = rights.bucket_of_object(x, "s3:PutObject")
    number = uploads.number_of(x)
    upload = uploads.find(x)
    kept = Encryption.from_column(upload.encryption)
    await repeats.check(x, bucket, kept)
    from_bucket, from_key = copying.find_bucket(x)
    asked = partial(ranges.of_copy, x.header(b"x-amz-copy-source-range"))
    look = partial(copying.find_source, x, from_bucket, from_key, asked)
    source, batches = await reads.open_current(x, from_bucket, look)
    try:
        sealer = await _sealer(x, bucket, kept)
        is_md5 = kept.algorithm == encryption.AES256
        digests = Digests(None, _algorithms(upload, None), etag=is_md5)
        stored = await copying.reseal(x, source, batches, sealer, digests, is_md5)
    finally:
        await batches.close()
    part = await _put(x, upload, kept, number, stored)
    told = upload.checksum_algorithm
    checksum = Checksum(told, stored.checksums[told]) if told is not None else None
    shown = Object(x.bucket, x.key, part.etag, part.size, part.modified, "", "", "")
    return copying.result("CopyPartResult", shown, checksum, encryption.answer_headers(kept))
