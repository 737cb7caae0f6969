"""TLS for requests under SSE-C and SSE-KMS, where the server demands it, as AWS does (`--require-tls-for-sse`).

Under SSE-C a key crosses the network. Under SSE-KMS it is plaintext whose owner has chosen who may read it. Source: S3
User Guide, "Using server-side encryption with customer-provided keys" and "… with AWS KMS keys"; the texts are AWS's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.access.vocabulary import s3_encryption
from fuin.s3.request.faults import S3Fault, invalid_argument
from fuin.s3.sealing import customer_key

if TYPE_CHECKING:
    from fuin.s3.request.call import S3Call

_HEADER = "x-amz-server-side-encryption"
_WITH_KEYS = (customer_key.PREFIX, customer_key.SOURCE_PREFIX)
_KMS = (s3_encryption.SSE_KMS.encode(), s3_encryption.SSE_KMS_DSSE.encode())
_REQUESTS = "Requests specifying Server Side Encryption with"
_SECURE = "must be made over a secure connection."


def check_headers(call: S3Call) -> None:
    """Raise InvalidRequest or InvalidArgument for headers of SSE-C or SSE-KMS, before anything else is asked.

    Call this if the call `lacks_tls`.
    """
    if any(name.startswith(_WITH_KEYS) for name in call.request.headers):
        raise S3Fault("InvalidRequest", f"{_REQUESTS} Customer provided keys {_SECURE}")
    if call.request.headers.get(_HEADER.encode()) in _KMS:
        raise kms_fault()


def kms_fault() -> S3Fault:
    """Return the refusal of a request under SSE-KMS, whether a header, the bucket or the object says so."""
    return invalid_argument(_HEADER, s3_encryption.SSE_KMS, f"{_REQUESTS} AWS KMS managed keys {_SECURE}")
