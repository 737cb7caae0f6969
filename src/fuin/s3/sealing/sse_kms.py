"""SSE-KMS (aws:kms): data keys under a KMS key, which are asked for as the caller.

So a right that is revoked stops every read and write. Source: "Using server-side encryption with AWS KMS keys
(SSE-KMS)".
"""

from __future__ import annotations

import base64
import os
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from fuin import ids
from fuin.access.refusals import NotAuthorized
from fuin.access.vocabulary import s3_encryption
from fuin.envelope import bucket_key as wrapping
from fuin.envelope.stream import EncryptedDataKey
from fuin.kms import bucket_keys, on_behalf
from fuin.s3.request.faults import S3Fault
from fuin.s3.sealing import secure_transport
from fuin.s3.sealing.scheme import (
    ARN_NAME,
    BUCKET_KEY,
    CONTEXT,
    KEY_ID,
    PREFIX,
    EncryptionChoice,
    NewDataKey,
    Scheme,
    StoredEncryption,
    client_context,
)

if TYPE_CHECKING:
    from fuin.s3.request.call import Headers, S3Call
    from fuin.store.s3.buckets import Bucket

_KEY_LIMIT = 2048  # characters of a bucket's default key
_NEEDS_V4 = "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4."
_WHY_DECRYPT = (
    ". The parts of a multipart upload are encrypted under one data key, made when the upload was created; S3 opens it "
    "again for each part, which needs kms:Decrypt."
)


