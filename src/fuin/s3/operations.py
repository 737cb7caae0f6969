"""The table of all operations of S3's service model, and of POST Object: one row for each, built or not.

To build an operation, give its row a `run` and what else it is (`operation.py`), and delete the row of its capability
in `access/vocabulary/missing_capabilities.py`. Routes, rights, the body's limit, the reference page and the requests of
`tests/s3/test_condition_table.py` are read from here. The rows of settings are in `subresource_table.py`.
Source: botocore's S3 model; a test compares this table with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.access.vocabulary.missing_capabilities import BY_OPERATION
from fuin.s3.buckets import acls, bucket_settings, buckets, listing, object_lock, subresources, versioning
from fuin.s3.lifecycle import configuration
from fuin.s3.multipart import completion, parts, uploads
from fuin.s3.objects import copying, encryption_update, form_upload, get, locking, objects, tagging
from fuin.s3.request.faults import S3Fault
from fuin.s3.request.operation import BUCKET, CHECKED_DOCUMENT, CONTENT, DOCUMENT, FORM, OBJECT, SERVICE, S3Operation

if TYPE_CHECKING:
    from fuin.gate.http import Answer
    from fuin.s3.request.call import S3Call, Stream

_ON_BUCKETS = (
    S3Operation("ListBuckets", "GET", SERVICE, run=buckets.list_buckets),
    S3Operation("CreateBucket", "PUT", BUCKET, body=DOCUMENT, run=buckets.create_bucket),
    S3Operation("DeleteBucket", "DELETE", BUCKET, run=buckets.delete_bucket),
    S3Operation(
        "DeleteBucketEncryption", "DELETE", BUCKET, ("encryption",), run=bucket_settings.delete_bucket_encryption,
    ),
    S3Operation("DeleteBucketPolicy", "DELETE", BUCKET, ("policy",), run=bucket_settings.delete_bucket_policy),
    S3Operation("DeleteBucketLifecycle", "DELETE", BUCKET, ("lifecycle",), run=configuration.delete_configuration),
    S3Operation(
        "DeleteObjects", "POST", BUCKET, ("delete",), body=CHECKED_DOCUMENT, has_condition_headers=False,
        run=objects.delete_objects,
    ),
    S3Operation("GetBucketAcl", "GET", BUCKET, ("acl",), run=acls.get_bucket_acl),
    S3Operation("GetBucketEncryption", "GET", BUCKET, ("encryption",), run=bucket_settings.get_bucket_encryption),
    S3Operation("GetBucketLifecycleConfiguration", "GET", BUCKET, ("lifecycle",), run=configuration.get_configuration),
    S3Operation("GetBucketLocation", "GET", BUCKET, ("location",), run=buckets.get_bucket_location),
    S3Operation("GetBucketPolicy", "GET", BUCKET, ("policy",), run=bucket_settings.get_bucket_policy),
    S3Operation(
        "GetBucketPolicyStatus", "GET", BUCKET, ("policyStatus",), run=bucket_settings.get_bucket_policy_status
    ),
    S3Operation("GetBucketVersioning", "GET", BUCKET, ("versioning",), run=versioning.get_bucket_versioning),
    S3Operation(
        "GetObjectLockConfiguration", "GET", BUCKET, ("object-lock",), run=object_lock.get_object_lock_configuration
    ),
    S3Operation("HeadBucket", "HEAD", BUCKET, run=buckets.head_bucket),
    S3Operation("ListMultipartUploads", "GET", BUCKET, ("uploads",), run=uploads.list_multipart_uploads),
    S3Operation("ListObjects", "GET", BUCKET, lists=True, run=listing.list_objects),
    S3Operation("ListObjectVersions", "GET", BUCKET, ("versions",), lists=True, run=versioning.list_object_versions),
    S3Operation("ListObjectsV2", "GET", BUCKET, ("list-type=2",), lists=True, run=listing.list_objects_v2),
    S3Operation("PutBucketAcl", "PUT", BUCKET, ("acl",), body=DOCUMENT, run=acls.put_bucket_acl),
    S3Operation(
        "PutBucketEncryption", "PUT", BUCKET, ("encryption",), body=CHECKED_DOCUMENT,
        run=bucket_settings.put_bucket_encryption,
    ),
    S3Operation(
        "PutBucketLifecycleConfiguration", "PUT", BUCKET, ("lifecycle",), body=CHECKED_DOCUMENT,
        run=configuration.put_configuration,
    ),
    S3Operation(
        "PutBucketPolicy", "PUT", BUCKET, ("policy",), body=CHECKED_DOCUMENT, run=bucket_settings.put_bucket_policy,
    ),
    S3Operation(
        "PutObjectLockConfiguration", "PUT", BUCKET, ("object-lock",), body=CHECKED_DOCUMENT,
        run=object_lock.put_object_lock_configuration,
    ),
    S3Operation(
        "PutBucketVersioning", "PUT", BUCKET, ("versioning",), body=CHECKED_DOCUMENT,
        run=versioning.put_bucket_versioning,
    ),
)  # fmt: skip

_ON_OBJECTS = (
    S3Operation("AbortMultipartUpload", "DELETE", OBJECT, ("uploadId",), run=uploads.abort_multipart_upload),
    S3Operation(
        "CompleteMultipartUpload", "POST", OBJECT, ("uploadId",),
        key_actions=("kms:Decrypt where checksums are sent",), body=DOCUMENT, creates_object=True,
        run=completion.complete_multipart_upload,
    ),
    S3Operation(
        "CopyObject", "PUT", OBJECT, headers=("x-amz-copy-source",),
        key_actions=("kms:Decrypt for the source", "kms:GenerateDataKey for the copy"), creates_object=True,
        run=copying.copy_object,
    ),
    S3Operation(
        "CreateMultipartUpload", "POST", OBJECT, ("uploads",), key_actions=("kms:GenerateDataKey",),
        run=uploads.create_multipart_upload,
    ),
    S3Operation("DeleteObject", "DELETE", OBJECT, run=objects.delete_object),
    S3Operation("GetObject", "GET", OBJECT, key_actions=("kms:Decrypt",), run=get.get_object),
    S3Operation("DeleteObjectTagging", "DELETE", OBJECT, ("tagging",), run=tagging.delete_object_tagging),
    S3Operation("GetObjectAcl", "GET", OBJECT, ("acl",), run=acls.get_object_acl),
    S3Operation(
        "GetObjectAttributes", "GET", OBJECT, ("attributes",), headers=("x-amz-object-attributes",),
        key_actions=("kms:Decrypt where the checksum is asked for",), run=get.get_object_attributes,
    ),
    S3Operation(
        "HeadObject", "HEAD", OBJECT, key_actions=("kms:Decrypt where the checksum is asked for",),
        run=get.head_object,
    ),
    S3Operation("GetObjectLegalHold", "GET", OBJECT, ("legal-hold",), run=locking.get_object_legal_hold),
    S3Operation("GetObjectRetention", "GET", OBJECT, ("retention",), run=locking.get_object_retention),
    S3Operation("GetObjectTagging", "GET", OBJECT, ("tagging",), run=tagging.get_object_tagging),
    S3Operation("ListParts", "GET", OBJECT, ("uploadId",), key_actions=("kms:Decrypt",), run=uploads.list_parts),
    S3Operation(
        "PutObject", "PUT", OBJECT, key_actions=("kms:GenerateDataKey",), body=CONTENT, creates_object=True,
        run=objects.put_object,
    ),
    S3Operation(
        "PutObjectLegalHold", "PUT", OBJECT, ("legal-hold",), body=CHECKED_DOCUMENT, run=locking.put_object_legal_hold
    ),
    S3Operation(
        "PutObjectRetention", "PUT", OBJECT, ("retention",), body=CHECKED_DOCUMENT, run=locking.put_object_retention
    ),
    S3Operation("PutObjectAcl", "PUT", OBJECT, ("acl",), body=DOCUMENT, run=acls.put_object_acl),
    S3Operation(
        "PutObjectTagging", "PUT", OBJECT, ("tagging",), body=CHECKED_DOCUMENT, run=tagging.put_object_tagging
    ),
    S3Operation(
        "UpdateObjectEncryption", "PUT", OBJECT, ("encryption",),
        key_actions=(
            "kms:ReEncryptFrom for the key before", "kms:ReEncryptTo for the new key",
            "kms:Decrypt and kms:Encrypt or kms:GenerateDataKey where an S3 Bucket Key comes or goes",
        ),
        body=CHECKED_DOCUMENT, run=encryption_update.update_object_encryption,
    ),
    S3Operation(
        "UploadPart", "PUT", OBJECT, ("partNumber", "uploadId"), key_actions=("kms:Decrypt",), body=CONTENT,
        run=parts.upload_part,
    ),
    S3Operation(
        "UploadPartCopy", "PUT", OBJECT, ("partNumber", "uploadId"), headers=("x-amz-copy-source",),
        key_actions=("kms:Decrypt for the source and for the upload",), run=parts.upload_part_copy,
    ),
)  # fmt: skip

# Documented by AWS, but not in the service model.
_BESIDE_THE_MODEL = (
    S3Operation(
        "PostObject", "POST", BUCKET, key_actions=("kms:GenerateDataKey",), body=FORM, creates_object=True,
        is_modelled=False, run=form_upload.post_object,
    ),
)  # fmt: skip

# Not built. Two names for one request: `newer_name` answers instead of the older one, or of the one for directory
# buckets.
_NOT_BUILT = (
    S3Operation("CreateBucketMetadataConfiguration", "POST", BUCKET, ("metadataConfiguration",)),
    S3Operation("CreateBucketMetadataTableConfiguration", "POST", BUCKET, ("metadataTable",)),
    S3Operation("CreateSession", "GET", BUCKET, ("session",)),
    S3Operation("DeleteObjectAnnotation", "DELETE", OBJECT, ("annotation", "annotationName")),
    S3Operation("GetBucketLifecycle", "GET", BUCKET, ("lifecycle",), newer_name="GetBucketLifecycleConfiguration"),
    S3Operation(
        "GetBucketNotification", "GET", BUCKET, ("notification",), newer_name="GetBucketNotificationConfiguration",
    ),
    S3Operation("GetObjectAnnotation", "GET", OBJECT, ("annotation", "annotationName")),
    S3Operation("GetObjectTorrent", "GET", OBJECT, ("torrent",)),
    S3Operation("ListDirectoryBuckets", "GET", SERVICE, newer_name="ListBuckets"),
    S3Operation("ListObjectAnnotations", "GET", OBJECT, ("annotation",)),
    S3Operation("PutBucketAnalyticsConfiguration", "PUT", BUCKET, ("analytics", "id")),
    S3Operation("PutBucketIntelligentTieringConfiguration", "PUT", BUCKET, ("intelligent-tiering", "id")),
    S3Operation("PutBucketInventoryConfiguration", "PUT", BUCKET, ("inventory", "id")),
    S3Operation("PutBucketLifecycle", "PUT", BUCKET, ("lifecycle",), newer_name="PutBucketLifecycleConfiguration"),
    S3Operation("PutBucketMetricsConfiguration", "PUT", BUCKET, ("metrics", "id")),
    S3Operation(
        "PutBucketNotification", "PUT", BUCKET, ("notification",), newer_name="PutBucketNotificationConfiguration",
    ),
    S3Operation("PutBucketReplication", "PUT", BUCKET, ("replication",)),
    S3Operation("PutBucketWebsite", "PUT", BUCKET, ("website",)),
    S3Operation("PutObjectAnnotation", "PUT", OBJECT, ("annotation", "annotationName")),
    S3Operation("RenameObject", "PUT", OBJECT, ("renameObject",), headers=("x-amz-rename-source",)),
    S3Operation("RestoreObject", "POST", OBJECT, ("restore",)),
    S3Operation("SelectObjectContent", "POST", OBJECT, ("select", "select-type=2")),
    S3Operation("UpdateBucketMetadataAnnotationTableConfiguration", "PUT", BUCKET, ("metadataAnnotationTable",)),
    S3Operation("UpdateBucketMetadataInventoryTableConfiguration", "PUT", BUCKET, ("metadataInventoryTable",)),
    S3Operation("UpdateBucketMetadataJournalTableConfiguration", "PUT", BUCKET, ("metadataJournalTable",)),
    S3Operation("WriteGetObjectResponse", "POST", BUCKET, headers=("x-amz-request-route", "x-amz-request-token")),
)  # fmt: skip

OPERATIONS: dict[str, S3Operation] = {
    row.name: row
    for row in sorted(
        (*_ON_BUCKETS, *_ON_OBJECTS, *_BESIDE_THE_MODEL, *_NOT_BUILT, *subresources.operations()),
        key=lambda row: row.name,
    )
}


async def run(call: S3Call) -> Answer | Stream:
    """Run the request's operation; raises NotImplemented for those that are not built."""
    if call.row.run is None:
        missing = BY_OPERATION.get(call.operation)
        more = "" if missing is None else f" {missing.subject} not built."
        raise S3Fault("NotImplemented", f"{call.operation} is not implemented by this server.{more}")
    return await call.row.run(call)
