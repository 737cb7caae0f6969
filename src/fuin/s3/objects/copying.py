"""CopyObject: the source is decrypted by the caller's rights, and encrypted again under a new data key and name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fuin.access.vocabulary.missing_capabilities import ACCESS_POINTS
from fuin.blobs.interface import BlobMissing
from fuin.errors import TamperedError
from fuin.s3.lifecycle import headers as lifecycle
from fuin.s3.objects import get, index
from fuin.s3.objects.objects import new_sealer, whole_object
from fuin.s3.payload import checksums, intake
from fuin.s3.payload.checksums import ALGORITHMS, Algorithm, Checksum
from fuin.s3.payload.digests import Digests
from fuin.s3.request import (
    addressing,
    conditions,
    existing_tags,
    locks,
    metadata,
    object_labels,
    owner_acls,
    rights,
    storage_classes,
    version,
    xml,
)
from fuin.s3.request.call import document
from fuin.s3.request.conditions import iso_date
from fuin.s3.request.faults import S3Fault, invalid_argument, not_implemented
from fuin.s3.request.ranges import Span
from fuin.s3.sealing import customer_key, schemes
from fuin.s3.sealing.scheme import PREFIX
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.objects import Object

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.envelope.layers import MessageSealer
    from fuin.gate.http import Answer
    from fuin.s3.payload.download import Download
    from fuin.s3.payload.intake import WrittenBlob
    from fuin.s3.request.call import Headers, S3Call
    from fuin.s3.request.conditions import WriteCondition
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.labels import Labels
    from fuin.store.s3.parts import Part

_HEADER = b"x-amz-copy-source"
_SAME = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)
_MARKER = "The source of a copy request may not specifically refer to a delete marker by version id."
_TOO_LARGE = "The specified copy source is larger than the maximum allowable size for a copy source: "
_FORM = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"


@dataclass(frozen=True, slots=True)
class CopySource:
    """The source of a copy: an object, as the request names it, and a span of its bytes."""

    bucket: Bucket
    name: ObjectName
    obj: Object
    span: Span


@dataclass(frozen=True, slots=True)
class CopyPlan(CopySource):
    """What CopyObject makes of its source: the labels and the checksum algorithm of the copy."""

    labels: Labels
    algorithm: Algorithm


def authorize_source(call: S3Call) -> tuple[Bucket, ObjectName]:
    """Return the bucket and the name of x-amz-copy-source if the caller has s3:GetObject on it.

    For a source with a version that is s3:GetObjectVersion. The right to the KMS key is asked for when the source is
    opened.
    """
    customer_key.parse(call.request.headers, customer_key.SOURCE_PREFIX)  # which refuses a wrong one
    name = _parse_source(call.request.headers[_HEADER])
    bucket = rights.authorize_other_object(call, "s3:GetObject", name)
    call.facts["copySource"] = f"{name.bucket}/{name.key}"
    if name.version is not None:
        call.facts["copySourceVersionId"] = name.version
    return bucket, name


async def find_source(call: S3Call, bucket: Bucket, name: ObjectName, span_of: Callable[[int], Span]) -> CopySource:
    """Return the source as it is now, if its conditions hold; `span_of` gives the span for a size."""
    try:
        obj = await get.find_whole(call, bucket, name)
    except S3Fault as fault:
        if fault.code == "MethodNotAllowed":
            raise S3Fault("InvalidRequest", _MARKER) from None
        raise
    conditions.check_copy(conditions.parse_conditions(call.request.headers, of_source=True), obj.etag, obj.modified)
    encryption = schemes.parse_stored(obj.encryption)
    encryption.scheme.check_reader(call, encryption, obj.bucket, obj.key, customer_key.SOURCE_PREFIX)
    span = span_of(obj.size)
    _check_size(call, span.length)
    return CopySource(bucket, name, obj, span)


def _parse_source(raw: bytes) -> ObjectName:
    """Return the name in a copy source, which is form-encoded (a plus is a space).

    URLEncoder of Java and urlencode of PHP write it so, and S3 reads it so. A slash may begin it, a version end it.
    """
    path, mark, named = raw.replace(b"+", b" ").partition(b"?versionId=")
    wanted = version.check(addressing.decode(named) if mark else None)
    text = addressing.decode(path).removeprefix("/")
    if text.startswith("arn:"):
        raise not_implemented(ACCESS_POINTS, _HEADER.decode())
    bucket, _, key = text.partition("/")
    if not bucket or not key:
        raise invalid_argument(_HEADER.decode(), text[:100], _FORM)
    addressing.check_key(key)
    return ObjectName(bucket, key, wanted)


def _check_size(call: S3Call, size: int) -> None:
    """Refuse to copy more than 5 GiB at once."""
    limit = call.services.settings.object_limit
    if size > limit:
        raise S3Fault("InvalidRequest", f"{_TOO_LARGE}{limit}")


async def reseal(
    call: S3Call, source: CopySource, batches: Download, sealer: MessageSealer, digests: Digests, etag: bool
) -> WrittenBlob:
    """Return a blob of the source's bytes, encrypted again; raises SlowDown if the source was replaced meanwhile.

    Only one of more than 256 parts can be: all other blobs are open (`reading.open_blobs`).
    """
    try:
        return await intake.reseal(call, batches.rest(), source.span.length, sealer, digests, etag=etag)
    except BlobMissing:
        if (await get.find_whole(call, source.bucket, source.name)).parts == source.obj.parts:
            raise TamperedError("a blob that the index names is missing") from None
        raise S3Fault("SlowDown") from None


async def copy_object(call: S3Call) -> Answer:
    """Copy an object of up to 5 GiB, with its metadata or new metadata, under an encryption of its own."""
    bucket = await call.consult(rights.authorize_object)
    metadata.check_supported(call.request.headers)
    owner_acls.check_headers(call.request.headers, bucket.account)
    object_labels.check_request(call.request.headers)
    choice = schemes.choose(call, bucket)
    condition = conditions.parse_write(call.header)
    if object_labels.replaces_tags(call.request.headers):
        await call.consult(rights.authorize_tags)
    await call.consult(rights.authorize_lock)
    from_bucket, source = await call.consult(authorize_source)
    look = partial(_make_plan, call, bucket, from_bucket, source, condition)
    plan, batches = await get.open_current(call, from_bucket, await look(), look)
    try:
        new_key = await choice.scheme.make_data_key(call, bucket, choice)
        encryption, sealer = new_key.encryption, new_sealer(call, new_key)
        del new_key  # the data key in the clear
        digests = Digests(None, [plan.algorithm], etag=choice.scheme.has_md5_etag)
        stored = await reseal(call, plan, batches, sealer, digests, choice.scheme.has_md5_etag)
    finally:
        await batches.close()
    checksum = Checksum(plan.algorithm.name, stored.checksums[plan.algorithm.name])
    obj = whole_object(call, encryption, stored, checksum, plan.labels)
    written = await index.publish(call, bucket, obj, condition)
    call.facts.update(index.written_facts(obj))
    headers = version.copied_headers(bucket, written, plan.obj.name.version)
    headers += choice.scheme.answer_headers(call, encryption, with_context=True)
    headers += lifecycle.object_headers(bucket, obj)
    return copy_result("CopyObjectResult", obj, checksum, headers)


async def _make_plan(
    call: S3Call, bucket: Bucket, from_bucket: Bucket, name: ObjectName, condition: WriteCondition
) -> CopyPlan:
    """Return the plan of the copy, after every check that needs no key."""
    source = await find_source(call, from_bucket, name, lambda size: Span(0, size, size))
    if name.version is None:  # to copy a version onto its key makes it the current one
        _check_change(call, bucket, source.obj)
    lock = locks.with_default(bucket, locks.parse_request(call, bucket), call.now)
    labels = object_labels.parse_copy(call.request.headers, source.obj.labels, lock)
    if labels.tags is not None and not object_labels.replaces_tags(call.request.headers):
        await call.consult(_authorize_tags, name)
        existing_tags.check_found(call, name, source.obj)
    await call.consult(index.check_condition, condition)
    return CopyPlan(from_bucket, name, source.obj, source.span, labels, _checksum_algorithm(call, source.obj))


def _authorize_tags(call: S3Call, source: ObjectName) -> None:
    """Check the rights to copy the source's tags: to read them there, and to give them to the copy."""
    rights.authorize_other_object(call, "s3:GetObjectTagging", source)
    rights.authorize_object(call, "s3:PutObjectTagging")