class SseKms(Scheme):
    """Server-side encryption under a KMS key that the request, the bucket or, with alias/aws/s3, nobody chooses."""

    name = s3_encryption.SSE_KMS
    checksum_needs_key = True
    takes_bucket_key = True
    is_under_kms = True
    takes_update = True

    def choose(self, call: S3Call, algorithm: str | None, key: str | None, context: str | None) -> EncryptionChoice:
        """Return the choice; without a key it is alias/aws/s3."""
        return EncryptionChoice(self, key or None, client_context(call, context), "request header")

    def takes_default_key(self, key: str) -> bool:
        """Return whether the key's name is short enough; whether the key exists shows when it is used, as in S3."""
        return len(key) <= _KEY_LIMIT

    def check_caller(self, call: S3Call) -> None:
        """Refuse anonymous callers, also where a policy allows everybody: KMS needs to know who asks.

        Refuse everybody without TLS, if the server demands it.
        """
        if call.lacks_tls:
            raise secure_transport.kms_fault()
        if call.caller is None:
            raise S3Fault("InvalidArgument", _NEEDS_V4, ArgumentName="Authorization", ArgumentValue="null")

    async def _make(
        self, call: S3Call, bucket: Bucket, choice: EncryptionChoice, context: dict[str, str]
    ) -> NewDataKey:
        self.check_caller(call)
        try:
            made = await self._ask_for_new(call, bucket, _complete_key(choice.key, bucket), choice, context)
        except NotAuthorized as error:
            raise error.rephrase(hint=_hint(error)) from None
        call.remember(partial(on_behalf.require_lasting_key, call, made.encryption.key))
        return made

    async def _ask_for_new(
        self, call: S3Call, bucket: Bucket, key: str | None, choice: EncryptionChoice, context: dict[str, str]
    ) -> NewDataKey:
        if not choice.bucket_key:
            return self.new_data_key(choice, await on_behalf.data_key(call, key, context, bucket.region))
        bucket_key = await bucket_keys.bucket_key(call, key, context, bucket.region)
        data_key = os.urandom(on_behalf.DATA_KEY_LENGTH)
        wrapped = wrapping.wrap(bucket_key.take_wrap(), data_key, choice.full_context(call.bucket, call.key))
        stored = StoredEncryption(self, bucket_key.key_arn, choice.context, bucket_key.blob, wrapped)
        return NewDataKey(data_key, stored)

    async def wrap_data_key(
        self, call: S3Call, bucket: Bucket, target: StoredEncryption, data_key: bytes, *, bucket_key: bool
    ) -> StoredEncryption:
        """Return `target` with the data key under its KMS key: kms:Encrypt, or kms:GenerateDataKey for a bucket key."""
        full = target.full_context(bucket.name, call.key)
        if not bucket_key:
            blob = await on_behalf.encrypt(call, data_key, full, target.key, bucket.region)
            return replace(target, blob=blob, wrapped=b"")
        context = {**target.context, ARN_NAME: ids.bucket_arn(bucket.name)}
        kept = await bucket_keys.bucket_key(call, target.key, context, bucket.region)
        return replace(target, blob=kept.blob, wrapped=wrapping.wrap(kept.take_wrap(), data_key, full))

    async def _open(
        self,
        call: S3Call,
        bucket: Bucket,
        stored: StoredEncryption,
        key: str,
        context: dict[str, str],
        for_upload: bool,
    ) -> bytes:
        self.check_caller(call)
        try:
            return await self._ask_for_stored(call, bucket, stored, key, context)
        except NotAuthorized as error:
            raise error.rephrase(hint=_WHY_DECRYPT if for_upload else "") from None

    async def _ask_for_stored(
        self, call: S3Call, bucket: Bucket, stored: StoredEncryption, key: str, context: dict[str, str]
    ) -> bytes:
        if not stored.wrapped:
            return await on_behalf.open_data_key(call, stored.blob, context, bucket.region)
        bucket_key = await bucket_keys.open_bucket_key(call, stored.blob, context, bucket.region)
        return wrapping.unwrap(bucket_key.plaintext.reveal(), stored.wrapped, stored.full_context(bucket.name, key))

    def entries(self, stored: StoredEncryption) -> tuple[EncryptedDataKey, ...]:
        """Return the data key for the header of the message; AWS's SDKs do not open one under a bucket key."""
        if not stored.wrapped:
            return (EncryptedDataKey.from_kms(stored.key, stored.blob),)
        return (wrapping.header_entry(stored.key, stored.blob, stored.wrapped),)

    def etag(self, md5: str | None) -> str:
        """Return 32 random digits: the MD5 would tell about the plaintext."""
        return os.urandom(16).hex()

    def answer_headers(self, call: S3Call, stored: StoredEncryption, *, with_context: bool = False) -> Headers:
        """Return the scheme's name, the key, always as an ARN, and for new objects the context."""
        headers: Headers = [(PREFIX, self.name.encode()), (KEY_ID, stored.key.encode())]
        if stored.wrapped:
            headers.append((BUCKET_KEY, b"true"))
        if with_context and stored.context:
            headers.append((CONTEXT, base64.b64encode(msgspec.json.encode(stored.context))))
        return headers

    def repeats_context(self, call: S3Call, header: str, stored: StoredEncryption) -> bool:
        """Return whether the client's pairs are the same; raises InvalidArgument for malformed ones."""
        return client_context(call, header) == stored.context

    async def repeats_key(self, call: S3Call, bucket: Bucket, key: str, stored: StoredEncryption) -> bool:
        """Return whether the key is the same.

        An alias is looked up only for a caller who may open the upload's data key: the answer tells of the alias.
        """
        if _complete_key(key, bucket) == stored.key:
            return True
        if not on_behalf.is_alias(key):
            return False
        await self.open_data_key(call, bucket, stored, call.key, for_upload=True)
        return await call.consult(on_behalf.arn_of_alias, key, bucket.region) == stored.key


def _complete_key(key: str | None, bucket: Bucket) -> str | None:
    """Complete a bare key id to the bucket's region and account, as S3 does; aliases stay the caller's."""
    return ids.key_arn(bucket.account, bucket.region, key) if key is not None and ids.is_key_id(key) else key


def _hint(error: NotAuthorized) -> str:
    """Return a hint at the most frequent mistake: kms:Encrypt is not the right that storing an object needs."""
    reasons = () if error.decision is None else error.decision.reasons
    if any("kms:Encrypt" in action for reason in reasons for action in reason.instead):
        return ". kms:Encrypt, which is allowed, does not help: storing an object needs kms:GenerateDataKey."
    return ""
