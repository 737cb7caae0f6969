"""The versioning of a bucket, and the list of all its versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.access.vocabulary.missing_capabilities import MFA_DELETE
from fuin.gate import lists
from fuin.s3.buckets.buckets import owner
from fuin.s3.buckets.listing import Names, page_limit
from fuin.s3.objects import index
from fuin.s3.payload import documents
from fuin.s3.request import locks, rights, storage_classes, version, xml
from fuin.s3.request.call import document, empty
from fuin.s3.request.conditions import iso_date
from fuin.s3.request.faults import S3Fault, invalid_argument, not_implemented
from fuin.store.s3 import buckets as rows
from fuin.store.s3.version_listing import list_versions
from fuin.store.s3.versions import ENABLED, SUSPENDED

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.http import Answer
    from fuin.s3.request.call import S3Call
    from fuin.s3.request.xml import Node
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.version_listing import VersionListing, VersionSummary

_ROOT = "VersioningConfiguration"
_LOCKED = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
_MARKER = "version-id-marker"
_NO_KEY = "A version-id marker cannot be specified without a key marker."


async def get_bucket_versioning(call: S3Call) -> Answer:
    """Return the state of versioning: an empty document for a bucket in which it was never enabled."""
    bucket = await call.consult(rights.authorize_bucket)
    return document(_ROOT, "" if bucket.versioning is None else xml.text("Status", bucket.versioning))


async def put_bucket_versioning(call: S3Call) -> Answer:
    """Enable or suspend versioning; a write that is under way follows the state at its commit."""
    await call.consult(rights.authorize_bucket)
    raw = await documents.read(call)
    bucket = await call.consult(rights.authorize_bucket)  # again: the client may have sent the body slowly
    status = _parse_status(xml.parse(raw, _ROOT))
    if status == SUSPENDED and bucket.setting(locks.SETTING) is not None:
        raise S3Fault("InvalidBucketState", _LOCKED)
    call.facts["settings"] = {"versioning": {"Status": status}}
    await call.change(_set, bucket, status)
    return empty(200)


def _parse_status(root: Node) -> str:
    """Return the state in a document; raises MalformedXML, IllegalVersioningConfigurationException, NotImplemented."""
    root.refuse_others("Status", "MfaDelete")
    mfa_delete, status = root.get("MfaDelete"), root.get("Status")
    if mfa_delete is not None and mfa_delete.strip() not in ("Enabled", "Disabled"):
        raise S3Fault("MalformedXML")
    if mfa_delete is not None and mfa_delete.strip() == "Enabled":
        raise not_implemented(MFA_DELETE)
    if status is None:
        raise S3Fault("IllegalVersioningConfigurationException")
    if status.strip() not in (ENABLED, SUSPENDED):
        raise S3Fault("MalformedXML")
    return status.strip()


def _set(conn: Connection, bucket: Bucket, status: str) -> None:
    rows.check_same(conn, bucket)
    if status == SUSPENDED and rows.has_setting(conn, bucket.name, locks.SETTING):  # set meanwhile
        raise S3Fault("InvalidBucketState", _LOCKED)
    rows.set_versioning(conn, bucket.name, status)


async def list_object_versions(call: S3Call) -> Answer:
    """List versions and delete markers page by page, of each key the newest first."""
    bucket = await call.consult(rights.authorize_bucket)
    names, limit = Names(call), page_limit(call, "max-keys")
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    key_marker, id_marker = call.query.get("key-marker", ""), call.query.get(_MARKER) or None
    if id_marker is not None and not key_marker:
        raise invalid_argument(_MARKER, id_marker[:100], _NO_KEY)
    after = (key_marker, version.check(id_marker, _MARKER))
    page, entries = await lists.page(call, _read_page, bucket, names, prefix, delimiter, after, limit)
    content = [
        xml.text("Name", call.bucket), names.element("Prefix", prefix), names.element("KeyMarker", key_marker),
        xml.text("VersionIdMarker", id_marker or ""),
    ]  # fmt: skip
    if page.truncated:
        last_key, last_version = page.last
        content.append(names.element("NextKeyMarker", last_key))
        if last_version is not None:
            content.append(xml.text("NextVersionIdMarker", last_version))
    content.append(xml.text("MaxKeys", limit))
    if delimiter:
        content.append(names.element("Delimiter", delimiter))
    content += [names.encoding(), xml.text("IsTruncated", page.truncated)]
    return document("ListVersionsResult", *content, *entries)


def _read_page(
    conn: Connection,
    bucket: Bucket,
    names: Names,
    prefix: str,
    delimiter: str,
    after: tuple[str, str | None],
    limit: int,
) -> tuple[VersionListing, list[str]]:
    """Return a page and its entries written down; raises NoSuchBucket."""
    rows.check_same(conn, bucket)
    page = list_versions(conn, bucket.name, prefix, delimiter, after, limit)
    owned = owner(bucket.account)
    entries = [_entry(names, item, owned) for item in page.versions]
    return page, entries + [xml.tag("CommonPrefixes", names.element("Prefix", common)) for common in page.prefixes]


def _entry(names: Names, item: VersionSummary, owned: str) -> str:
    shared = (
        names.element("Key", item.key), xml.text("VersionId", item.version), xml.text("IsLatest", item.is_current),
        xml.text("LastModified", iso_date(item.modified)),
    )  # fmt: skip
    if item.is_delete_marker:
        return xml.tag("DeleteMarker", *shared, owned)
    checksum = index.parse_checksum(item.checksum)
    kept = "" if checksum is None else xml.text("ChecksumAlgorithm", checksum.algorithm)
    kept += "" if checksum is None else xml.text("ChecksumType", checksum.kind)
    return xml.tag(
        "Version", *shared, f"<ETag>&quot;{item.etag}&quot;</ETag>", kept, xml.text("Size", item.size), owned,
        storage_classes.element(item.storage_class),
    )  # fmt: skip
