"""Re-wrap: the encrypted data key of a stored object is exchanged for one under another KMS key or key material.

The data key stays, and so do the object's bytes. Every ciphertext blob of KMS that the index has is encrypted again in
the keyholder, as KMS's ReEncrypt does it: so nobody sees a data key, and the caller needs kms:ReEncryptFrom and
kms:ReEncryptTo, but no right to read. With a bucket key it is the bucket key's blob; what is encrypted under the bucket
key stays. Only a change between an S3 Bucket Key and none needs the data key itself.

The header of the message in the blob is not changed. Its tag is made with a fixed nonce, so a second header under the
same data key would give away what forges frames. See docs/decisions/0028.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fuin.kms import on_behalf
from fuin.s3.sealing.scheme import EncryptionChoice
from fuin.s3.sealing.schemes import UPDATED

if TYPE_CHECKING:
    from fuin.s3.request.call import S3Call
    from fuin.s3.sealing.scheme import StoredEncryption
    from fuin.store.s3.buckets import Bucket


async def rewrap(
    call: S3Call, bucket: Bucket, stored: StoredEncryption, key_arn: str, *, bucket_key: bool
) -> StoredEncryption:
    """Return the encryption of the request's object under a KMS key and its current key material.

    What is under SSE-S3 comes under SSE-KMS. `bucket_key` says whether an S3 Bucket Key is to be used; two layers have
    none. Raises KMS's faults and AccessDenied.
    """
    scheme = stored.scheme if stored.scheme.is_under_kms else UPDATED
    scheme.check_caller(call)
    target = replace(
        stored, scheme=scheme, key=key_arn, header=stored.header or b"".join(one.digest() for one in stored.data_keys())
    )
    if not scheme.takes_bucket_key or bucket_key == bool(stored.wrapped):
        _note(call, stored, target, stored.kms_context(bucket.name, call.key))
        return await _re_encrypt(call, bucket, stored, target)
    data_key = await stored.scheme.open_data_key(call, bucket, stored, call.key)
    choice = EncryptionChoice(scheme, key_arn, stored.context, "request", bucket_key)
    _note(call, stored, target, choice.kms_context(bucket.name, call.key))
    return await scheme.wrap_data_key(call, bucket, target, data_key, bucket_key=bucket_key)


def _note(call: S3Call, stored: StoredEncryption, target: StoredEncryption, context: dict[str, str]) -> None:
    """Put on the record how the data key is encrypted after the change, and how it was before."""
    before = {"encryption": stored.scheme.name, "keyArn": stored.key, "bucketKey": bool(stored.wrapped)}
    call.facts.update(encryption=target.scheme.name, keyArn=target.key, context=context, before=before)


async def _re_encrypt(
    call: S3Call, bucket: Bucket, stored: StoredEncryption, target: StoredEncryption
) -> StoredEncryption:
    context = stored.kms_context(bucket.name, call.key)
    re_encrypt = on_behalf.re_encrypt if stored.scheme.is_under_kms else on_behalf.re_encrypt_service_blob
    blob = await re_encrypt(call, stored.blob, context, target.key, bucket.region)
    inner = await re_encrypt(call, stored.inner, context, target.key, bucket.region) if stored.inner else b""
    return replace(target, blob=blob, inner=inner)
