"""SSE-S3 (AES256): data keys under a key of the service, to which the caller needs no right."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fuin.access.vocabulary import s3_encryption
from fuin.kms import on_behalf
from fuin.s3.request.faults import invalid_argument
from fuin.s3.sealing.scheme import PREFIX, EncryptionChoice, Scheme, client_context

if TYPE_CHECKING:
    from fuin.s3.request.call import Headers, S3Call
    from fuin.s3.sealing.scheme import NewDataKey, StoredEncryption
    from fuin.store.s3.buckets import Bucket

_KEY_WITHOUT_KMS = (
    "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
)


class SseS3(Scheme):
    """Server-side encryption under a key that the service owns."""

    name = s3_encryption.SSE_S3
    has_md5_etag = True
    takes_update = True

    def choose(self, call: S3Call, algorithm: str | None, key: str | None, context: str | None) -> EncryptionChoice:
        """Return the choice; a key and a context are for SSE-KMS."""
        if key is not None or context is not None:
            raise invalid_argument(PREFIX.decode(), algorithm or "null", _KEY_WITHOUT_KMS)
        return EncryptionChoice(self, None, {}, "request header")

    def takes_default_key(self, key: str) -> bool:
        """Return False: the service has its own key."""
        return False

    async def _make(
        self, call: S3Call, bucket: Bucket, choice: EncryptionChoice, context: dict[str, str]
    ) -> NewDataKey:
        made = await on_behalf.service_data_key(call, bucket.account, context, bucket.region)
        return self.new_data_key(choice, made)

    async def _open(
        self,
        call: S3Call,
        bucket: Bucket,
        stored: StoredEncryption,
        key: str,
        context: dict[str, str],
        for_upload: bool,
    ) -> bytes:
        return await on_behalf.open_service_data_key(call, stored.blob, context, bucket.region)

    def etag(self, md5: str | None) -> str:
        """Return the MD5, as S3 does."""
        return md5 if md5 is not None else os.urandom(16).hex()

    def answer_headers(self, call: S3Call, stored: StoredEncryption, *, with_context: bool = False) -> Headers:
        """Return the header with the scheme's name."""
        return [(PREFIX, self.name.encode())]

    def repeats_context(self, call: S3Call, header: str, stored: StoredEncryption) -> bool:
        """Return False: there is no context of the client's; raises InvalidArgument for a malformed one."""
        client_context(call, header)
        return False

    async def repeats_key(self, call: S3Call, bucket: Bucket, key: str, stored: StoredEncryption) -> bool:
        """Return False: the client has named no key."""
        return False
