"""Which bucket and key a request names, by its path or by its host, and its query."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote_to_bytes

from fuin.s3 import routes
from fuin.s3.faults import S3Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.request import Request

KEY_LIMIT = 1024  # bytes of UTF-8
_BUCKET_LIMIT = 255  # characters; no name is longer than 63, and whoever asks leaves it in the audit log
_QUERY_LIMIT = 100  # names


@dataclass(frozen=True, slots=True)
class Address:
    """A bucket's name and an object's key; both empty for the service itself, the key empty for a bucket."""

    bucket: str
    key: str

    @property
    def level(self) -> str:
        """Return which level of routes this is: the service, a bucket, an object."""
        if self.key:
            return routes.OBJECT
        return routes.BUCKET if self.bucket else routes.SERVICE


def decode(raw: bytes) -> str:
    """Return percent-encoded UTF-8 as text; raises InvalidURI."""
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise S3Fault("InvalidURI") from None


def check_key(key: str) -> None:
    """Raise KeyTooLongError for a key of more than 1,024 bytes of UTF-8."""
    size = len(key.encode())
    if size > KEY_LIMIT:
        raise S3Fault("KeyTooLongError", Size=str(size), MaxSizeAllowed=str(KEY_LIMIT))


def of(request: Request, own_host: str) -> Address:
    """Return the address: /bucket/key, or /key when the host is BUCKET.OUR-HOST.

    Our hosts are `localhost`, the one that we listen on, and everything that starts with `s3.`, as AWS's do.
    """
    path = request.path.removeprefix(b"/")
    bucket = _bucket_of_host(request.header(b"host") or "", own_host)
    if bucket is None:
        first, _, rest = path.partition(b"/")
        address = Address(decode(first), decode(rest))
        if not address.bucket and address.key:
            raise S3Fault("InvalidBucketName", BucketName="")
    else:
        address = Address(bucket, decode(path))
    if len(address.bucket) > _BUCKET_LIMIT:
        raise S3Fault("InvalidBucketName", BucketName=address.bucket[:_BUCKET_LIMIT])
    check_key(address.key)
    return address


def _bucket_of_host(host: str, own_host: str) -> str | None:
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    for ours in ("localhost", own_host):
        if name.endswith(f".{ours}") and not _is_ip(ours):
            return name.removesuffix(f".{ours}")
    before, dot_s3, _ = name.partition(".s3.")
    return before if dot_s3 and before and not _is_ip(name) else None


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


# What a presigned query's own parameters are called; all other x-amz- names in it stand for headers.
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


def hoisted(query: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return the headers that a presigned URL carries in its query, as SDKs for JavaScript put them there.

    Ignoring them would, for instance, store an object under another encryption than its signer asked for.
    """
    if "X-Amz-Signature" not in query:
        return {}
    lowered = {name.lower(): value for name, value in query.items()}
    return {
        name.encode(): value.encode()
        for name, value in lowered.items()
        if name.startswith("x-amz-") and name not in _IGNORED
        if not name.startswith(_CHECKSUM) or name in _CHECKSUM_SETTINGS
    }


def query_of(request: Request) -> dict[str, str]:
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
