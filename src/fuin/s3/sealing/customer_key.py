"""The client's own key of SSE-C, in three headers; a copy has three more, for the key of its source.

Source: "Using server-side encryption with customer-provided keys (SSE-C)". The texts are those of AWS (localstack,
TestS3SSECEncryption, run against AWS).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fuin.envelope import customer_key
from fuin.s3.request.faults import S3Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.s3.request.call import Headers

PREFIX = b"x-amz-server-side-encryption-customer-"
SOURCE_PREFIX = b"x-amz-copy-source-server-side-encryption-customer-"
_ALGORITHM = "AES256"
_ARGUMENT = "x-amz-server-side-encryption"
_REQUESTS = "Requests specifying Server Side Encryption with Customer provided keys must provide"
_INVALID_KEY = "The secret key was invalid for the specified algorithm."
STEP = (
    "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate "
    "encryption parameters."
)
_NOT_APPLICABLE = "The encryption parameters are not applicable to this object."
_NOT_SUPPORTED = f"The Encryption request you specified is not valid. Supported value: {_ALGORITHM}."


@dataclass(frozen=True, slots=True)
class CustomerKey:
    """A key of 32 bytes; `md5` is its digest in base64, None if the request has none, which only reads may say."""

    key: bytes = field(repr=False)
    md5: str | None


_NAMES = (b"algorithm", b"key", b"key-md5")
_HEADERS = {prefix: tuple(prefix + name for name in _NAMES) for prefix in (PREFIX, SOURCE_PREFIX)}


def is_given(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a request has a header of SSE-C, be it right or wrong."""
    return any(headers.get(PREFIX + name) is not None for name in _NAMES)


def parse(headers: Mapping[bytes, bytes], prefix: bytes = PREFIX) -> CustomerKey | None:
    """Return the request's key, None without one; raises InvalidArgument, InvalidEncryptionAlgorithmError."""
    names = _HEADERS[prefix]
    if headers.keys().isdisjoint(names):
        return None
    algorithm, key, md5 = map(headers.get, names)
    if not algorithm:
        raise _invalid(f"{_REQUESTS} a valid encryption algorithm.")
    if algorithm != _ALGORITHM.encode():
        shown = algorithm.decode("latin-1")[:100]
        raise S3Fault("InvalidEncryptionAlgorithmError", _NOT_SUPPORTED, ArgumentName=_ARGUMENT, ArgumentValue=shown)
    if not key:
        raise _invalid(f"{_REQUESTS} an appropriate secret key.")
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != customer_key.LENGTH:
        raise _invalid(_INVALID_KEY)
    own = base64.b64encode(hashlib.md5(raw, usedforsecurity=False).digest())
    if md5 and not hmac.compare_digest(own, md5.strip()):
        raise _invalid("The calculated MD5 hash of the key did not match the hash that was provided.")
    return CustomerKey(raw, own.decode() if md5 else None)


def require_digest(given: CustomerKey) -> str:
    """Return the key's MD5, which a write must bring; raises InvalidArgument."""
    if given.md5 is None:
        raise _invalid(_INVALID_KEY)
    return given.md5


def wrong_key() -> S3Fault:
    """Return the refusal of a read with another key than the object's, or without its MD5."""
    return S3Fault("AccessDenied", f"{_REQUESTS} the correct secret key.")


def answer_headers(given: CustomerKey | None) -> Headers:
    """Return the headers that tell the client that its key was used; a completion has no key, and tells nothing."""
    if given is None or given.md5 is None:
        return []
    return [(PREFIX + b"algorithm", _ALGORITHM.encode()), (PREFIX + b"key-MD5", given.md5.encode())]


def refuse(headers: Mapping[bytes, bytes], prefix: bytes, text: str = _NOT_APPLICABLE) -> None:
    """Raise InvalidRequest if a key comes for an object or an upload that is encrypted in another way."""
    if parse(headers, prefix) is not None:
        raise S3Fault("InvalidRequest", text)


def _invalid(text: str) -> S3Fault:
    return S3Fault("InvalidArgument", text, ArgumentName=_ARGUMENT)
