"""Reading objects: GetObject, HeadObject, GetObjectAttributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from fuin.blobs.interface import BlobMissing
from fuin.errors import TamperedError
from fuin.gate import lists
from fuin.gate.http import Answer
from fuin.s3.lifecycle import headers as lifecycle
from fuin.s3.objects import attributes, index
from fuin.s3.objects.objects import checksum_headers
from fuin.s3.payload import download, small
from fuin.s3.payload.checksums import Checksum
from fuin.s3.payload.download import Download
from fuin.s3.request import (
    conditions,
    existing_tags,
    locks,
    object_labels,
    ranges,
    rights,
    storage_classes,
    tags,
    version,
    xml,
)
from fuin.s3.request.call import Stream, document, empty
from fuin.s3.request.conditions import http_date
from fuin.s3.request.faults import S3Fault
from fuin.s3.request.part_number import part_number
from fuin.s3.request.ranges import Span
from fuin.s3.sealing import customer_key, schemes
from fuin.settings import KIB
from fuin.store.s3 import object_lock
from fuin.store.s3 import objects as rows
from fuin.store.s3.object_name import UNVERSIONED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fuin.s3.request.call import Headers, S3Call
    from fuin.s3.sealing.scheme import StoredEncryption
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.object_name import ObjectName
    from fuin.store.s3.objects import Object
    from fuin.store.s3.parts import Part

_PARTS_AT_ONCE = 100  # that are read on the event loop
_WHOLE = 16 * KIB  # bytes of an answer that leaves in one piece
_ATTEMPTS = 5  # to open an object that is being replaced all the time
_NO_OVERRIDES = "Request specific response headers cannot be used for anonymous GET requests."
_BOTH = "Cannot specify both Range header and partNumber query parameter"


class SelectedBytes(Protocol):
    """An object, and the span of its bytes that is to be opened."""

    @property
    def obj(self) -> Object:
        """Return the object's row."""

    @property
    def span(self) -> Span:
        """Return the span of its bytes."""


W = TypeVar("W", bound=SelectedBytes)


class Selection(msgspec.Struct, frozen=True):
    """The bytes of an object that a GET or HEAD returns; a `partial` answer is a 206."""

    obj: Object
    encryption: StoredEncryption
    span: Span
    partial: bool
    headers: Headers


def find(call: S3Call, bucket: Bucket, name: ObjectName) -> Object:
    """Return an object, with its part if it has one part; raises what `missing_fault` returns."""
    return _require_object(call, bucket, name, _look_up(call, name)(rows.get_object, name, 1))


def find_head(call: S3Call, bucket: Bucket, name: ObjectName) -> Object:
    """Return an object without its parts; raises what `missing_fault` returns."""
    return _require_object(call, bucket, name, _look_up(call, name)(rows.head_object, name))


def _look_up(call: S3Call, name: ObjectName) -> Callable[..., Object | None]:
    """Return the way to an object's row, which is one statement, but for the null version of a name."""
    store = call.services.store
    return store.look_up if name.version == UNVERSIONED else store.look_up_row


def _require_object(call: S3Call, bucket: Bucket, name: ObjectName, obj: Object | None) -> Object:
    if obj is None:
        raise missing_fault(call, bucket, name)
    existing_tags.check_found(call, name, obj)
    return obj


def missing_fault(call: S3Call, bucket: Bucket, name: ObjectName) -> S3Fault:
    """Return the fault for a name without an object; raises AccessDenied for a caller without s3:ListBucket.

    That is NoSuchKey or NoSuchVersion, or MethodNotAllowed for the id of a delete marker. AWS tells of the delete
    marker that hides an object too.
    """
    fault = rights.missing_object(call, bucket, name)
    marker = None if bucket.versioning is None else call.services.store.look_up(rows.find_marker, name)
    if marker is None:
        return fault
    if name.version is not None:
        return version.marker_fault(call, marker)
    fault.headers = version.deleted_headers(marker.version, is_marker=True)
    return fault


