"""Encryption headers on the steps of a multipart upload, whose encryption was settled when it was created.

AWS takes none there. minio-go, and so all that is built on it, repeats those of the creation when it completes an
upload, at every endpoint that is not Amazon's. What only repeats adds nothing and takes nothing away, so it is taken;
what says something else is refused, since whoever says it expects it to hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin import ids
from fuin.kms import on_behalf
from fuin.s3 import encryption, uploads
from fuin.s3.encryption import BUCKET_KEY, CONTEXT, KEY_ID, KMS, PREFIX
from fuin.s3.faults import invalid_argument

if TYPE_CHECKING:
    from fuin.s3.call import S3Call
    from fuin.s3.encryption import Encryption
    from fuin.store.s3.buckets import Bucket

_OTHER = "The encryption that the request names is not the one that the multipart upload was created with."


async def check(call: S3Call, bucket: Bucket, kept: Encryption) -> None:
    """Raise InvalidArgument unless the request's encryption headers say what the upload, or its object, has."""
    headers = call.request.headers
    encryption.refuse_customer_keys(headers)
    algorithm, key, context = call.header(PREFIX), call.header(KEY_ID), call.header(CONTEXT)
    if algorithm is not None and algorithm != kept.algorithm:
        raise invalid_argument(PREFIX.decode(), algorithm[:100], _OTHER)
    encryption.check_flag(call.header(BUCKET_KEY))
    if context is not None:
        _check_context(call, context, kept)
    if key:
        await _check_key(call, bucket, key, kept)


def _check_context(call: S3Call, context: str, kept: Encryption) -> None:
    pairs = encryption.client_context(context, ids.object_arn(call.bucket, call.key))
    if kept.algorithm != KMS or pairs != kept.context:
        raise invalid_argument(CONTEXT.decode(), context[:100], _OTHER)


async def _check_key(call: S3Call, bucket: Bucket, key: str, kept: Encryption) -> None:
    """Compare the key; an alias is looked up only for who may open the upload's data key: it tells of the alias."""
    if kept.algorithm == KMS:
        if encryption.complete_key(key, bucket) == kept.key:
            return
        if on_behalf.is_alias(key):
            await uploads.open_data_key(call, bucket, kept)
            if await call.consult(on_behalf.arn_of_alias, key, bucket.region) == kept.key:
                return
    raise invalid_argument(KEY_ID.decode(), key[:100], _OTHER)
