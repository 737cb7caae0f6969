"""Which encryption an object gets, its data key asked for as the caller, and what answers say about it.

A request's own header wins, then the bucket's default, then SSE-S3 (AES256). Source: "Using server-side encryption
with AWS KMS keys (SSE-KMS)" and "Setting default server-side encryption behavior". The encryption context always
holds `aws:s3:arn`, so ciphertext moved under another name does not open.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from fuin import ids
from fuin.envelope.stream import EncryptedDataKey
from fuin.errors import AccessDenied
from fuin.kms import on_behalf
from fuin.s3.faults import S3Fault, invalid_argument, not_implemented

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.s3.call import Headers, S3Call
    from fuin.store.s3.buckets import Bucket

AES256, KMS, DSSE = "AES256", "aws:kms", "aws:kms:dsse"
PREFIX = b"x-amz-server-side-encryption"  # the algorithm's header, and what those of its details start with
KEY_ID, CONTEXT, BUCKET_KEY = PREFIX + b"-aws-kms-key-id", PREFIX + b"-context", PREFIX + b"-bucket-key-enabled"
_CUSTOMER = (PREFIX + b"-customer-", b"x-amz-copy-source-server-side-encryption-customer-")
CONTEXT_LIMIT = 8192  # bytes of the decoded JSON; KMS takes about as much
ARN_NAME = "aws:s3:arn"

_NEEDS_V4 = "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4."
_INCOMPATIBLE = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified"
_KEY_WITHOUT_KMS = (
    "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
)
_BAD_CONTEXT = (
    "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which "
    "represents a string-string map"
)
_OTHER_ARN = "The encryption context names another object as aws:s3:arn"
_decode_map = msgspec.json.Decoder(dict[str, str]).decode


class Encryption(msgspec.Struct, frozen=True):
    """How an object is encrypted, as the index keeps it: algorithm, key, the client's context, the wrapped data key.

    `key` is the KMS key's ARN, `context` what the client added to `aws:s3:arn`, `blob` the encrypted data key.
    """

    algorithm: str
    key: str
    context: dict[str, str]
    blob: bytes = b""

    @classmethod
    def from_column(cls, text: str) -> Encryption:
        """Read what `column` wrote."""
        return msgspec.json.decode(text, type=cls)

    def column(self) -> str:
        """Return the JSON of the index's column; bytes are base64 in it."""
        return msgspec.json.encode(self).decode()

    def full_context(self, bucket: str, key: str) -> dict[str, str]:
        """Return the encryption context of an object under its name."""
        return {**self.context, ARN_NAME: ids.object_arn(bucket, key)}

    def data_keys(self) -> tuple[EncryptedDataKey, ...]:
        """Return what stands in the message's header: the one encrypted data key."""
        return (EncryptedDataKey.of_kms(self.key, self.blob),)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new object's encryption is to be, before there is a data key; `key` None means alias/aws/s3."""

    algorithm: str
    key: str | None
    context: dict[str, str]
    chosen_by: str  # request header, bucket default, service default


class Default(msgspec.Struct, frozen=True):
    """A bucket's default encryption, as the index keeps it; the key is given back as it was put."""

    algorithm: str
    key: str | None = None
    bucket_key: bool = False

    @classmethod
    def of(cls, bucket: Bucket) -> Default:
        """Return a bucket's default: SSE-S3 unless another was put."""
        return msgspec.json.decode(bucket.encryption, type=cls) if bucket.encryption else cls(AES256)


def refuse_customer_keys(headers: Mapping[bytes, bytes]) -> None:
    """Refuse SSE-C: nothing is ever stored as if it had been encrypted under a key that Fuin did not use."""
    if any(name.startswith(_CUSTOMER) for name in headers):
        if PREFIX in headers:
            raise invalid_argument(PREFIX.decode(), headers[PREFIX].decode("latin-1"), _INCOMPATIBLE)
        raise not_implemented(
            "x-amz-server-side-encryption-customer-algorithm", "Encryption with customer-provided keys (SSE-C)"
        )


def refuse_on_read(headers: Mapping[bytes, bytes]) -> None:
    """Refuse encryption headers where an object's encryption is settled already: on reads. Parts are in `repeats`."""
    refuse_customer_keys(headers)
    if PREFIX in headers:
        text = f"{PREFIX.decode()} header is not supported for this operation."
        raise invalid_argument(PREFIX.decode(), headers[PREFIX].decode("latin-1"), text)


def wanted(call: S3Call, bucket: Bucket) -> Wanted:
    """Return what the request asks for, or the bucket's default; raises InvalidArgument and NotImplemented."""
    refuse_customer_keys(call.request.headers)
    algorithm, key, context = call.header(PREFIX), call.header(KEY_ID), call.header(CONTEXT)
    check_flag(call.header(BUCKET_KEY))
    if algorithm == DSSE:
        raise not_implemented(PREFIX.decode(), "Dual-layer encryption (aws:kms:dsse)")
    if algorithm not in (None, AES256, KMS):
        raise invalid_argument(PREFIX.decode(), algorithm, "The encryption method specified is not supported")
    if algorithm != KMS:
        if key is not None or context is not None:
            raise invalid_argument(PREFIX.decode(), algorithm or "null", _KEY_WITHOUT_KMS)
        if algorithm is None:
            return _by_default(bucket)
        return Wanted(AES256, None, {}, "request header")
    extra = client_context(context, ids.object_arn(call.bucket, call.key))
    return Wanted(KMS, key or None, extra, "request header")


