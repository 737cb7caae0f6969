"""Which bucket and key a request names, by its path or by its host, and its query."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from fuin.s3.request import fields, hosts, operation
from fuin.s3.request.faults import S3Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.gate.http import Request

KEY_LIMIT = 1024  # bytes of UTF-8
_BUCKET_LIMIT = 255  # characters; no bucket's name is longer than 63, and the audit log gets what a request names
_QUERY_LIMIT = 100  # names


class Address(msgspec.Struct, frozen=True):
    """A bucket's name and an object's key; both empty for the service itself, the key empty for a bucket."""

    bucket: str
    key: str

    @property
    def level(self) -> str:
        """Return the level of the path: the service, a bucket or an object."""
        if self.key:
            return operation.OBJECT
        return operation.BUCKET if self.bucket else operation.SERVICE


SERVICE = Address("", "")


def decode(raw: bytes) -> str:
    """Return percent-encoded UTF-8 as text; raises InvalidURI."""
    try:
        return unquote_to_bytes(raw).decode() if b"%" in raw else raw.decode()
    except UnicodeDecodeError:
        raise S3Fault("InvalidURI") from None


def check_key(key: str) -> None:
    """Raise KeyTooLongError for a key of more than 1,024 bytes of UTF-8."""
    size = len(key.encode())
    if size > KEY_LIMIT:
        raise S3Fault("KeyTooLongError", Size=str(size), MaxSizeAllowed=str(KEY_LIMIT))


def parse_address(request: Request, domains: tuple[str, ...]) -> Address:
    """Return the address: /bucket/key, or /key if the host is BUCKET.DOMAIN and the domain is the server's."""
    path = request.path.removeprefix(b"/")
    bucket = hosts.bucket_in_host(request.header(b"host") or "", domains)
    if bucket is None:
        first, _, rest = path.partition(b"/")
        address = Address(decode(first), decode(rest))
    else:
        address = Address(bucket, decode(path))
    if not address.bucket and (address.key or bucket is not None):
        raise S3Fault("InvalidBucketName", BucketName="")
    if len(address.bucket) > _BUCKET_LIMIT:
        raise S3Fault("InvalidBucketName", BucketName=address.bucket[:_BUCKET_LIMIT])
    check_key(address.key)
    return address


# The parameters of the signature in a presigned query; all other x-amz- names in it are headers.
_SIGNATURE = frozenset(
    f"x-amz-{name}"
    for name in (
        "algorithm", "credential", "date", "expires", "signedheaders", "signature", "security-token", "content-sha256",
    )
)  # fmt: skip
# Values of checksums in a query are ignored, as in AWS: the SDK for JavaScript has no body yet when it signs a URL, and
# puts the CRC32 of nothing there (https://github.com/localstack/localstack/issues/12169).
_CHECKSUM = "x-amz-checksum-"
_CHECKSUM_SETTINGS = frozenset(_CHECKSUM + name for name in ("algorithm", "type", "mode"))
_IGNORED = _SIGNATURE | {"x-amz-sdk-checksum-algorithm"}


def headers_in_query(query: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return the headers that a presigned URL carries in its query, as SDKs for JavaScript put them there.

    If they were ignored, an object could be stored under another encryption than its signer asked for. They are checked
    as an HTTP parser checks headers, since later answers repeat their values; raises InvalidArgument.
    """
    if "X-Amz-Signature" not in query:
        return {}
    found: dict[bytes, bytes] = {}
    for given, value in query.items():
        name = given.lower()
        if not name.startswith("x-amz-") or name in _IGNORED:
            continue
        if name.startswith(_CHECKSUM) and name not in _CHECKSUM_SETTINGS:
            continue
        fields.check_name(given)
        found[name.encode()] = fields.parse_value(given, value)
    return found


def parse_query(request: Request) -> dict[str, str]:
    """Return the query's names and decoded values, the first value of each; raises InvalidURI."""
    if not request.query:
        return {}
    try:
        pairs = parse_qsl(
            request.query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_QUERY_LIMIT
        )
    except ValueError:  # UnicodeDecodeError is one
        raise S3Fault("InvalidURI") from None
    return dict(reversed(pairs))
