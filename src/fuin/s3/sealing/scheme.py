"""A `Scheme` is one way to encrypt objects, such as SSE-KMS. Only this room knows how the schemes differ.

An operation chooses a scheme for a new object (`schemes.choose`), or reads from the index which one an object has
(`schemes.parse_stored`). It asks the scheme for everything else: the data key, the ETag, the headers of the answer. So
a new scheme is a file in this room and a line in `schemes.py`.

Every data key is bound to an encryption context with the object's ARN as `aws:s3:arn`, so ciphertext that is moved to
another name does not open. With a bucket key, KMS sees the bucket's ARN there, as on AWS.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

from fuin import ids
from fuin.envelope.stream import EncryptedDataKey
from fuin.formats.message import DIGEST_LENGTH
from fuin.s3.request.faults import invalid_argument
from fuin.s3.sealing import customer_key

if TYPE_CHECKING:
    from fuin.kms.on_behalf import DataKey
    from fuin.s3.request.call import Headers, S3Call
    from fuin.store.s3.buckets import Bucket

PREFIX = b"x-amz-server-side-encryption"  # the scheme's header, and the start of those with its details
KEY_ID, CONTEXT, BUCKET_KEY = PREFIX + b"-aws-kms-key-id", PREFIX + b"-context", PREFIX + b"-bucket-key-enabled"
ARN_NAME = "aws:s3:arn"

_CONTEXT_LIMIT = 8192  # bytes of the decoded JSON; KMS takes about as much
_BAD_CONTEXT = (
    "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which "
    "represents a string-string map"
)
_OTHER_ARN = "The encryption context names another object as aws:s3:arn"
_decode_map = msgspec.json.Decoder(dict[str, str]).decode


class EncryptionColumn(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON of the index's column `encryption`; bytes are base64 in it."""

    algorithm: str
    key: str
    context: dict[str, str]
    blob: bytes = b""
    wrapped: bytes = b""
    inner: bytes = b""
    header: bytes = b""


class StoredEncryption(msgspec.Struct, frozen=True):
    """How an object is encrypted, as the index has it.

    `key` is the KMS key's ARN, empty without one. `context` has the client's pairs beside `aws:s3:arn`, `blob` is the
    encrypted data key. With a bucket key, `blob` is that one's ciphertext blob, and `wrapped` the data key under it.
    With two layers of encryption, `inner` is the encrypted data key of the inner one. After a re-wrap the header of the
    message still has the encrypted data key of before (`rewrap.py`): `header` is the SHA-256 of that one, and with two
    layers after it that of the inner one.
    """

    scheme: Scheme
    key: str
    context: dict[str, str]
    blob: bytes = b""
    wrapped: bytes = b""
    inner: bytes = b""
    header: bytes = b""

    def column(self) -> str:
        """Return the JSON of the index's column."""
        row = EncryptionColumn(
            self.scheme.name, self.key, self.context, self.blob, self.wrapped, self.inner, self.header
        )
        return msgspec.json.encode(row).decode()

    def full_context(self, bucket: str, key: str) -> dict[str, str]:
        """Return the encryption context of an object under its name."""
        return {**self.context, ARN_NAME: ids.object_arn(bucket, key)}

    def kms_context(self, bucket: str, key: str) -> dict[str, str]:
        """Return the encryption context that KMS sees: with a bucket key it has the bucket's ARN."""
        return {**self.context, ARN_NAME: ids.bucket_arn(bucket)} if self.wrapped else self.full_context(bucket, key)

    def header_entries(self) -> tuple[EncryptedDataKey | bytes, ...]:
        """Return the encrypted data keys that the headers have, the outermost first; after a re-wrap their SHA-256."""
        found = tuple(self.header[at : at + DIGEST_LENGTH] for at in range(0, len(self.header), DIGEST_LENGTH))
        return found or self.data_keys()

    def data_keys(self) -> tuple[EncryptedDataKey, ...]:
        """Return the encrypted data keys for the headers of the message's layers, the outermost first."""
        return self.scheme.entries(self)


class EncryptionChoice(msgspec.Struct, frozen=True):
    """The encryption of a new object, before there is a data key; `key` None means the scheme's own key."""

    scheme: Scheme
    key: str | None
    context: dict[str, str]
    chosen_by: str  # request header, bucket default, service default
    bucket_key: bool = False

    def full_context(self, bucket: str, key: str) -> dict[str, str]:
        """Return the encryption context of the new object."""
        return {**self.context, ARN_NAME: ids.object_arn(bucket, key)}

    def kms_context(self, bucket: str, key: str) -> dict[str, str]:
        """Return the encryption context that KMS sees: with a bucket key it has the bucket's ARN."""
        return {**self.context, ARN_NAME: ids.bucket_arn(bucket)} if self.bucket_key else self.full_context(bucket, key)


class NewDataKey(msgspec.Struct, frozen=True):
    """A new object's data key in the clear, to be dropped once a Sealer has it, and the encryption to store.

    With two layers of encryption it is two data keys, the outer one first.
    """

    plaintext: bytes
    encryption: StoredEncryption

    def __repr__(self) -> str:
        return f"NewDataKey({self.encryption.key})"


