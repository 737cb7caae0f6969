"""CopyObject: the source is opened as the caller and sealed again under a new data key, bound to the new name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
from fuin.s3.checksums import ALGORITHMS, Algorithm, Checksum
from fuin.s3.conditions import iso_date
from fuin.s3.digests import Digests
from fuin.s3.exchange import document
from fuin.s3.faults import S3Fault, invalid_argument, not_implemented
from fuin.s3.objects import check_version, new_sealer, stored_whole
from fuin.s3.ranges import Span
from fuin.store.objects import Object

if TYPE_CHECKING:
    from fuin.request import Answer
    from fuin.s3.exchange import Exchange, Headers
    from fuin.s3.reading import Reading
    from fuin.store.buckets import Bucket

_HEADER = b"x-amz-copy-source"
_CONDITION_PREFIX = b"x-amz-copy-source-"
_SAME = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)
_TOO_LARGE = "The specified copy source is larger than the maximum allowable size for a copy source: "
_CHANGING = (b"x-amz-server-side-encryption", storage_classes.HEADER)
_FORM = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"


@dataclass(frozen=True, slots=True)
class Source:
    """The object to copy from, which the caller may read (s3:GetObject; its key is asked for when it is opened)."""

    bucket: Bucket
    obj: Object


def find_source(x: Exchange) -> Source:
    """Return the source that x-amz-copy-source names, once rights and conditions hold."""
    encryption.refuse_customer_keys(x.request.headers)
    bucket_name, key = _names(x.request.headers[_HEADER])
    bucket = rights.bucket_of_other(x, "s3:GetObject", bucket_name, key)
    obj = reads.find(x, bucket, key)
    conditions.check_copy(conditions.of(x.header, _CONDITION_PREFIX), obj.etag, obj.modified)
    x.call.facts["copySource"] = f"{bucket_name}/{key}"
    return Source(bucket, obj)


def _names(raw: bytes) -> tuple[str, str]:
    """Return bucket and key of a copy source: percent-encoded, maybe with a leading slash and a version."""
    path, _, version = raw.partition(b"?versionId=")
    check_version(addressing.decode(version) or None)
    text = addressing.decode(path).removeprefix("/")
    if text.startswith("arn:"):
        raise not_implemented(_HEADER.decode(), "Copying from access points")
    bucket, _, key = text.partition("/")
    if not bucket or not key:
        raise invalid_argument(_HEADER.decode(), text[:100], _FORM)
    addressing.check_key(key)
    return bucket, key


def check_size(x: Exchange, size: int) -> None:
    """Refuse to copy more than 5 GiB at once."""
    limit = x.services.settings.object_limit
    if size > limit:
        raise S3Fault("InvalidRequest", f"{_TOO_LARGE}{limit}")


async def open_source(x: Exchange, source: Source, span: Span) -> Reading:
    """Return the plaintext of the source's bytes; kms:Decrypt is asked for as the caller."""
    return await reads.open_object(x, source.bucket, source.obj, span)


async def copy_object(x: Exchange) -> Answer:
    """Copy an object of up to 5 GiB, with its metadata or new ones, under its own encryption choice."""
    bucket = rights.bucket_of_object(x, "s3:PutObject")
    metadata.check_supported(x.request.headers)
    owner_acls.check_headers(x.request.headers, bucket.account)
    storage_class = storage_classes.of_request(x.request.headers)  # S3: STANDARD unless named, whatever the source's
    choice = encryption.wanted(x, bucket)
    condition = conditions.of_write(x.header)
    source = find_source(x)
    columns = _columns(x, source)
    check_size(x, source.obj.size)
    index.check_condition(x, condition)
    algorithm = _algorithm(x, source.obj)

    size = source.obj.size
    batches = await open_source(x, source, Span(0, size, size))
    try:
        fresh = await encryption.new_data_key(x, bucket, choice)
        kept, sealer = fresh.encryption, new_sealer(x, fresh, x.key)
        del fresh  # the data key in the clear
        is_md5 = kept.algorithm == encryption.AES256
        digests = Digests(None, [algorithm], etag=is_md5)
        stored = await body.reseal(x.services.settings.blobs, batches.rest(), sealer, digests, etag=is_md5)
    finally:
        await batches.close()
    checksum = Checksum(algorithm.name, stored.checksums[algorithm.name])
    obj = stored_whole(x, kept, stored, checksum, columns, storage_class)
    await index.put(x, bucket, obj, condition)
    x.call.facts.update(index.written_facts(obj))
    return result("CopyObjectResult", obj, checksum, encryption.answer_headers(kept, context=True))


def result(root: str, obj: Object, checksum: Checksum | None, headers: Headers) -> Answer:
    """Return the answer of a copy."""
    content = [xml.text("LastModified", iso_date(obj.modified)), f"<ETag>&quot;{obj.etag}&quot;</ETag>"]
    if checksum is not None:
        content.append(xml.text(f"Checksum{checksum.algorithm}", checksum.value))
        content.append(xml.text("ChecksumType", checksum.kind))
    return document(root, *content, headers=headers)


def _columns(x: Exchange, source: Source) -> tuple[str, str]:
    """Return the metadata's columns: the source's, or with REPLACE the request's; raises for a pointless copy."""
    directive = x.header(b"x-amz-metadata-directive") or "COPY"
    if directive not in ("COPY", "REPLACE"):
        raise invalid_argument("x-amz-metadata-directive", directive, "Unknown metadata directive.")
    if directive == "REPLACE":
        return metadata.of_request(x.request.headers).columns()
    same = (source.obj.bucket, source.obj.key) == (x.bucket, x.key)
    if same and not any(name.startswith(_CHANGING) for name in x.request.headers):
        raise S3Fault("InvalidRequest", _SAME)
    return source.obj.headers, source.obj.metadata


def _algorithm(x: Exchange, source: Object) -> Algorithm:
    """Return the checksum to keep: the one asked for, else the source's own kind, of the whole object."""
    asked = x.header(b"x-amz-checksum-algorithm")
    if asked is not None:
        return checksums.named(asked, "x-amz-checksum-algorithm")
    kept = index.checksum_of(source.checksum)
    return ALGORITHMS[kept.algorithm if kept is not None else checksums.DEFAULT]
