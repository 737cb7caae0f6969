"""SSE-C: data keys under a key that the client gives with each request, and that is nowhere kept.

KMS is not asked, so nothing here can be revoked, and an object whose key the client has lost is lost. New buckets block
it, as on AWS since April 2026.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fuin.access.vocabulary import s3_encryption
from fuin.envelope import customer_key as wrapping
from fuin.envelope.stream import EncryptedDataKey
from fuin.errors import TamperedError
from fuin.kms.on_behalf import DataKey
from fuin.s3.request.faults import S3Fault
from fuin.s3.sealing import customer_key
from fuin.s3.sealing.scheme import EncryptionChoice, Scheme

if TYPE_CHECKING:
    from fuin.s3.request.call import Headers, S3Call
    from fuin.s3.sealing.customer_key import CustomerKey
    from fuin.s3.sealing.scheme import NewDataKey, StoredEncryption
    from fuin.store.s3.buckets import Bucket

_PROVIDER = "customer"  # of the data key in the message's header
_STORED = (
    "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve "
    "the object."
)
_OTHER = "The provided encryption parameters did not match the ones used originally."


class SseC(Scheme):
    """Server-side encryption under the client's own key."""

    name = s3_encryption.SSE_C

    def choose(self, call: S3Call, algorithm: str | None, key: str | None, context: str | None) -> EncryptionChoice:
        """Return the choice of a request with a customer key; raises InvalidArgument without its MD5."""
        given = customer_key.parse(call.request.headers)
        if given is not None:
            customer_key.require_digest(given)
        return EncryptionChoice(self, None, {}, "request header")

    def takes_default_key(self, key: str) -> bool:
        """Return False: no bucket encrypts under its clients' keys by default."""
        return False

    def check_reader(self, call: S3Call, stored: StoredEncryption, bucket: str, key: str, prefix: bytes) -> None:
        """Raise InvalidRequest without a key, AccessDenied with another one than the object's."""
        self._unwrap(call, stored.blob, stored.full_context(bucket, key), prefix)

    def check_step(self, call: S3Call, stored: StoredEncryption, *, needs_key: bool) -> None:
        """Raise InvalidRequest unless a step of an upload has the key of its creation."""
        given = customer_key.parse(call.request.headers)
        if given is None and needs_key:
            raise S3Fault("InvalidRequest", customer_key.STEP)
        if given is not None:
            _open_step(given, stored.blob, stored.full_context(call.bucket, call.key))

    async def _make(
        self, call: S3Call, bucket: Bucket, choice: EncryptionChoice, context: dict[str, str]
    ) -> NewDataKey:
        given = customer_key.parse(call.request.headers)
        if given is None:
            raise RuntimeError("SSE-C was chosen without a key")
        data_key = os.urandom(32)
        return self.new_data_key(choice, DataKey(data_key, wrapping.wrap(given.key, data_key, context), ""))

    async def _open(
        self,
        call: S3Call,
        bucket: Bucket,
        stored: StoredEncryption,
        key: str,
        context: dict[str, str],
        for_upload: bool,
    ) -> bytes:
        if for_upload:
            given = customer_key.parse(call.request.headers)
            if given is None:
                raise S3Fault("InvalidRequest", customer_key.STEP)
            return _open_step(given, stored.blob, context)
        is_source = b"x-amz-copy-source" in call.request.headers
        return self._unwrap(
            call, stored.blob, context, customer_key.SOURCE_PREFIX if is_source else customer_key.PREFIX
        )

    def _unwrap(self, call: S3Call, blob: bytes, context: dict[str, str], prefix: bytes) -> bytes:
        given = customer_key.parse(call.request.headers, prefix)
        if given is None:
            raise S3Fault("InvalidRequest", _STORED)
        if given.md5 is None:
            raise customer_key.wrong_key()
        try:
            return wrapping.unwrap(given.key, blob, context)
        except TamperedError:
            raise customer_key.wrong_key() from None

    def entries(self, stored: StoredEncryption) -> tuple[EncryptedDataKey, ...]:
        """Return the data key for the header of the message; AWS's SDKs do not open it."""
        return (EncryptedDataKey(_PROVIDER, self.name.encode(), stored.blob),)

    def etag(self, md5: str | None) -> str:
        """Return 32 random digits: the MD5 would tell about the plaintext."""
        return os.urandom(16).hex()

    def answer_headers(self, call: S3Call, stored: StoredEncryption, *, with_context: bool = False) -> Headers:
        """Return the headers that repeat the algorithm and the MD5 of the request's key."""
        return customer_key.answer_headers(customer_key.parse(call.request.headers))

    def repeats_context(self, call: S3Call, header: str, stored: StoredEncryption) -> bool:
        """Return False: a context is for SSE-KMS."""
        return False

    async def repeats_key(self, call: S3Call, bucket: Bucket, key: str, stored: StoredEncryption) -> bool:
        """Return False: a KMS key is for SSE-KMS."""
        return False


def _open_step(given: CustomerKey, blob: bytes, context: dict[str, str]) -> bytes:
    customer_key.require_digest(given)
    try:
        return wrapping.unwrap(given.key, blob, context)
    except TamperedError:
        raise S3Fault("InvalidRequest", _OTHER) from None