def find_unless_marker(call: S3Call, bucket: Bucket) -> Object:
    """Return the request's object; raises MethodNotAllowed for a delete marker, also for a current one."""
    marker = None if bucket.versioning is None else call.services.store.look_up(rows.find_marker, call.object_name)
    if marker is not None:
        raise version.marker_fault(call, marker)
    return find(call, bucket, call.object_name)


def _find_parts(call: S3Call, name: ObjectName) -> Object | None:
    return call.services.store.look_up(rows.get_object, name)


async def find_whole(call: S3Call, bucket: Bucket, name: ObjectName) -> Object:
    """Return an object with all its parts, of which there may be 10,000; raises what `find` does."""
    obj: Object | None = await call.consult(find, bucket, name)
    if obj is not None and len(obj.parts) < obj.part_count <= _PARTS_AT_ONCE:
        obj = await call.consult(_find_parts, name)
    elif obj is not None and len(obj.parts) < obj.part_count:
        obj = await lists.page(call, rows.get_object, name)
    if obj is None:
        raise await call.consult(missing_fault, bucket, name)
    existing_tags.check_found(call, name, obj)
    return obj


async def _select(call: S3Call, bucket: Bucket) -> Selection:
    """Return the selection that the request asks for; raises 304, 404, 412 and 416 answers."""
    if call.request.method == "HEAD" and "partNumber" not in call.query:
        obj = await call.consult(find_head, bucket, call.object_name)
    else:
        obj = await find_whole(call, bucket, call.object_name)
    validators: Headers = [(b"Last-Modified", http_date(obj.modified).encode()), (b"ETag", f'"{obj.etag}"'.encode())]
    try:
        conditions.check_read(conditions.parse_conditions(call.request.headers), obj.etag, obj.modified)
    except S3Fault as fault:
        if fault.code == "NotModified":
            fault.headers = validators
        raise
    encryption = schemes.parse_stored(obj.encryption)
    encryption.scheme.check_reader(call, encryption, obj.bucket, obj.key, customer_key.PREFIX)
    part = _requested_part(call, obj)
    span, partial, more = _requested_span(call, obj) if part is None else _part_span(obj, part)
    headers = [*validators, (b"Accept-Ranges", b"bytes"), *more]
    headers += encryption.scheme.answer_headers(call, encryption)
    headers += object_labels.answer_headers(obj.labels, call.query)
    headers += version.answer_headers(bucket, obj.name.version)
    if call.version is None:  # AWS says nothing where a version is named, even if it is the current one
        headers += lifecycle.object_headers(bucket, obj)
    if obj.labels.object_lock is not None:
        headers += await call.consult(_lock_headers, obj)
    if obj.labels.tags is not None and await call.consult(rights.may, "s3:GetObjectTagging"):
        headers.append(tags.count_header(obj.labels.tags))
    if partial:
        headers.append((b"Content-Range", span.content_range.encode()))
    if _wants_checksum(call):
        headers += checksum_headers(_checksum(obj, part, partial=partial))
    call.facts.update(index.object_facts(obj))
    index.record_version(call, obj.name.version)
    if partial:
        call.facts["range"] = span.content_range
    return Selection(obj, encryption, span, partial, headers)


def _lock_headers(call: S3Call, obj: Object) -> Headers:
    retention, hold = (rights.may(call, f"s3:GetObject{kind}") for kind in ("Retention", "LegalHold"))
    return locks.answer_headers(object_lock.parse_column(obj.labels.object_lock), retention=retention, hold=hold)


def _checksum(obj: Object, part: Part | None, *, partial: bool) -> Checksum | None:
    """Return the checksum of the selected bytes: the object's, or that of one part; a range has no checksum."""
    whole = index.parse_checksum(obj.checksum)
    if part is None or whole is None or not obj.upload_id:
        return whole if part is not None or not partial else None
    value = index.parse_values(part).get(whole.algorithm)
    return None if value is None else Checksum(whole.algorithm, value, whole.kind)