def _by_default(bucket: Bucket) -> Wanted:
    default = Default.of(bucket)
    chosen_by = "bucket default" if bucket.encryption else "service default"
    return Wanted(default.algorithm, default.key, {}, chosen_by)


def check_flag(value: str | None) -> None:
    """Refuse a bucket-key-enabled header that is neither true nor false; what it says makes no difference here."""
    if value is not None and value.lower() not in ("true", "false"):
        raise invalid_argument(BUCKET_KEY.decode(), value, "The value must be true or false.")


def client_context(header: str | None, arn: str) -> dict[str, str]:
    """Return the pairs of the -context header (base64 of a JSON object of strings) without aws:s3:arn.

    `arn` is the object's, which aws:s3:arn must be when it is given; raises InvalidArgument.
    """
    if header is None:
        return {}
    try:
        raw = base64.b64decode(header, validate=True)
        pairs = _decode_map(raw)
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise invalid_argument(CONTEXT.decode(), header[:100], _BAD_CONTEXT) from None
    if len(raw) > CONTEXT_LIMIT:
        raise invalid_argument(CONTEXT.decode(), header[:100], f"The encryption context is over {CONTEXT_LIMIT} bytes")
    if pairs.pop(ARN_NAME, arn) != arn:
        raise invalid_argument(CONTEXT.decode(), header[:100], _OTHER_ARN)
    return pairs


@dataclass(frozen=True, slots=True)
class FreshKey:
    """A new object's data key in the clear, to be dropped once a Sealer has it, and the encryption to be kept."""

    plaintext: bytes
    encryption: Encryption

    def __repr__(self) -> str:
        return f"FreshKey({self.encryption.key})"


async def new_data_key(call: S3Call, bucket: Bucket, choice: Wanted) -> FreshKey:
    """Return a fresh data key for the request's object; SSE-KMS asks kms:GenerateDataKey as the caller.

    The audit record of this use is durable when it returns. Raises KMS's faults and AccessDenied.
    """
    context = {**choice.context, ARN_NAME: ids.object_arn(call.bucket, call.key)}
    call.facts.update(encryption=choice.algorithm, encryptionChosenBy=choice.chosen_by, context=context)
    if choice.algorithm == KMS:
        check_signed(call)
        try:
            made = await on_behalf.data_key(call, complete_key(choice.key, bucket), context, bucket.region)
        except AccessDenied as error:
            raise AccessDenied(error.sentence + _hint(call)) from None
    else:
        made = await on_behalf.service_data_key(call, bucket.account, context, bucket.region)
    call.facts.update(keyArn=made.key_arn, encryptedDataKeyBytes=len(made.blob))
    return FreshKey(made.plaintext, Encryption(choice.algorithm, made.key_arn, choice.context, made.blob))


def complete_key(key: str | None, bucket: Bucket) -> str | None:
    """Complete a bare key id to the bucket's region and account, as S3 does; aliases stay the caller's."""
    return ids.key_arn(bucket.account, bucket.region, key) if key is not None and ids.is_key_id(key) else key


def check_signed(call: S3Call) -> None:
    """Refuse anonymous access to KMS objects, also where a policy allows everybody: KMS needs to know who asks."""
    if call.caller is None:
        raise S3Fault("InvalidArgument", _NEEDS_V4, ArgumentName="Authorization", ArgumentValue="null")


def _hint(call: S3Call) -> str:
    """Say what people get wrong most: kms:Encrypt is not what storing an object needs."""
    last = call.decisions[-1] if call.decisions else {}
    reasons = last.get("because", ()) if isinstance(last, dict) else ()
    if any("kms:Encrypt" in reason and "granted, but this needs" in reason for reason in reasons):
        return ". kms:Encrypt, which is allowed, does not help: storing an object needs kms:GenerateDataKey."
    return ""


async def open_data_key(call: S3Call, bucket: Bucket, kept: Encryption, key: str, why: str = "") -> bytes:
    """Return an object's data key; SSE-KMS asks kms:Decrypt as the caller, so a revoked right stops every read.

    `key` is the object's key in `bucket`. `why` is added to a refusal. The use stands in the audit log on return.
    """
    context = kept.full_context(bucket.name, key)
    call.facts.update(encryption=kept.algorithm, keyArn=kept.key, context=context)
    if kept.algorithm != KMS:
        return await on_behalf.open_service_data_key(call, kept.blob, context, bucket.region)
    check_signed(call)
    try:
        return await on_behalf.open_data_key(call, kept.blob, context, bucket.region)
    except AccessDenied as error:
        raise AccessDenied(error.sentence + why) from None


def answer_headers(kept: Encryption, *, context: bool = False) -> Headers:
    """Return what an answer says: the algorithm, the key always as an ARN, and for new objects the context."""
    headers: Headers = [(PREFIX, kept.algorithm.encode())]
    if kept.algorithm == KMS:
        headers.append((KEY_ID, kept.key.encode()))
        if context and kept.context:
            headers.append((CONTEXT, base64.b64encode(msgspec.json.encode(kept.context))))
    return headers
