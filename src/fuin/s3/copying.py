"""CopyObject: the source is opened as the caller and sealed again under a new data key, bound to the new name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.blobs.interface import BlobMissing
from fuin.errors import TamperedError
from fuin.s3 import (
    addressing,
    body,
    checksums,
    conditions,
    encryption,
    index,
    metadata,
    owner_acls,
    reads,
    rights,
    storage_classes,
    xml,
)
from fuin.s3.call import document
from fuin.s3.checksums import ALGORITHMS, Algorithm, Checksum
from fuin.s3.conditions import iso_date
from fuin.s3.digests import Digests
from fuin.s3.encryption import Default, Encryption
from fuin.s3.faults import S3Fault, invalid_argument, not_implemented
from fuin.s3.objects import check_version, new_sealer, stored_whole
from fuin.s3.ranges import Span
from fuin.store.s3.objects import Object

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.envelope.stream import Sealer
    from fuin.gate.http import Answer
    from fuin.s3.body import Stored
    from fuin.s3.call import Headers, S3Call
    from fuin.s3.conditions import WriteCondition
    from fuin.s3.reading import Reading
    from fuin.store.s3.buckets import Bucket

_HEADER = b"x-amz-copy-source"
_CONDITION_PREFIX = b"x-amz-copy-source-"
_SAME = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)
_TOO_LARGE = "The specified copy source is larger than the maximum allowable size for a copy source: "
_FORM = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"


@dataclass(frozen=True, slots=True)
class Source:
    """What a copy takes: an object as it is now, and which of its bytes."""

    bucket: Bucket
    obj: Object
    span: Span


@dataclass(frozen=True, slots=True)
class Plan(Source):
    """What CopyObject makes of its source: the columns of its metadata, and the checksum to be kept."""

    columns: tuple[str, str]
    algorithm: Algorithm


def find_bucket(call: S3Call) -> tuple[Bucket, str]:
    """Return the bucket and key that x-amz-copy-source names, once the caller may read there (s3:GetObject).

    The right to the object's key is asked for when it is opened.
    """
    encryption.refuse_customer_keys(call.request.headers)
    bucket_name, key = _names(call.request.headers[_HEADER])
    bucket = rights.bucket_of_other(call, "s3:GetObject", bucket_name, key)
    call.facts["copySource"] = f"{bucket_name}/{key}"
    return bucket, key


async def find_source(call: S3Call, bucket: Bucket, key: str, span_of: Callable[[int], Span]) -> Source:
    """Return the source as it is now, once its conditions hold; `span_of` tells the bytes of one of that size."""
    obj = await reads.whole(call, bucket, key)
    conditions.check_copy(conditions.of(call.header, _CONDITION_PREFIX), obj.etag, obj.modified)
    span = span_of(obj.size)
    _check_size(call, span.length)
    return Source(bucket, obj, span)


def _names(raw: bytes) -> tuple[str, str]:
    """Return bucket and key of a copy source, encoded as a form is (a plus is a space), maybe with slash and version.

    So do URLEncoder of Java and urlencode of PHP write it, and so does S3 read it.
    """
    path, _, version = raw.replace(b"+", b" ").partition(b"?versionId=")
    check_version(addressing.decode(version) or None)
    text = addressing.decode(path).removeprefix("/")
    if text.startswith("arn:"):
        raise not_implemented(_HEADER.decode(), "Copying from access points")
    bucket, _, key = text.partition("/")
    if not bucket or not key:
        raise invalid_argument(_HEADER.decode(), text[:100], _FORM)
    addressing.check_key(key)
    return bucket, key


def _check_size(call: S3Call, size: int) -> None:
    """Refuse to copy more than 5 GiB at once."""
    limit = call.services.settings.object_limit
    if size > limit:
        raise S3Fault("InvalidRequest", f"{_TOO_LARGE}{limit}")


async def reseal(
    call: S3Call, source: Source, batches: Reading, sealer: Sealer, digests: Digests, etag: bool
) -> Stored:
    """Return the blob of the source's bytes, sealed anew; raises SlowDown when the source was replaced meanwhile.

    Only one of more than 256 parts can be: all other blobs are open (`reading.open_blobs`).
    """
    try:
        return await body.reseal(call, batches.rest(), sealer, digests, etag=etag)
    except BlobMissing:
        if (await call.consult(reads.find, source.bucket, source.obj.key)).parts == source.obj.parts:
            raise TamperedError("a blob that the index names is missing") from None
        raise S3Fault("SlowDown") from None


async def copy_object(call: S3Call) -> Answer:
    """Copy an object of up to 5 GiB, with its metadata or new ones, under its own encryption choice."""
    bucket = await call.consult(rights.bucket_of_object, "s3:PutObject")
    metadata.check_supported(call.request.headers)
    owner_acls.check_headers(call.request.headers, bucket.account)
    storage_class = storage_classes.of_request(call.request.headers)  # S3: STANDARD unless named, whatever the source's
    choice = encryption.wanted(call, bucket)
    condition = conditions.of_write(call.header)
    from_bucket, from_key = await call.consult(find_bucket)
    plan, batches = await reads.open_current(
        call, from_bucket, lambda: _plan(call, bucket, from_bucket, from_key, condition)
    )
    try:
        fresh = await encryption.new_data_key(call, bucket, choice)
        kept, sealer = fresh.encryption, new_sealer(call, fresh, call.key)
        del fresh  # the data key in the clear
        is_md5 = kept.algorithm == encryption.AES256
        digests = Digests(None, [plan.algorithm], etag=is_md5)
        stored = await reseal(call, plan, batches, sealer, digests, is_md5)
    finally:
        await batches.close()
    checksum = Checksum(plan.algorithm.name, stored.checksums[plan.algorithm.name])
    obj = stored_whole(call, kept, stored, checksum, plan.columns, storage_class)
    await index.put(call, bucket, obj, condition)
    call.facts.update(index.written_facts(obj))
    return result("CopyObjectResult", obj, checksum, encryption.answer_headers(kept, context=True))


async def _plan(call: S3Call, bucket: Bucket, from_bucket: Bucket, from_key: str, condition: WriteCondition) -> Plan:
    """Return what the copy is to be, after every check that needs no key."""
    source = await find_source(call, from_bucket, from_key, lambda size: Span(0, size, size))
    _check_change(call, bucket, source.obj)
    columns = _columns(call, source.obj)
    await call.consult(index.check_condition, condition)
    return Plan(from_bucket, source.obj, source.span, columns, _algorithm(call, source.obj))


def result(root: str, obj: Object, checksum: Checksum | None, headers: Headers) -> Answer:
    """Return the answer of a copy."""
    content = [xml.text("LastModified", iso_date(obj.modified)), f"<ETag>&quot;{obj.etag}&quot;</ETag>"]
    if checksum is not None:
        content.append(xml.text(f"Checksum{checksum.algorithm}", checksum.value))
        content.append(xml.text("ChecksumType", checksum.kind))
    return document(root, *content, headers=headers)


def _replaces(call: S3Call) -> bool:
    """Tell whether the copy gets metadata of its own."""
    directive = call.header(b"x-amz-metadata-directive") or "COPY"
    if directive not in ("COPY", "REPLACE"):
        raise invalid_argument("x-amz-metadata-directive", directive, "Unknown metadata directive.")
    return directive == "REPLACE"


def _check_change(call: S3Call, bucket: Bucket, source: Object) -> None:
    """Refuse to copy an object onto itself when nothing would change by it.

    AWS takes any of what is named here for a change, also a bucket's default that was put and is the same as before
    (localstack, test_s3_copy_object_in_place_with_encryption and test_copy_in_place_with_bucket_encryption, both run
    against AWS); a checksum algorithm alone is none.
    """
    if _replaces(call) or (source.bucket, source.key) != (call.bucket, call.key):
        return
    if any(name.startswith(encryption.PREFIX) for name in call.request.headers):
        return
    if call.header(storage_classes.HEADER) or call.header(b"x-amz-website-redirect-location") or bucket.encryption:
        return
    if Encryption.from_column(source.encryption).algorithm == Default.of(bucket).algorithm:
        raise S3Fault("InvalidRequest", _SAME)


def _columns(call: S3Call, source: Object) -> tuple[str, str]:
    """Return the metadata's columns: the source's, or with REPLACE the request's."""
    if _replaces(call):
        return metadata.of_request(call.request.headers).columns()
    return source.headers, source.metadata


def _algorithm(call: S3Call, source: Object) -> Algorithm:
    """Return the checksum to keep: the one asked for, else the source's own kind, of the whole object."""
    asked = call.header(b"x-amz-checksum-algorithm")
    if asked is not None:
        return checksums.named(asked, "x-amz-checksum-algorithm")
    kept = index.checksum_of(source.checksum)
    return ALGORITHMS[kept.algorithm if kept is not None else checksums.DEFAULT]
