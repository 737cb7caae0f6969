"""The table of the encryption schemes: which one a new object gets, and which one a stored object has.

A request's own header wins, then the bucket's default, then SSE-S3. Source: "Setting default server-side encryption
behavior".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from fuin.access.vocabulary import s3_encryption
from fuin.s3.request.faults import S3Fault, invalid_argument
from fuin.s3.sealing import customer_key
from fuin.s3.sealing.dsse_kms import DsseKms
from fuin.s3.sealing.scheme import (
    BUCKET_KEY,
    CONTEXT,
    KEY_ID,
    PREFIX,
    EncryptionChoice,
    EncryptionColumn,
    Scheme,
    StoredEncryption,
)
from fuin.s3.sealing.sse_c import SseC
from fuin.s3.sealing.sse_kms import SseKms
from fuin.s3.sealing.sse_s3 import SseS3

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.s3.request.call import S3Call
    from fuin.store.s3.buckets import Bucket

# Those that a header or a bucket's default names, and all, by their names in the index.
NAMED: dict[str, Scheme] = {scheme.name: scheme for scheme in (SseS3(), SseKms(), DsseKms())}
_CUSTOMER = SseC()
CUSTOMER_KEYS = _CUSTOMER.name  # as a bucket's setting names them
SCHEMES: dict[str, Scheme] = NAMED | {_CUSTOMER.name: _CUSTOMER}
UPDATED = SCHEMES[s3_encryption.SSE_KMS]  # of an object after UpdateObjectEncryption
DEFAULT = SCHEMES[s3_encryption.SSE_S3]  # of a bucket without a default

_INCOMPATIBLE = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified"
_BLOCKED = "Encryption with customer-provided keys (SSE-C) is blocked by the encryption setting of this bucket."
_OTHER = "The encryption that the request names is not the one that the multipart upload was created with."
_decode_column = msgspec.json.Decoder(EncryptionColumn).decode


class BucketDefault(msgspec.Struct, frozen=True):
    """A bucket's default encryption, as the index has it; the key is given back as it was put.

    `customer_keys` says whether writes may bring keys of their own (SSE-C).
    """

    algorithm: str
    key: str | None = None
    bucket_key: bool = False
    customer_keys: bool = False

    @property
    def scheme(self) -> Scheme:
        """Return the scheme of objects that are written without a header."""
        return SCHEMES[self.algorithm]


_decode_default = msgspec.json.Decoder(BucketDefault).decode


def bucket_default(bucket: Bucket) -> BucketDefault:
    """Return a bucket's default: SSE-S3 unless another was put."""
    return _decode_default(bucket.encryption) if bucket.encryption else BucketDefault(DEFAULT.name)


def parse_stored(column: str) -> StoredEncryption:
    """Return the encryption that the index's column holds."""
    stored = _decode_column(column)
    return StoredEncryption(
        SCHEMES[stored.algorithm], stored.key, stored.context, stored.blob, stored.wrapped, stored.inner, stored.header
    )


def choose(call: S3Call, bucket: Bucket) -> EncryptionChoice:
    """Return the request's choice, or the bucket's default; raises InvalidArgument and AccessDenied."""
    algorithm, key, context = call.header(PREFIX), call.header(KEY_ID), call.header(CONTEXT)
    wants_bucket_key = parse_flag(call.header(BUCKET_KEY))
    if customer_key.is_given(call.request.headers):
        return _customer_choice(call, bucket, algorithm)
    scheme = NAMED.get(algorithm or DEFAULT.name)
    if scheme is None or algorithm == "":
        raise invalid_argument(PREFIX.decode(), algorithm or "", "The encryption method specified is not supported")
    choice = scheme.choose(call, algorithm, key, context)
    if algorithm is None:
        choice = _default_choice(bucket)
    if not choice.scheme.takes_bucket_key:
        return choice
    if wants_bucket_key is None:  # AWS: the bucket's setting holds for a key that the request names, too
        wants_bucket_key = choice.bucket_key if algorithm is None else bucket_default(bucket).bucket_key
    return choice if wants_bucket_key is choice.bucket_key else replace(choice, bucket_key=wants_bucket_key)


def _customer_choice(call: S3Call, bucket: Bucket, algorithm: str | None) -> EncryptionChoice:
    """Return the choice of SSE-C; raises InvalidArgument, and AccessDenied where the bucket blocks it."""
    if algorithm is not None:
        raise invalid_argument(PREFIX.decode(), algorithm, _INCOMPATIBLE)
    choice = _CUSTOMER.choose(call, None, None, None)
    _refuse_blocked(bucket)
    return choice


def _refuse_blocked(bucket: Bucket) -> None:
    """Raise AccessDenied for a write with a customer key if the bucket blocks them."""
    if not bucket_default(bucket).customer_keys:
        raise S3Fault("AccessDenied", _BLOCKED)


def _default_choice(bucket: Bucket) -> EncryptionChoice:
    default = bucket_default(bucket)
    chosen_by = "bucket default" if bucket.encryption else "service default"
    return EncryptionChoice(
        default.scheme, default.key, {}, chosen_by, default.bucket_key and default.scheme.takes_bucket_key
    )


def parse_flag(value: str | None) -> bool | None:
    """Return whether a bucket-key-enabled header asks for a bucket key, None without one; raises InvalidArgument."""
    if value is None:
        return None
    if value.lower() not in ("true", "false"):
        raise invalid_argument(BUCKET_KEY.decode(), value, "The value must be true or false.")
    return value.lower() == "true"


def refuse_on_read(headers: Mapping[bytes, bytes]) -> None:
    """Refuse encryption headers on reads, where the encryption is settled already, and wrong ones of SSE-C."""
    customer_key.parse(headers)
    if PREFIX in headers:
        text = f"{PREFIX.decode()} header is not supported for this operation."
        raise invalid_argument(PREFIX.decode(), headers[PREFIX].decode("latin-1"), text)


async def check_repeated(call: S3Call, bucket: Bucket, stored: StoredEncryption, *, needs_key: bool = False) -> None:
    """Raise InvalidArgument unless the encryption headers of an upload's step repeat those of its creation.

    AWS takes no such headers there. minio-go, and so all that is built on it, repeats those of the creation when it
    completes an upload, at every endpoint that is not Amazon's. A repetition adds nothing and takes nothing away, so
    it is taken. A header that says something else is refused, since its sender expects it to hold. A customer key is
    needed for a part (`needs_key`), and may be left out of the completion.
    """
    stored.scheme.check_step(call, stored, needs_key=needs_key)
    if customer_key.is_given(call.request.headers):  # the bucket may block them since the upload was created
        _refuse_blocked(bucket)
    algorithm, key, context = call.header(PREFIX), call.header(KEY_ID), call.header(CONTEXT)
    if algorithm is not None and algorithm != stored.scheme.name:
        raise invalid_argument(PREFIX.decode(), algorithm[:100], _OTHER)
    parse_flag(call.header(BUCKET_KEY))  # says nothing about who may read the object
    if context is not None and not stored.scheme.repeats_context(call, context, stored):
        raise invalid_argument(CONTEXT.decode(), context[:100], _OTHER)
    if key and not await stored.scheme.repeats_key(call, bucket, key, stored):
        raise invalid_argument(KEY_ID.decode(), key[:100], _OTHER)
