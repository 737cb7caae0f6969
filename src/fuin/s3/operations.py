"""The table of what is built; every other operation of the service model answers NotImplemented at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.s3 import (
    acls,
    bucket_settings,
    buckets,
    complete,
    copying,
    listing,
    objects,
    parts,
    reads,
    subresources,
    uploads,
)
from fuin.s3.faults import S3Fault
from fuin.s3.subresource_table import NOT_BUILT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fuin.gate.http import Answer
    from fuin.s3.call import S3Call, Stream

    Operation = Callable[[S3Call], Awaitable[Answer | Stream]]

BUILT: dict[str, Operation] = {
    **subresources.operations(),
    "AbortMultipartUpload": uploads.abort_multipart_upload,
    "CompleteMultipartUpload": complete.complete_multipart_upload,
    "CopyObject": copying.copy_object,
    "CreateBucket": buckets.create_bucket,
    "CreateMultipartUpload": uploads.create_multipart_upload,
    "DeleteBucket": buckets.delete_bucket,
    "DeleteBucketEncryption": bucket_settings.delete_bucket_encryption,
    "DeleteBucketPolicy": bucket_settings.delete_bucket_policy,
    "DeleteObject": objects.delete_object,
    "DeleteObjects": objects.delete_objects,
    "GetBucketAcl": acls.get_bucket_acl,
    "GetBucketEncryption": bucket_settings.get_bucket_encryption,
    "GetBucketLocation": buckets.get_bucket_location,
    "GetBucketPolicy": bucket_settings.get_bucket_policy,
    "GetBucketPolicyStatus": bucket_settings.get_bucket_policy_status,
    "GetObject": reads.get_object,
    "GetObjectAcl": acls.get_object_acl,
    "GetObjectAttributes": reads.get_object_attributes,
    "HeadBucket": buckets.head_bucket,
    "HeadObject": reads.head_object,
    "ListBuckets": buckets.list_buckets,
    "ListMultipartUploads": uploads.list_multipart_uploads,
    "ListObjects": listing.list_objects,
    "ListObjectsV2": listing.list_objects_v2,
    "ListParts": uploads.list_parts,
    "PutBucketAcl": acls.put_bucket_acl,
    "PutBucketEncryption": bucket_settings.put_bucket_encryption,
    "PutBucketPolicy": bucket_settings.put_bucket_policy,
    "PutObject": objects.put_object,
    "PutObjectAcl": acls.put_object_acl,
    "UploadPart": parts.upload_part,
    "UploadPartCopy": parts.upload_part_copy,
}


async def run(call: S3Call) -> Answer | Stream:
    """Run the request's operation; raises NotImplemented for those that are not built."""
    operation = BUILT.get(call.operation)
    if operation is None:
        what = NOT_BUILT.get(call.operation)
        more = "" if what is None else f" {what} not built."
        raise S3Fault("NotImplemented", f"{call.operation} is not implemented by this server.{more}")
    return await operation(call)
