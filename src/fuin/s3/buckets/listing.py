"""Listing objects, in both versions: prefix, delimiter, pages, and url encoding of what XML cannot hold."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fuin.gate import lists
from fuin.numbers import whole_number
from fuin.s3.buckets.buckets import owner
from fuin.s3.objects import index
from fuin.s3.request import rights, storage_classes, xml
from fuin.s3.request.call import document
from fuin.s3.request.conditions import iso_date
from fuin.s3.request.faults import invalid_argument
from fuin.store.s3 import buckets
from fuin.store.s3.listing import list_objects as page_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.http import Answer
    from fuin.s3.request.call import S3Call
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.listing import Listing, Summary

PAGE = 1000
_TOKEN = b"1"  # the version of what a continuation token holds


class Names:
    """Writes names as they are, or percent-encoded if the client asks for that."""

    def __init__(self, call: S3Call) -> None:
        kind = call.query.get("encoding-type") or None
        if kind not in (None, "url"):
            raise invalid_argument("encoding-type", kind[:100], "Invalid Encoding Method specified in Request")
        self._encoded = kind is not None

    def element(self, name: str, value: str) -> str:
        """Return the element of a key, prefix, marker or delimiter."""
        return xml.text(name, quote(value, safe="/-_.~*") if self._encoded else value)

    def encoding(self) -> str:
        """Return the element that names the encoding."""
        return xml.text("EncodingType", "url") if self._encoded else ""


def page_limit(call: S3Call, name: str, most: int = PAGE, absent: int | None = None) -> int:
    """Return a page's size, or another number, from the query, at most `most`; raises InvalidArgument."""
    text = call.query.get(name)
    if not text:
        return most if absent is None else absent
    number = whole_number(text, 0, 2**31 - 1)
    if number is None:
        raise invalid_argument(name, text[:100], f"Argument {name} must be an integer between 0 and 2147483647")
    return min(number, most)


def new_token(last: str) -> str:
    """Return the opaque token that continues after a key or prefix."""
    return base64.urlsafe_b64encode(_TOKEN + last.encode()).decode()


def parse_token(token: str) -> str:
    """Return the key or prefix after which a token continues; raises InvalidArgument."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        if raw.startswith(_TOKEN):
            return raw[len(_TOKEN) :].decode()
    except (binascii.Error, ValueError):
        pass
    raise invalid_argument("continuation-token", token[:100], "The continuation token provided is incorrect")


def _entry(names: Names, item: Summary, owned: str) -> str:
    """Return the element of an object: up to 1,000 are on a page, so it is written in one piece."""
    checksum = index.parse_checksum(item.checksum)
    kept = ""
    if checksum is not None:
        kept = f"<ChecksumAlgorithm>{checksum.algorithm}</ChecksumAlgorithm>"
        kept += f"<ChecksumType>{checksum.kind}</ChecksumType>"
    return (
        f"<Contents>{names.element('Key', item.key)}<LastModified>{iso_date(item.modified)}</LastModified>"
        f"<ETag>&quot;{item.etag}&quot;</ETag>{kept}<Size>{item.size}</Size>{owned}"
        f"{storage_classes.element(item.storage_class)}</Contents>"
    )


def _read_page(conn: Connection, bucket: Bucket, names: Names, owned: str, *asked: Any) -> tuple[Listing, list[str]]:
    """Return a page (`asked` as `store.listing` takes it) and its entries written down; raises NoSuchBucket."""
    buckets.check_same(conn, bucket)
    page = page_of(conn, bucket.name, *asked)
    entries = [_entry(names, item, owned) for item in page.objects]
    entries += [xml.tag("CommonPrefixes", names.element("Prefix", prefix)) for prefix in page.prefixes]
    return page, entries


async def list_objects(call: S3Call) -> Answer:
    """List a bucket the old way: the next page starts after a marker."""
    bucket = await call.consult(rights.authorize_bucket)
    if kind := call.query.get("list-type"):  # 2 leads to ListObjectsV2, and there is no other
        raise invalid_argument("list-type", kind[:100], "Invalid List Type specified in Request")
    names, limit = Names(call), page_limit(call, "max-keys")
    prefix, delimiter, marker = (call.query.get(name, "") for name in ("prefix", "delimiter", "marker"))
    owned = owner(bucket.account)
    page, entries = await lists.page(call, _read_page, bucket, names, owned, prefix, delimiter, marker, limit)
    head = [xml.text("Name", call.bucket), names.element("Prefix", prefix), names.element("Marker", marker)]
    if page.truncated and delimiter and page.last is not None:
        head.append(names.element("NextMarker", page.last))
    head.append(xml.text("MaxKeys", limit))
    if delimiter:
        head.append(names.element("Delimiter", delimiter))
    head += [names.encoding(), xml.text("IsTruncated", page.truncated)]
    return document("ListBucketResult", *head, *entries)


async def list_objects_v2(call: S3Call) -> Answer:
    """List a bucket: the next page is asked for with an opaque token."""
    bucket = await call.consult(rights.authorize_bucket)
    names, limit = Names(call), page_limit(call, "max-keys")
    prefix, delimiter, start = (call.query.get(name, "") for name in ("prefix", "delimiter", "start-after"))
    token = call.query.get("continuation-token")
    if token == "":
        raise invalid_argument("continuation-token", "", "The continuation token provided is incorrect")
    after = start if token is None else parse_token(token)
    owned = owner(bucket.account) if call.query.get("fetch-owner", "").lower() == "true" else ""
    page, entries = await lists.page(call, _read_page, bucket, names, owned, prefix, delimiter, after, limit)
    head = [xml.text("Name", call.bucket), names.element("Prefix", prefix)]
    if token is not None:
        head.append(xml.text("ContinuationToken", token))
    if page.truncated and page.last is not None:
        head.append(xml.text("NextContinuationToken", new_token(page.last)))
    head += [xml.text("KeyCount", len(page.objects) + len(page.prefixes)), xml.text("MaxKeys", limit)]
    if delimiter:
        head.append(names.element("Delimiter", delimiter))
    head += [names.encoding(), xml.text("IsTruncated", page.truncated)]
    if start:
        head.append(names.element("StartAfter", start))
    return document("ListBucketResult", *head, *entries)
