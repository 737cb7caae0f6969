"""DSSE-KMS (aws:kms:dsse): two layers of encryption, each under a data key of its own from the same KMS key.

AWS: "two independent layers of AES-256 encryption" ("Using dual-layer server-side encryption with AWS KMS keys"). There
the second layer's key is S3's own; here KMS makes both, so the right to the KMS key is needed for each. There are no
bucket keys, as on AWS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.access.vocabulary import s3_encryption
from fuin.envelope.stream import EncryptedDataKey
from fuin.kms import on_behalf
from fuin.s3.sealing.scheme import EncryptionChoice, NewDataKey, StoredEncryption
from fuin.s3.sealing.sse_kms import SseKms

if TYPE_CHECKING:
    from fuin.s3.request.call import S3Call
    from fuin.store.s3.buckets import Bucket


class DsseKms(SseKms):
    """Server-side encryption in two layers under a KMS key."""

    name = s3_encryption.SSE_KMS_DSSE
    takes_bucket_key = False
    takes_update = False

    async def _ask_for_new(
        self, call: S3Call, bucket: Bucket, key: str | None, choice: EncryptionChoice, context: dict[str, str]
    ) -> NewDataKey:
        outer, inner = await on_behalf.two_data_keys(call, key, context, bucket.region)
        stored = StoredEncryption(self, outer.key_arn, choice.context, outer.blob, inner=inner.blob)
        return NewDataKey(outer.plaintext + inner.plaintext, stored)

    async def _ask_for_stored(
        self, call: S3Call, bucket: Bucket, stored: StoredEncryption, key: str, context: dict[str, str]
    ) -> bytes:
        outer = await on_behalf.open_data_key(call, stored.blob, context, bucket.region)
        return outer + await on_behalf.open_data_key(call, stored.inner, context, bucket.region)

    def entries(self, stored: StoredEncryption) -> tuple[EncryptedDataKey, ...]:
        """Return the data keys for the headers of both messages, the outer one first."""
        return tuple(EncryptedDataKey.from_kms(stored.key, blob) for blob in (stored.blob, stored.inner))
