"""Multipart uploads as a whole: create, abort, list parts, list uploads.

All parts are encrypted under the upload's one data key, which Create asks for (kms:GenerateDataKey) and keeps only
encrypted. A caller who adds or lists parts needs kms:Decrypt, which opens it again, as in AWS.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from fuin.gate import lists
from fuin.s3.buckets.listing import Names, page_limit
from fuin.s3.lifecycle import headers as lifecycle
from fuin.s3.objects import index
from fuin.s3.payload import checksums
from fuin.s3.payload.checksums import ALGORITHMS
from fuin.s3.request import locks, metadata, object_labels, owner_acls, rights, storage_classes, xml
from fuin.s3.request.call import document, empty
from fuin.s3.request.conditions import iso_date
from fuin.s3.request.faults import S3Fault
from fuin.s3.sealing import schemes
from fuin.store.s3 import buckets
from fuin.store.s3 import uploads as rows
from fuin.store.s3.uploads import Upload

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.http import Answer
    from fuin.s3.request.call import S3Call
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.parts import Part

_AFTER_ALL = "\U0010ffff"  # greater than any upload id


def find(call: S3Call) -> Upload:
    """Return the request's upload; raises NoSuchUpload."""
    upload_id = call.query.get("uploadId", "")
    upload = call.services.store.look_up(rows.find_upload, upload_id, call.object_name)
    if upload is None:
        raise S3Fault("NoSuchUpload", UploadId=upload_id[:200])
    call.facts["uploadId"] = upload.upload_id
    return upload


async def create_multipart_upload(call: S3Call) -> Answer:
    """Begin an upload, with its encryption, metadata and checksum algorithm."""
    bucket = await call.consult(rights.authorize_object)
    metadata.check_supported(call.request.headers)
    owner_acls.check_headers(call.request.headers, bucket.account)
    object_labels.check_request(call.request.headers)
    await call.consult(rights.authorize_tags)
    await call.consult(rights.authorize_lock)
    choice = schemes.choose(call, bucket)
    algorithm, kind = _declared_checksum(call)
    labels = object_labels.parse_request(call.request.headers, locks.parse_request(call, bucket))
    encryption = (
        await choice.scheme.make_data_key(call, bucket, choice)
    ).encryption  # nothing is encrypted yet; the parts have the data key opened again
    upload = Upload(
        upload_id=secrets.token_urlsafe(48),
        name=call.object_name,
        created=call.now,
        initiator=call.principal.arn,
        data_key=encryption.blob,
        encryption=encryption.column(),
        checksum_algorithm=algorithm,
        checksum_type=kind,
        labels=labels,
    )
    await call.write(_insert, bucket, upload)
    call.facts["uploadId"] = upload.upload_id
    answer = choice.scheme.answer_headers(call, encryption, with_context=True)
    if algorithm is not None and kind is not None:
        answer += [(b"x-amz-checksum-algorithm", algorithm.encode()), (b"x-amz-checksum-type", kind.encode())]
    answer += lifecycle.upload_headers(bucket, upload)
    content = (xml.text("Bucket", call.bucket), xml.text("Key", call.key), xml.text("UploadId", upload.upload_id))
    return document("InitiateMultipartUploadResult", *content, headers=answer)


def _insert(conn: Connection, bucket: Bucket, upload: Upload) -> None:
    buckets.check_same(conn, bucket)
    rows.insert_upload(conn, upload)


def _declared_checksum(call: S3Call) -> tuple[str | None, str | None]:
    """Return the declared algorithm and type; raises InvalidRequest for a pair that S3 refuses."""
    name, kind = call.header(b"x-amz-checksum-algorithm"), call.header(b"x-amz-checksum-type")
    if name is None:
        if kind is not None:
            text = "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            raise S3Fault("InvalidRequest", text)
        return None, None
    algorithm = checksums.find_algorithm(name, "x-amz-checksum-algorithm")
    chosen = kind or algorithm.types[0]
    if chosen not in algorithm.types:
        text = f"The {chosen} checksum type cannot be used with the {algorithm.name.lower()} checksum algorithm."
        raise S3Fault("InvalidRequest", text)
    return algorithm.name, chosen


async def abort_multipart_upload(call: S3Call) -> Answer:
    """End an upload without an object and remove its parts."""
    await call.consult(rights.authorize_object)
    upload = await call.consult(find)
    await call.announce("delete")
    left = await call.write(rows.abort_upload, upload.upload_id, call.object_name)
    call.replaced += left
    return empty(204)


async def list_parts(call: S3Call) -> Answer:
    """List an upload's parts page by page; under SSE-KMS that needs kms:Decrypt, as in AWS."""
    bucket = await call.consult(rights.authorize_object)
    upload = await call.consult(find)
    limit, marker = page_limit(call, "max-parts"), page_limit(call, "part-number-marker", 10_000, absent=0)
    encryption = schemes.parse_stored(upload.encryption)
    encryption.scheme.check_step(call, encryption, needs_key=False)
    if encryption.scheme.checksum_needs_key:
        await encryption.scheme.open_data_key(call, bucket, encryption, call.key, for_upload=True)
    declared = upload.checksum_algorithm
    entries, last, more = await lists.page(call, _read_parts, upload.upload_id, marker, limit, declared)
    content = [
        xml.text("Bucket", call.bucket), xml.text("Key", call.key), xml.text("UploadId", upload.upload_id),
        _principal_element("Initiator", _initiator_id(upload)), _principal_element("Owner", bucket.account),
        storage_classes.element(upload.labels.storage_class),
        xml.text("PartNumberMarker", marker), xml.text("NextPartNumberMarker", last),
        xml.text("MaxParts", limit), xml.text("IsTruncated", more),
    ]  # fmt: skip
    if declared is not None:
        content += [xml.text("ChecksumAlgorithm", declared), xml.text("ChecksumType", upload.checksum_type)]
    return document("ListPartsResult", *content, *entries, headers=lifecycle.upload_headers(bucket, upload))


