"""The rows of S3's condition keys (s3:…). Service Authorization Reference, "Amazon S3"."""

from __future__ import annotations

from fuin.access.key_row import ConditionKey, never

_ALL = ("s3:*",)
_PUT, _LIST, _NEW = ("s3:PutObject",), ("s3:ListBucket",), ("s3:CreateBucket",)
_ACLS = ("s3:PutBucketAcl", "s3:PutObjectAcl")
_NO_HEADER, _NO_PARAMETER = "when the header was not sent", "when the parameter was not sent"
_UNSIGNED = "in anonymous requests"
_NO_TAGS, _NO_LOCK, _NO_POINTS = "objects have no tags", "there is no Object Lock", "there are no access points"
_NO_JOBS, _NO_NOTES = "there is no batch operation", "objects have no annotations"
_NO_LOGS = "no logs are delivered"
_GRANTS = ("full-control", "read", "read-acp", "write", "write-acp")


def _header(name: str, actions: tuple[str, ...], holds: str = "the header", absent: str = _NO_HEADER) -> ConditionKey:
    return ConditionKey(f"s3:{name}", "String", actions, holds, absent)


ROWS = (
    ConditionKey("s3:authType", "String", _ALL, "`REST-HEADER`, or `REST-QUERY-STRING` of presigned URLs", _UNSIGNED),
    ConditionKey("s3:delimiter", "String", _LIST, "the parameter", _NO_PARAMETER),
    _header("if-match", ("s3:DeleteObject", "s3:PutObject"), absent=f"{_NO_HEADER}, and in DeleteObjects"),
    _header("if-none-match", _PUT),
    ConditionKey("s3:LocationConstraint", "String", _NEW, "the Region in the body, `eu-west-1` for `EU`",
                 "when the body names none"),
    ConditionKey("s3:max-keys", "Numeric", _LIST, "the parameter", _NO_PARAMETER),
    ConditionKey("s3:ObjectCreationOperation", "Bool", _PUT,
                 "`true` of PutObject, CopyObject and CompleteMultipartUpload, `false` of an upload's other steps"),
    ConditionKey("s3:prefix", "String", _LIST, "the parameter; the key of an object that is missing, where the right "
                 "to list decides between 404 and 403", _NO_PARAMETER),
    ConditionKey("s3:ResourceAccount", "String", _ALL, "the account that owns the bucket"),
    ConditionKey("s3:signatureAge", "Numeric", _ALL, "milliseconds since the signature's date", _UNSIGNED),
    ConditionKey("s3:signatureversion", "String", _ALL, "`AWS4-HMAC-SHA256`", _UNSIGNED),
    ConditionKey("s3:TlsVersion", "Numeric", _ALL, "`1.2` or `1.3`", "without TLS"),
    _header("x-amz-acl", (*_NEW, *_ACLS, *_PUT)),
    _header("x-amz-bucket-namespace", _NEW),
    _header("x-amz-content-sha256", _ALL, "what the signature says of the payload: its hash, `UNSIGNED-PAYLOAD` …",
            "in anonymous requests without the header"),
    _header("x-amz-copy-source", _PUT, "the header, as it was sent"),
    *(_header(f"x-amz-grant-{name}", (*_NEW, *_ACLS, *_PUT)) for name in _GRANTS),
    _header("x-amz-metadata-directive", _PUT),
    _header("x-amz-object-ownership", _NEW),
    _header("x-amz-server-side-encryption", _PUT, absent="when the header was not sent, also if the bucket encrypts"),
    ConditionKey("s3:x-amz-server-side-encryption-aws-kms-key-id", "ARN", _PUT, "the header, as it was sent",
                 "when the header was not sent, also if the bucket has a key"),
    _header("x-amz-server-side-encryption-customer-algorithm", _PUT),
    _header("x-amz-storage-class", (*_PUT, "s3:PutObjectAcl")),
    _header("x-amz-website-redirect-location", _PUT),
    never("s3:VersionId", "String", "buckets are not versioned", actions=_ALL),
    never("s3:BucketTag/NAME", "String", "buckets have no tags", actions=_ALL),
    never("s3:ExistingObjectTag/NAME", "String", _NO_TAGS, actions=_ALL),
    never("s3:RequestObjectTag/NAME", "String", _NO_TAGS, actions=_ALL),
    never("s3:RequestObjectTagKeys", "String", _NO_TAGS, actions=_ALL, many=True),
    never("s3:object-lock-event-hold", "String", _NO_LOCK, actions=_ALL),
    never("s3:object-lock-event-hold-duration-days", "String", _NO_LOCK, actions=_ALL),
    never("s3:object-lock-legal-hold", "String", _NO_LOCK, actions=_ALL),
    never("s3:object-lock-mode", "String", _NO_LOCK, actions=_ALL),
    never("s3:object-lock-remaining-retention-days", "Numeric", _NO_LOCK, actions=_ALL),
    never("s3:object-lock-retain-until-date", "Date", _NO_LOCK, actions=_ALL),
    never("s3:AccessGrantsInstanceArn", "ARN", "there are no access grants", actions=_ALL),
    never("s3:AccessGrantScope", "String", "there are no access grants", actions=_ALL),
    never("s3:AccessGrantsLocationScope", "String", "there are no access grants", actions=_ALL),
    never("s3:AccessPointNetworkOrigin", "String", _NO_POINTS, actions=_ALL),
    never("s3:AccessPointTag/NAME", "String", _NO_POINTS, actions=_ALL),
    never("s3:DataAccessPointAccount", "String", _NO_POINTS, actions=_ALL),
    never("s3:DataAccessPointArn", "ARN", _NO_POINTS, actions=_ALL),
    never("s3:ExistingJobOperation", "String", _NO_JOBS, actions=_ALL),
    never("s3:ExistingJobPriority", "Numeric", _NO_JOBS, actions=_ALL),
    never("s3:JobSuspendedCause", "String", _NO_JOBS, actions=_ALL),
    never("s3:RequestJobOperation", "String", _NO_JOBS, actions=_ALL),
    never("s3:RequestJobPriority", "Numeric", _NO_JOBS, actions=_ALL),
    never("s3:InventoryAccessibleOptionalFields", "String", "there is no inventory", actions=_ALL, many=True),
    never("s3:annotation-prefix", "String", _NO_NOTES, actions=_ALL),
    never("s3:max-annotation-results", "Numeric", _NO_NOTES, actions=_ALL),
    never("s3:x-amz-object-annotation-directive", "String", _NO_NOTES, actions=_ALL),
    never("s3:x-amz-object-if-match", "String", _NO_NOTES, actions=_ALL),
    never("s3:deliverySourceArn", "ARN", _NO_LOGS, actions=_ALL),
    never("s3:logType", "String", _NO_LOGS, actions=_ALL),
    never("s3:resourceArnBeingAuthorized", "ARN", _NO_LOGS, actions=_ALL),
    never("s3:destinationRegion", "String", "there is no replication", actions=_ALL),
    never("s3:isReplicationPauseRequest", "Bool", "there is no replication", actions=_ALL),
)  # fmt: skip
