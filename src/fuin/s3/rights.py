"""Who may do what to a bucket or an object: one call to the gate for each right, and rights come before existence."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fuin import ids
from fuin.gate import permit_bucket, permit_identity
from fuin.s3.faults import S3Fault

if TYPE_CHECKING:
    from fuin.s3.exchange import Exchange
    from fuin.store.buckets import Bucket

# Request headers that policies can speak of as s3:HEADER (Service Authorization Reference, "Condition keys for S3").
_CONDITION_HEADERS = (
    b"x-amz-acl", b"x-amz-content-sha256", b"x-amz-copy-source", b"x-amz-metadata-directive",
    b"x-amz-server-side-encryption", b"x-amz-server-side-encryption-aws-kms-key-id", b"x-amz-storage-class",
)  # fmt: skip
_LISTING_KEYS = ("prefix", "delimiter", "max-keys")


def _conditions(x: Exchange) -> dict[str, str]:
    """Return the condition keys that a request gives values to."""
    found = {f"s3:{name.decode()}": x.header(name) or "" for name in _CONDITION_HEADERS if name in x.request.headers}
    if x.caller is not None:
        found["s3:authType"] = "REST-QUERY-STRING" if x.caller.signed.presigned else "REST-HEADER"
        found["s3:signatureversion"] = "AWS4-HMAC-SHA256"
    if not x.key:
        found |= {f"s3:{name}": x.query[name] for name in _LISTING_KEYS if name in x.query}
    return found


def bucket_for(x: Exchange, action: str) -> Bucket:
    """Return the request's bucket once the caller may do `action` to it; raises AccessDenied, then NoSuchBucket."""
    return _reach(x, action, x.bucket, ids.bucket_arn(x.bucket))


def bucket_of_object(x: Exchange, action: str) -> Bucket:
    """Return the request's bucket once the caller may do `action` to the request's object."""
    return _reach(x, action, x.bucket, ids.object_arn(x.bucket, x.key))


def bucket_of_other(x: Exchange, action: str, bucket: str, key: str) -> Bucket:
    """Return the bucket of another object than the request's: a copy's source, or one of many to delete."""
    return _reach(x, action, bucket, ids.object_arn(bucket, key), b"x-amz-source-expected-bucket-owner")


def _reach(
    x: Exchange, action: str, name: str, arn: str, owner_header: bytes = b"x-amz-expected-bucket-owner"
) -> Bucket:
    conditions = _conditions(x)
    bucket = x.services.store.catalog().bucket(name)
    if bucket is None:
        permit_identity(x.call, action, arn, x.call.account, conditions)
        raise S3Fault("NoSuchBucket", BucketName=name)
    permit_bucket(x.call, action, arn, bucket.account, bucket.policy, conditions)
    check_owner(x, bucket, owner_header)
    x.call.remember(partial(_reach_again, x, action, bucket, arn, conditions))
    return bucket


def _reach_again(x: Exchange, action: str, bucket: Bucket, arn: str, conditions: dict[str, str]) -> None:
    """Ask again for a right to a bucket, which another account may have by now; raises NoSuchBucket then."""
    now = x.services.store.catalog().bucket(bucket.name)
    if now is None or (now.account, now.created) != (bucket.account, bucket.created):
        raise S3Fault("NoSuchBucket", BucketName=bucket.name)
    permit_bucket(x.call, action, arn, now.account, now.policy, conditions)


def check_owner(x: Exchange, bucket: Bucket, header: bytes = b"x-amz-expected-bucket-owner") -> None:
    """Raise AccessDenied when the request expects the bucket to be another account's."""
    expected = x.header(header)
    if expected is not None and expected != bucket.account:
        raise S3Fault("AccessDenied")


def missing_object(x: Exchange, bucket: Bucket, key: str) -> S3Fault:
    """Return NoSuchKey for a caller who may list the bucket; raises AccessDenied for one who may not."""
    permit_bucket(x.call, "s3:ListBucket", ids.bucket_arn(bucket.name), bucket.account, bucket.policy, _conditions(x))
    return S3Fault("NoSuchKey", Key=key)
