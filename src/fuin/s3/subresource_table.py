"""Sub-resources of buckets and objects that are only read, removed, or set to what holds here: one table.

Source: Amazon S3 API Reference, each operation's page and its errors; Service Authorization Reference, "Amazon S3",
for the actions. Most answers tell that nothing is set. They are true, and clients read them before anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.access import public_access
from fuin.s3 import kept_settings, xml
from fuin.s3.routes import BUCKET, OBJECT

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.s3.xml import Node

_ABSENT, _NO_METADATA = "NoSuchConfiguration", "MetadataConfigurationNotFound"
_NO_LOCK = "Bucket is missing Object Lock Configuration"
_LAST_PAGE = xml.text("IsTruncated", False)


@dataclass(frozen=True, slots=True)
class Put:
    """What is put: `take` looks at the document's root and returns what to keep, as JSON, or None for nothing.

    `checked` documents must bring Content-MD5 or a checksum, as S3's model says.
    """

    operation: str
    action: str
    take: Callable[[Node], str | None]
    status: int = 200
    checked: bool = True


@dataclass(frozen=True, slots=True)
class Delete:
    """What is removed; `absent` is the error for what is not set, where S3 has one."""

    operation: str
    action: str
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Subresource:
    """One sub-resource, `name` in the query, which is also the name of what is kept.

    `get` is the operation that reads it, and the action that this asks for. While nothing is kept, it answers with the
    error `unset`, or else with the document `root` and its `content`. `show` writes what is kept.
    """

    name: str
    level: str
    get: tuple[str, str]
    unset: str = ""
    text: str | None = None  # of the error, where the code's own will not do
    root: str = ""
    content: str = ""
    show: Callable[[str], str] | None = None
    put: Put | None = None
    delete: Delete | None = None


TABLE: tuple[Subresource, ...] = (
    Subresource(
        "abac", BUCKET, ("GetBucketAbac", "s3:GetBucketAbac"), root="AbacStatus",
        content=xml.text("Status", "Disabled"),
        put=Put("PutBucketAbac", "s3:PutBucketAbac", kept_settings.attribute_based, checked=False),
    ),
    Subresource(
        "accelerate", BUCKET, ("GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration"),
        root="AccelerateConfiguration",
        show=kept_settings.elements,
        put=Put(
            "PutBucketAccelerateConfiguration", "s3:PutAccelerateConfiguration", kept_settings.acceleration,
            checked=False,
        ),
    ),
    Subresource(
        "analytics", BUCKET, ("ListBucketAnalyticsConfigurations", "s3:GetAnalyticsConfiguration"),
        root="ListBucketAnalyticsConfigurationResult", content=_LAST_PAGE,
    ),
    Subresource(
        "analytics&id", BUCKET, ("GetBucketAnalyticsConfiguration", "s3:GetAnalyticsConfiguration"),
        unset=_ABSENT,
        delete=Delete("DeleteBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration", _ABSENT),
    ),
    Subresource(
        "cors", BUCKET, ("GetBucketCors", "s3:GetBucketCORS"), unset="NoSuchCORSConfiguration",
        delete=Delete("DeleteBucketCors", "s3:PutBucketCORS"),
    ),
    Subresource(
        "intelligent-tiering", BUCKET,
        ("ListBucketIntelligentTieringConfigurations", "s3:GetIntelligentTieringConfiguration"),
        root="ListBucketIntelligentTieringConfigurationsOutput", content=_LAST_PAGE,
    ),
    Subresource(
        "intelligent-tiering&id", BUCKET,
        ("GetBucketIntelligentTieringConfiguration", "s3:GetIntelligentTieringConfiguration"),
        unset=_ABSENT,
        delete=Delete(
            "DeleteBucketIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration", _ABSENT
        ),
    ),
    Subresource(
        "inventory", BUCKET, ("ListBucketInventoryConfigurations", "s3:GetInventoryConfiguration"),
        root="ListInventoryConfigurationsResult", content=_LAST_PAGE,
    ),
    Subresource(
        "inventory&id", BUCKET, ("GetBucketInventoryConfiguration", "s3:GetInventoryConfiguration"),
        unset=_ABSENT,
        delete=Delete("DeleteBucketInventoryConfiguration", "s3:PutInventoryConfiguration", _ABSENT),
    ),
    Subresource(
        "legal-hold", OBJECT, ("GetObjectLegalHold", "s3:GetObjectLegalHold"), unset="InvalidRequest", text=_NO_LOCK
    ),
    Subresource(
        "lifecycle", BUCKET, ("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
        unset="NoSuchLifecycleConfiguration", delete=Delete("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration"),
    ),
    Subresource("logging", BUCKET, ("GetBucketLogging", "s3:GetBucketLogging"), root="BucketLoggingStatus",
                put=Put("PutBucketLogging", "s3:PutBucketLogging", kept_settings.logging)),
    Subresource(
        "metadataConfiguration", BUCKET, ("GetBucketMetadataConfiguration", "s3:GetBucketMetadataTableConfiguration"),
        unset=_NO_METADATA,
        delete=Delete("DeleteBucketMetadataConfiguration", "s3:DeleteBucketMetadataTableConfiguration", _NO_METADATA),
    ),
    Subresource(
        "metadataTable", BUCKET, ("GetBucketMetadataTableConfiguration", "s3:GetBucketMetadataTableConfiguration"),
        unset=_NO_METADATA,
        delete=Delete(
            "DeleteBucketMetadataTableConfiguration", "s3:DeleteBucketMetadataTableConfiguration", _NO_METADATA
        ),
    ),
    Subresource(
        "metrics", BUCKET, ("ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration"),
        root="ListMetricsConfigurationsResult", content=_LAST_PAGE,
    ),
    Subresource(
        "metrics&id", BUCKET, ("GetBucketMetricsConfiguration", "s3:GetMetricsConfiguration"),
        unset=_ABSENT,
        delete=Delete("DeleteBucketMetricsConfiguration", "s3:PutMetricsConfiguration", _ABSENT),
    ),
    Subresource(
        "notification", BUCKET, ("GetBucketNotificationConfiguration", "s3:GetBucketNotification"),
        root="NotificationConfiguration",
        put=Put(
            "PutBucketNotificationConfiguration", "s3:PutBucketNotification", kept_settings.notifications,
            checked=False,
        ),
    ),
    Subresource(
        "object-lock", BUCKET, ("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"),
        unset="ObjectLockConfigurationNotFoundError",
    ),
    Subresource(
        kept_settings.OWNERSHIP, BUCKET, ("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls"),
        unset="OwnershipControlsNotFoundError", root="OwnershipControls",
        put=Put("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls", kept_settings.ownership),
        show=kept_settings.rule_of_elements,
        delete=Delete("DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
    ),
    Subresource(
        public_access.SETTING, BUCKET, ("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
        unset="NoSuchPublicAccessBlockConfiguration", root="PublicAccessBlockConfiguration",
        put=Put("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", kept_settings.public_access_block),
        show=kept_settings.elements, delete=Delete("DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    ),
    Subresource(
        "replication", BUCKET, ("GetBucketReplication", "s3:GetReplicationConfiguration"),
        unset="ReplicationConfigurationNotFoundError",
        delete=Delete("DeleteBucketReplication", "s3:PutReplicationConfiguration"),
    ),
    Subresource(
        "requestPayment", BUCKET, ("GetBucketRequestPayment", "s3:GetBucketRequestPayment"),
        root="RequestPaymentConfiguration", content=xml.text("Payer", "BucketOwner"),
        put=Put("PutBucketRequestPayment", "s3:PutBucketRequestPayment", kept_settings.payer),
    ),
    Subresource(
        "retention", OBJECT, ("GetObjectRetention", "s3:GetObjectRetention"), unset="InvalidRequest", text=_NO_LOCK
    ),
    Subresource(
        "tagging", BUCKET, ("GetBucketTagging", "s3:GetBucketTagging"), unset="NoSuchTagSet", root="Tagging",
        put=Put("PutBucketTagging", "s3:PutBucketTagging", kept_settings.bucket_tags, status=204),
        delete=Delete("DeleteBucketTagging", "s3:PutBucketTagging"),
    ),
    Subresource(
        "tagging", OBJECT, ("GetObjectTagging", "s3:GetObjectTagging"), root="Tagging", content=xml.tag("TagSet"),
        put=Put("PutObjectTagging", "s3:PutObjectTagging", kept_settings.object_tags),
        delete=Delete("DeleteObjectTagging", "s3:DeleteObjectTagging"),
    ),
    Subresource(
        "versioning", BUCKET, ("GetBucketVersioning", "s3:GetBucketVersioning"), root="VersioningConfiguration",
        put=Put("PutBucketVersioning", "s3:PutBucketVersioning", kept_settings.versioning),
        show=kept_settings.elements,
    ),
    Subresource(
        "website", BUCKET, ("GetBucketWebsite", "s3:GetBucketWebsite"), unset="NoSuchWebsiteConfiguration",
        delete=Delete("DeleteBucketWebsite", "s3:DeleteBucketWebsite"),
    ),
)  # fmt: skip

# What cannot be put at all, for the text of the refusal.
NOT_BUILT: dict[str, str] = {
    "CreateBucketMetadataConfiguration": "Metadata tables are",
    "CreateBucketMetadataTableConfiguration": "Metadata tables are",
    "PutBucketAnalyticsConfiguration": "Storage class analysis is",
    "PutBucketCors": "Cross-origin rules (CORS) are",
    "PutBucketIntelligentTieringConfiguration": "Archiving by S3 Intelligent-Tiering is",
    "PutBucketInventoryConfiguration": "Inventory is",
    "PutBucketLifecycleConfiguration": "Lifecycle rules are",
    "PutBucketMetricsConfiguration": "Request metrics are",
    "PutBucketReplication": "Replication is",
    "PutBucketWebsite": "Website hosting is",
    "PutObjectLegalHold": "Object Lock is",
    "PutObjectLockConfiguration": "Object Lock is",
    "PutObjectRetention": "Object Lock is",
}
