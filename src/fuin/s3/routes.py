"""The routes of all S3 operations of the service model: method, level, and the query and headers that name each.

Source: botocore's S3 model; a test compares this table with it. What is built stands in `operations.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.s3.faults import S3Fault

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

SERVICE, BUCKET, OBJECT = "service", "bucket", "object"


@dataclass(frozen=True, slots=True)
class Route:
    """How one operation is recognised; a query entry is a name, or name=value where the value matters."""

    operation: str
    method: str
    level: str
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()

    def matches(self, query: Mapping[str, str], headers: Container[bytes]) -> bool:
        """Tell whether a request of this method and level is this operation."""
        for entry in self.query:
            name, wants_value, value = entry.partition("=")
            if name not in query or (wants_value and query[name] != value):
                return False
        return all(header.encode() in headers for header in self.headers)


ROUTES: tuple[Route, ...] = (
    Route("AbortMultipartUpload", "DELETE", OBJECT, ("uploadId",)),
    Route("CompleteMultipartUpload", "POST", OBJECT, ("uploadId",)),
    Route("CopyObject", "PUT", OBJECT, (), ("x-amz-copy-source",)),
    Route("CreateBucket", "PUT", BUCKET),
    Route("CreateBucketMetadataConfiguration", "POST", BUCKET, ("metadataConfiguration",)),
    Route("CreateBucketMetadataTableConfiguration", "POST", BUCKET, ("metadataTable",)),
    Route("CreateMultipartUpload", "POST", OBJECT, ("uploads",)),
    Route("CreateSession", "GET", BUCKET, ("session",)),
    Route("DeleteBucket", "DELETE", BUCKET),
    Route("DeleteBucketAnalyticsConfiguration", "DELETE", BUCKET, ("analytics", "id")),
    Route("DeleteBucketCors", "DELETE", BUCKET, ("cors",)),
    Route("DeleteBucketEncryption", "DELETE", BUCKET, ("encryption",)),
    Route("DeleteBucketIntelligentTieringConfiguration", "DELETE", BUCKET, ("intelligent-tiering", "id")),
    Route("DeleteBucketInventoryConfiguration", "DELETE", BUCKET, ("inventory", "id")),
    Route("DeleteBucketLifecycle", "DELETE", BUCKET, ("lifecycle",)),
    Route("DeleteBucketMetadataConfiguration", "DELETE", BUCKET, ("metadataConfiguration",)),
    Route("DeleteBucketMetadataTableConfiguration", "DELETE", BUCKET, ("metadataTable",)),
    Route("DeleteBucketMetricsConfiguration", "DELETE", BUCKET, ("metrics", "id")),
    Route("DeleteBucketOwnershipControls", "DELETE", BUCKET, ("ownershipControls",)),
    Route("DeleteBucketPolicy", "DELETE", BUCKET, ("policy",)),
    Route("DeleteBucketReplication", "DELETE", BUCKET, ("replication",)),
    Route("DeleteBucketTagging", "DELETE", BUCKET, ("tagging",)),
    Route("DeleteBucketWebsite", "DELETE", BUCKET, ("website",)),
    Route("DeleteObject", "DELETE", OBJECT),
    Route("DeleteObjectAnnotation", "DELETE", OBJECT, ("annotation", "annotationName")),
    Route("DeleteObjectTagging", "DELETE", OBJECT, ("tagging",)),
    Route("DeleteObjects", "POST", BUCKET, ("delete",)),
    Route("DeletePublicAccessBlock", "DELETE", BUCKET, ("publicAccessBlock",)),
    Route("GetBucketAbac", "GET", BUCKET, ("abac",)),
    Route("GetBucketAccelerateConfiguration", "GET", BUCKET, ("accelerate",)),
    Route("GetBucketAcl", "GET", BUCKET, ("acl",)),
    Route("GetBucketAnalyticsConfiguration", "GET", BUCKET, ("analytics", "id")),
    Route("GetBucketCors", "GET", BUCKET, ("cors",)),
    Route("GetBucketEncryption", "GET", BUCKET, ("encryption",)),
    Route("GetBucketIntelligentTieringConfiguration", "GET", BUCKET, ("intelligent-tiering", "id")),
    Route("GetBucketInventoryConfiguration", "GET", BUCKET, ("inventory", "id")),
    Route("GetBucketLifecycle", "GET", BUCKET, ("lifecycle",)),
    Route("GetBucketLifecycleConfiguration", "GET", BUCKET, ("lifecycle",)),
    Route("GetBucketLocation", "GET", BUCKET, ("location",)),
    Route("GetBucketLogging", "GET", BUCKET, ("logging",)),
    Route("GetBucketMetadataConfiguration", "GET", BUCKET, ("metadataConfiguration",)),
    Route("GetBucketMetadataTableConfiguration", "GET", BUCKET, ("metadataTable",)),
    Route("GetBucketMetricsConfiguration", "GET", BUCKET, ("metrics", "id")),
    Route("GetBucketNotification", "GET", BUCKET, ("notification",)),
    Route("GetBucketNotificationConfiguration", "GET", BUCKET, ("notification",)),
    Route("GetBucketOwnershipControls", "GET", BUCKET, ("ownershipControls",)),
    Route("GetBucketPolicy", "GET", BUCKET, ("policy",)),
    Route("GetBucketPolicyStatus", "GET", BUCKET, ("policyStatus",)),
    Route("GetBucketReplication", "GET", BUCKET, ("replication",)),
    Route("GetBucketRequestPayment", "GET", BUCKET, ("requestPayment",)),
    Route("GetBucketTagging", "GET", BUCKET, ("tagging",)),
    Route("GetBucketVersioning", "GET", BUCKET, ("versioning",)),
    Route("GetBucketWebsite", "GET", BUCKET, ("website",)),
    Route("GetObject", "GET", OBJECT),
    Route("GetObjectAcl", "GET", OBJECT, ("acl",)),
    Route("GetObjectAnnotation", "GET", OBJECT, ("annotation", "annotationName")),
    Route("GetObjectAttributes", "GET", OBJECT, ("attributes",), ("x-amz-object-attributes",)),
    Route("GetObjectLegalHold", "GET", OBJECT, ("legal-hold",)),
    Route("GetObjectLockConfiguration", "GET", BUCKET, ("object-lock",)),
    Route("GetObjectRetention", "GET", OBJECT, ("retention",)),
    Route("GetObjectTagging", "GET", OBJECT, ("tagging",)),
    Route("GetObjectTorrent", "GET", OBJECT, ("torrent",)),
    Route("GetPublicAccessBlock", "GET", BUCKET, ("publicAccessBlock",)),
    Route("HeadBucket", "HEAD", BUCKET),
    Route("HeadObject", "HEAD", OBJECT),
    Route("ListBucketAnalyticsConfigurations", "GET", BUCKET, ("analytics",)),
    Route("ListBucketIntelligentTieringConfigurations", "GET", BUCKET, ("intelligent-tiering",)),
    Route("ListBucketInventoryConfigurations", "GET", BUCKET, ("inventory",)),
    Route("ListBucketMetricsConfigurations", "GET", BUCKET, ("metrics",)),
    Route("ListBuckets", "GET", SERVICE),
    Route("ListDirectoryBuckets", "GET", SERVICE),
    Route("ListMultipartUploads", "GET", BUCKET, ("uploads",)),
    Route("ListObjectAnnotations", "GET", OBJECT, ("annotation",)),
    Route("ListObjectVersions", "GET", BUCKET, ("versions",)),
    Route("ListObjects", "GET", BUCKET),
    Route("ListObjectsV2", "GET", BUCKET, ("list-type=2",)),
    Route("ListParts", "GET", OBJECT, ("uploadId",)),
    Route("PutBucketAbac", "PUT", BUCKET, ("abac",)),
    Route("PutBucketAccelerateConfiguration", "PUT", BUCKET, ("accelerate",)),
    Route("PutBucketAcl", "PUT", BUCKET, ("acl",)),
    Route("PutBucketAnalyticsConfiguration", "PUT", BUCKET, ("analytics", "id")),
    Route("PutBucketCors", "PUT", BUCKET, ("cors",)),
    Route("PutBucketEncryption", "PUT", BUCKET, ("encryption",)),
    Route("PutBucketIntelligentTieringConfiguration", "PUT", BUCKET, ("intelligent-tiering", "id")),
    Route("PutBucketInventoryConfiguration", "PUT", BUCKET, ("inventory", "id")),
    Route("PutBucketLifecycle", "PUT", BUCKET, ("lifecycle",)),
    Route("PutBucketLifecycleConfiguration", "PUT", BUCKET, ("lifecycle",)),
    Route("PutBucketLogging", "PUT", BUCKET, ("logging",)),
    Route("PutBucketMetricsConfiguration", "PUT", BUCKET, ("metrics", "id")),
    Route("PutBucketNotification", "PUT", BUCKET, ("notification",)),
    Route("PutBucketNotificationConfiguration", "PUT", BUCKET, ("notification",)),
    Route("PutBucketOwnershipControls", "PUT", BUCKET, ("ownershipControls",)),
    Route("PutBucketPolicy", "PUT", BUCKET, ("policy",)),
    Route("PutBucketReplication", "PUT", BUCKET, ("replication",)),
    Route("PutBucketRequestPayment", "PUT", BUCKET, ("requestPayment",)),
    Route("PutBucketTagging", "PUT", BUCKET, ("tagging",)),
    Route("PutBucketVersioning", "PUT", BUCKET, ("versioning",)),
    Route("PutBucketWebsite", "PUT", BUCKET, ("website",)),
    Route("PutObject", "PUT", OBJECT),
    Route("PutObjectAcl", "PUT", OBJECT, ("acl",)),
    Route("PutObjectAnnotation", "PUT", OBJECT, ("annotation", "annotationName")),
    Route("PutObjectLegalHold", "PUT", OBJECT, ("legal-hold",)),
    Route("PutObjectLockConfiguration", "PUT", BUCKET, ("object-lock",)),
    Route("PutObjectRetention", "PUT", OBJECT, ("retention",)),
    Route("PutObjectTagging", "PUT", OBJECT, ("tagging",)),
    Route("PutPublicAccessBlock", "PUT", BUCKET, ("publicAccessBlock",)),
    Route("RenameObject", "PUT", OBJECT, ("renameObject",), ("x-amz-rename-source",)),
    Route("RestoreObject", "POST", OBJECT, ("restore",)),
    Route("SelectObjectContent", "POST", OBJECT, ("select", "select-type=2")),
    Route("UpdateBucketMetadataAnnotationTableConfiguration", "PUT", BUCKET, ("metadataAnnotationTable",)),
    Route("UpdateBucketMetadataInventoryTableConfiguration", "PUT", BUCKET, ("metadataInventoryTable",)),
    Route("UpdateBucketMetadataJournalTableConfiguration", "PUT", BUCKET, ("metadataJournalTable",)),
    Route("UpdateObjectEncryption", "PUT", OBJECT, ("encryption",)),
    Route("UploadPart", "PUT", OBJECT, ("partNumber", "uploadId")),
    Route("UploadPartCopy", "PUT", OBJECT, ("partNumber", "uploadId"), ("x-amz-copy-source",)),
    Route("WriteGetObjectResponse", "POST", BUCKET, (), ("x-amz-request-route", "x-amz-request-token")),
)

# Two names for one request in the model: the older name of each pair, or the one for S3's directory buckets.
TWINS: dict[str, str] = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
    "ListDirectoryBuckets": "ListBuckets",
}

# Query names that choose an operation: with a method that has none for them the request must not become another one.
_CHOOSERS = frozenset(
    entry.partition("=")[0]
    for route in ROUTES
    for entry in route.query
    if entry not in {"id", "partNumber", "list-type=2"}
)


def _table() -> dict[tuple[str, str], tuple[Route, ...]]:
    """Return the routes of each method and level, those with most conditions first."""
    table: dict[tuple[str, str], list[Route]] = {}
    for route in ROUTES:
        if route.operation not in TWINS:
            table.setdefault((route.method, route.level), []).append(route)
    return {
        index: tuple(sorted(routes, key=lambda route: -len(route.query) - len(route.headers)))
        for index, routes in table.items()
    }


_BY_REQUEST = _table()


def match(method: str, level: str, query: Mapping[str, str], headers: Container[bytes]) -> str:
    """Return the name of the operation that a request asks for; raises S3Fault (405, 501, or 403 for CORS).

    A sub-resource that the method does not know is refused: `PUT /bucket/key?unknown-to-put` must never be PutObject.
    """
    for route in _BY_REQUEST.get((method, level), ()):
        if route.matches(query, headers):
            if not route.query and (not _CHOOSERS.isdisjoint(query) or (method == "PUT" and "partNumber" in query)):
                break
            return route.operation
    if method == "OPTIONS":
        raise S3Fault("AccessForbidden", Method="OPTIONS", ResourceType=level.upper())
    if method == "POST" and level == BUCKET and _CHOOSERS.isdisjoint(query):
        raise S3Fault("NotImplemented", "Uploads by HTML form (POST Object) are not implemented by this server.")
    raise S3Fault("MethodNotAllowed", Method=method, ResourceType=level.upper())