class Scheme:
    """One way to encrypt objects: who may have a data key, and what answers say about it."""

    name: str  # the header's value, and `algorithm` in the index
    has_md5_etag = False  # the ETag is the MD5 of the plaintext
    checksum_needs_key = False  # a checksum says something about the plaintext, so its reader needs the key
    takes_bucket_key = False  # data keys can be under a bucket key
    is_under_kms = False  # data keys are under a KMS key that the caller needs rights to
    takes_update = False  # UpdateObjectEncryption takes objects of this scheme

    def choose(self, call: S3Call, algorithm: str | None, key: str | None, context: str | None) -> EncryptionChoice:
        """Return the choice that the request's headers make; raises InvalidArgument."""
        raise NotImplementedError

    def takes_default_key(self, key: str) -> bool:
        """Return whether a bucket's default encryption by this scheme may name this key."""
        raise NotImplementedError

    def check_reader(self, call: S3Call, stored: StoredEncryption, bucket: str, key: str, prefix: bytes) -> None:
        """Raise InvalidRequest or AccessDenied unless the request has the customer key of an object, if it has one.

        `prefix` is that of the key's headers, which are others for the source of a copy.
        """
        customer_key.refuse(call.request.headers, prefix)

    def check_step(self, call: S3Call, stored: StoredEncryption, *, needs_key: bool) -> None:
        """Raise InvalidRequest unless a step of an upload has the customer key of its creation, if it had one."""
        customer_key.refuse(call.request.headers, customer_key.PREFIX, customer_key.STEP)

    def check_caller(self, call: S3Call) -> None:
        """Raise InvalidArgument if the scheme does not serve this kind of caller or connection."""

    async def make_data_key(self, call: S3Call, bucket: Bucket, choice: EncryptionChoice) -> NewDataKey:
        """Return a new data key for the request's object, whose write is on the record when it returns.

        Raises KMS's faults and AccessDenied.
        """
        context = choice.kms_context(call.bucket, call.key)
        call.facts.update(encryption=self.name, encryptionChosenBy=choice.chosen_by, context=context)
        made = await self._make(call, bucket, choice, context)
        is_recorded = not call.record.is_open
        stored = made.encryption
        call.facts["encryptedDataKeyBytes"] = len(stored.blob) + len(stored.wrapped) + len(stored.inner)
        _note_key(call, stored.key)
        if not is_recorded:  # by the use of a KMS key
            await call.announce("change")
        return made

    async def open_data_key(
        self, call: S3Call, bucket: Bucket, stored: StoredEncryption, key: str, *, for_upload: bool = False
    ) -> bytes:
        """Return the data key of the object `key`, or of the upload to it, in `bucket`; of two layers, both keys.

        If a KMS key was used for it, the audit record of the use is durable when it returns. Raises KMS's faults and
        AccessDenied.
        """
        context = stored.kms_context(bucket.name, key)
        call.facts.update(encryption=self.name, context=context)
        _note_key(call, stored.key)
        return await self._open(call, bucket, stored, key, context, for_upload)

    async def _make(
        self, call: S3Call, bucket: Bucket, choice: EncryptionChoice, context: dict[str, str]
    ) -> NewDataKey:
        raise NotImplementedError

    async def _open(
        self,
        call: S3Call,
        bucket: Bucket,
        stored: StoredEncryption,
        key: str,
        context: dict[str, str],
        for_upload: bool,
    ) -> bytes:
        raise NotImplementedError

    def new_data_key(self, choice: EncryptionChoice, made: DataKey) -> NewDataKey:
        """Return the data key that KMS, or the client's key, has made for a new object."""
        return NewDataKey(made.plaintext, StoredEncryption(self, made.key_arn, choice.context, made.blob))

    async def wrap_data_key(
        self, call: S3Call, bucket: Bucket, target: StoredEncryption, data_key: bytes, *, bucket_key: bool
    ) -> StoredEncryption:
        """Return `target` with a data key that exists encrypted under its key, with or without a bucket key."""
        raise NotImplementedError

    def entries(self, stored: StoredEncryption) -> tuple[EncryptedDataKey, ...]:
        """Return the data keys for the headers of the message's layers, the outermost first."""
        return (EncryptedDataKey.from_kms(stored.key, stored.blob),)

    def etag(self, md5: str | None) -> str:
        """Return the ETag of new content; `md5` is that of the plaintext, if it was computed."""
        raise NotImplementedError

    def answer_headers(self, call: S3Call, stored: StoredEncryption, *, with_context: bool = False) -> Headers:
        """Return the headers that tell a client of the encryption; the context is for new objects."""
        raise NotImplementedError

    def repeats_context(self, call: S3Call, header: str, stored: StoredEncryption) -> bool:
        """Return whether a step of an upload repeats the encryption context of its creation."""
        raise NotImplementedError

    async def repeats_key(self, call: S3Call, bucket: Bucket, key: str, stored: StoredEncryption) -> bool:
        """Return whether a step of an upload repeats the key of its creation."""
        raise NotImplementedError


def _note_key(call: S3Call, arn: str) -> None:
    """Put the KMS key on the record, in place of that of a copy's source; none for a scheme without one."""
    if arn:
        call.facts["keyArn"] = arn
    else:
        call.facts.pop("keyArn", None)


def client_context(call: S3Call, header: str | None) -> dict[str, str]:
    """Return the pairs of the -context header (base64 of a JSON object of strings) without aws:s3:arn.

    If aws:s3:arn is given, it must be the ARN of the request's object; raises InvalidArgument.
    """
    if header is None:
        return {}
    arn = ids.object_arn(call.bucket, call.key)
    try:
        raw = base64.b64decode(header, validate=True)
        pairs = _decode_map(raw)
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise invalid_argument(CONTEXT.decode(), header[:100], _BAD_CONTEXT) from None
    if len(raw) > _CONTEXT_LIMIT:
        raise invalid_argument(CONTEXT.decode(), header[:100], f"The encryption context is over {_CONTEXT_LIMIT} bytes")
    if pairs.pop(ARN_NAME, arn) != arn:
        raise invalid_argument(CONTEXT.decode(), header[:100], _OTHER_ARN)
    return pairs