def _wants_checksum(call: S3Call) -> bool:
    return (call.header(b"x-amz-checksum-mode") or "").upper() == "ENABLED"


def _requested_part(call: S3Call, obj: Object) -> Part | None:
    """Return the part with the request's part number, which is the number of its upload.

    There may be gaps between the numbers. UploadPart, ListParts and GetObjectAttributes use the same numbers.
    """
    if "partNumber" not in call.query:
        return None
    if call.header(b"range"):
        raise S3Fault("InvalidRequest", _BOTH)
    number = part_number(call)
    for part in obj.parts:
        if part.number == number:
            return part
    raise S3Fault("InvalidPartNumber", ActualPartCount=str(len(obj.parts)), PartNumberRequested=str(number))


def _requested_span(call: S3Call, obj: Object) -> tuple[Span, bool, Headers]:
    """Return the span of a request without a part number, whether it is partial, and more headers."""
    header = call.header(b"range")
    validator = call.header(b"if-range") if header else None
    if validator and not conditions.is_unchanged(validator, obj.etag, obj.modified):
        header = None
    span = ranges.parse(header, obj.size)
    return (Span(0, obj.size, obj.size), False, []) if span is None else (span, True, [])


def _part_span(obj: Object, part: Part) -> tuple[Span, bool, Headers]:
    """Return a part's span, whether it is partial, and the header with the number of parts."""
    start = sum(before.size for before in obj.parts if before.number < part.number)
    span = Span(start, start + part.size, obj.size)
    more: Headers = [(b"x-amz-mp-parts-count", str(len(obj.parts)).encode())] if obj.upload_id else []
    return span, span.length > 0, more


def _authorize_read(call: S3Call) -> Bucket:
    bucket = rights.authorize_object(call)
    schemes.refuse_on_read(call.request.headers)
    version.check_request(call)
    if call.caller is None and any(name.startswith("response-") for name in call.query):
        raise S3Fault("InvalidRequest", _NO_OVERRIDES)
    return bucket


async def get_object(call: S3Call) -> Answer | Stream:
    """Return an object, or a range or part of it, decrypted frame by frame; under SSE-KMS the caller needs kms:Decrypt.

    The first batch is verified before the status is sent. An object replaced between index and blob is looked up again.
    """
    bucket = await call.consult(_authorize_read)
    chosen = await _select(call, bucket)
    if (part := small.part_in_row(chosen.obj)) is not None:
        return Answer(_status(chosen), chosen.headers, await _open_small(call, bucket, chosen, part))
    chosen, batches = await open_current(call, bucket, chosen, lambda: _select(call, bucket))
    first = await batches.first()
    status, length = _status(chosen), chosen.span.length
    if length <= _WHOLE and sum(map(len, first)) == length:
        await batches.close()
        return Answer(status, chosen.headers, b"".join(first))
    return Stream(status, [*chosen.headers, _length(length)], length, first, batches)


async def _open_small(call: S3Call, bucket: Bucket, chosen: Selection, part: Part) -> bytes | memoryview:
    """Return the selected bytes of an object whose message came with its row: it cannot have been replaced."""
    encryption, obj, span = chosen.encryption, chosen.obj, chosen.span
    data_key = await encryption.scheme.open_data_key(call, bucket, encryption, obj.key)
    return small.open_bytes(part, span.start, span.end, data_key, encryption.full_context(obj.bucket, obj.key))


def _status(chosen: Selection) -> int:
    return 206 if chosen.partial else 200


def _length(length: int) -> tuple[bytes, bytes]:
    return b"Content-Length", str(length).encode()