def _read_parts(
    conn: Connection, upload_id: str, after: int, limit: int, declared: str | None
) -> tuple[list[str], int, bool]:
    """Return the entries of a page of parts, the last one's number, and whether there are more."""
    found = rows.list_parts(conn, upload_id, after, limit + 1)
    shown = found[:limit]
    return [_part_element(part, declared) for part in shown], shown[-1].number if shown else 0, len(found) > limit > 0


def _part_element(part: Part, declared: str | None) -> str:
    values = index.parse_values(part)
    named = [xml.text(ALGORITHMS[name].element, value) for name, value in values.items() if name == declared]
    return xml.tag(
        "Part", xml.text("PartNumber", part.number), xml.text("LastModified", iso_date(part.modified)),
        f"<ETag>&quot;{part.etag}&quot;</ETag>", xml.text("Size", part.size), *named,
    )  # fmt: skip


def _principal_element(name: str, identity: str) -> str:
    return xml.tag(name, xml.text("ID", identity))


def _initiator_id(upload: Upload) -> str:
    """Return the ARN of who began an upload; of an account's root the canonical id, as in `Owner` (so does AWS)."""
    arn = upload.initiator
    return arn.split(":")[4] if arn.endswith(":root") else arn


async def list_multipart_uploads(call: S3Call) -> Answer:
    """List a bucket's uploads that are under way, in the order of key and id."""
    bucket = await call.consult(rights.authorize_bucket)
    names, limit = Names(call), page_limit(call, "max-uploads")
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    key_marker = call.query.get("key-marker", "")
    id_marker = call.query.get("upload-id-marker", "") if key_marker else ""
    after = (key_marker, id_marker or (_AFTER_ALL if key_marker else ""))
    page, entries = await lists.page(call, _read_page, bucket, names, after, prefix, delimiter, limit)
    content = [
        xml.text("Bucket", call.bucket), names.element("KeyMarker", key_marker), xml.text("UploadIdMarker", id_marker),
        names.element("Prefix", prefix), xml.text("MaxUploads", limit), xml.text("IsTruncated", page.truncated),
    ]  # fmt: skip
    if page.truncated:
        content += [names.element("NextKeyMarker", page.last[0]), xml.text("NextUploadIdMarker", page.last[1])]
    if delimiter:
        content.append(names.element("Delimiter", delimiter))
    content.append(names.encoding())
    return document("ListMultipartUploadsResult", *content, *entries)


def _read_page(
    conn: Connection, bucket: Bucket, names: Names, after: tuple[str, str], prefix: str, delimiter: str, limit: int
) -> tuple[_Uploads, list[str]]:
    """Return a page and its entries written down; raises NoSuchBucket."""
    buckets.check_same(conn, bucket)
    page = _Uploads(conn, bucket.name, prefix, delimiter, limit)
    page.fill(*after)
    entries = [_entry(names, upload, bucket.account) for upload in page.uploads]
    return page, entries + [xml.tag("CommonPrefixes", names.element("Prefix", common)) for common in page.prefixes]


def _entry(names: Names, upload: Upload, account: str) -> str:
    return xml.tag(
        "Upload", names.element("Key", upload.key), xml.text("UploadId", upload.upload_id),
        _principal_element("Initiator", _initiator_id(upload)), _principal_element("Owner", account),
        storage_classes.element(upload.labels.storage_class), xml.text("Initiated", iso_date(upload.created)),
    )  # fmt: skip


class _Uploads:
    """One page of uploads; those under a common prefix are one entry."""

    def __init__(self, conn: Connection, bucket: str, prefix: str, delimiter: str, limit: int) -> None:
        self._conn, self._bucket = conn, bucket
        self._prefix, self._delimiter, self._limit = prefix, delimiter, limit
        self.uploads: list[Upload] = []
        self.prefixes: list[str] = []
        self.truncated = False
        self.last = ("", "")

    def fill(self, key: str, upload_id: str) -> None:
        """Read rows until the page is full or no row is left."""
        if self._limit == 0:
            return
        while True:
            found = rows.list_uploads(self._conn, self._bucket, self._prefix, key, upload_id, 1000)
            for upload in found:
                if not self._take(upload):
                    self.truncated = True
                    return
            if len(found) < 1000:
                return
            key, upload_id = found[-1].key, found[-1].upload_id

    def _take(self, upload: Upload) -> bool:
        rest = upload.key[len(self._prefix) :]
        at = rest.find(self._delimiter) if self._delimiter else -1
        common = None if at < 0 else self._prefix + rest[: at + len(self._delimiter)]
        if common is not None and common in self.prefixes[-1:]:
            self.last = (upload.key, upload.upload_id)
            return True
        if len(self.uploads) + len(self.prefixes) >= self._limit:
            return False
        if common is None:
            self.uploads.append(upload)
        else:
            self.prefixes.append(common)
        self.last = (upload.key, upload.upload_id)
        return True