def copy_result(root: str, copy: Object | Part, checksum: Checksum | None, headers: Headers) -> Answer:
    """Return the answer of a copy."""
    content = [xml.text("LastModified", iso_date(copy.modified)), f"<ETag>&quot;{copy.etag}&quot;</ETag>"]
    if checksum is not None:
        content.append(xml.text(f"Checksum{checksum.algorithm}", checksum.value))
        content.append(xml.text("ChecksumType", checksum.kind))
    return document(root, *content, headers=headers)


def _check_change(call: S3Call, bucket: Bucket, source: Object) -> None:
    """Refuse to copy an object onto itself if that would change nothing.

    For AWS, each of these is a change, even a default encryption of the bucket that is the same as before
    (localstack, test_s3_copy_object_in_place_with_encryption and test_copy_in_place_with_bucket_encryption, both run
    against AWS); a checksum algorithm alone is not.
    """
    same_name = (source.bucket, source.key) == (call.bucket, call.key)
    if object_labels.replaces_metadata(call.request.headers) or not same_name:
        return
    if any(name.startswith(PREFIX) for name in call.request.headers):
        return
    if call.header(storage_classes.HEADER) or bucket.encryption:
        return
    if schemes.parse_stored(source.encryption).scheme is schemes.bucket_default(bucket).scheme:
        raise S3Fault("InvalidRequest", _SAME)


def _checksum_algorithm(call: S3Call, source: Object) -> Algorithm:
    """Return the copy's checksum algorithm: the requested one, or the source's own."""
    asked = call.header(b"x-amz-checksum-algorithm")
    if asked is not None:
        return checksums.find_algorithm(asked, "x-amz-checksum-algorithm")
    kept = index.parse_checksum(source.checksum)
    return ALGORITHMS[kept.algorithm if kept is not None else checksums.DEFAULT]