async def open_current(call: S3Call, bucket: Bucket, wanted: W, look: Callable[[], Awaitable[W]]) -> tuple[W, Download]:
    """Return an object as it is now with its plaintext, also while it is being replaced all the time.

    `wanted` is what the index had. `look` finds it there, anew for each further attempt. The index names a new blob
    before the old one goes, so one that is missing twice was lost: TamperedError.
    """
    for _ in range(_ATTEMPTS):
        try:
            return wanted, await open_object(call, bucket, wanted.obj, wanted.span)
        except BlobMissing:
            missing, wanted = wanted.obj.parts, await look()
        if wanted.obj.parts == missing:
            raise TamperedError("a blob that the index names is missing")
    raise S3Fault("SlowDown")


async def open_object(call: S3Call, bucket: Bucket, obj: Object, span: Span) -> Download:
    """Return the plaintext of a span of an object, whose data key is asked for as the caller (kms:Decrypt).

    The blobs are opened first, since the key's record takes milliseconds in which the object may be replaced; raises
    BlobMissing when it was already.
    """
    encryption = schemes.parse_stored(obj.encryption)
    wanted = download.segments(obj.parts, span.start, span.end)
    store = call.services.blobs
    blobs = await download.open_blobs(store, wanted)
    try:
        data_key = await encryption.scheme.open_data_key(call, bucket, encryption, obj.key)
    except BaseException:
        download.close_blobs(blobs)
        raise
    parts = download.part_readers(wanted, blobs, data_key, encryption.full_context(obj.bucket, obj.key))
    return Download(store, parts, span.length)


async def head_object(call: S3Call) -> Answer:
    """Return an object's headers; under SSE-KMS the checksum needs kms:Decrypt, nothing else does."""
    bucket = await call.consult(_authorize_read)
    chosen = await _select(call, bucket)
    encryption = chosen.encryption
    encryption.scheme.check_caller(call)
    if encryption.scheme.checksum_needs_key and _wants_checksum(call):
        await encryption.scheme.open_data_key(call, bucket, encryption, call.key)
    return empty(_status(chosen), [*chosen.headers, _length(chosen.span.length)])


_ATTRIBUTES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


async def get_object_attributes(call: S3Call) -> Answer:
    """Return the requested attributes of an object as a document."""
    bucket = await call.consult(_authorize_read)
    await call.consult(rights.authorize_object, "s3:GetObject")
    asked = {name.strip() for name in (call.header(b"x-amz-object-attributes") or "").split(",")}
    if not asked or not asked.issubset(_ATTRIBUTES):
        raise S3Fault("InvalidArgument", "Invalid attribute name specified.")
    obj = await find_whole(call, bucket, call.object_name)
    conditions.check_read(conditions.parse_conditions(call.request.headers), obj.etag, obj.modified)
    encryption = schemes.parse_stored(obj.encryption)
    encryption.scheme.check_reader(call, encryption, obj.bucket, obj.key, customer_key.PREFIX)
    checksum = index.parse_checksum(obj.checksum)
    if encryption.scheme.checksum_needs_key and "Checksum" in asked:
        await encryption.scheme.open_data_key(call, bucket, encryption, call.key)
    found = {"ETag": xml.text("ETag", obj.etag), "StorageClass": storage_classes.element(obj.labels.storage_class)}
    found["ObjectSize"] = xml.text("ObjectSize", obj.size)
    if checksum is not None:
        value = xml.text(f"Checksum{checksum.algorithm}", checksum.value)
        found["Checksum"] = xml.tag("Checksum", value, xml.text("ChecksumType", checksum.kind))
    if obj.upload_id:
        found["ObjectParts"] = attributes.object_parts(call, obj, checksum)
    modified: Headers = [(b"Last-Modified", http_date(obj.modified).encode())]
    modified += version.answer_headers(bucket, obj.name.version)
    content = [found[name] for name in _ATTRIBUTES if name in asked and name in found]
    return document("GetObjectAttributesResponse", *content, headers=modified)
