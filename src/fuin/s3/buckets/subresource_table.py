"""The table of sub-resources that are only read, removed, or set to the value that every bucket has here.

Source: Amazon S3 API Reference, each operation's page and its errors. Most answers say that nothing is set. They are
true, and clients read them before anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.access import public_access
from fuin.s3.buckets import cors, kept_settings
from fuin.s3.request import tags, xml
from fuin.s3.request.operation import BUCKET

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.s3.request.xml import Node

_ABSENT, _NO_METADATA = "NoSuchConfiguration", "MetadataConfigurationNotFound"
_LAST_PAGE = xml.text("IsTruncated", False)


@dataclass(frozen=True, slots=True)
class Put:
    """A PUT: `take` gets the document's root and returns the JSON to store, or None to store nothing.

    A `checked` document needs Content-MD5 or a checksum, as S3's model says.
    """

    operation: str
    take: Callable[[Node], str | None]
    status: int = 200
    checked: bool = True


@dataclass(frozen=True, slots=True)
class Delete:
    """A DELETE; `absent` is the error for a setting that is not set, if S3 has one."""

    operation: str
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Subresource:
    """One sub-resource; `name` is its name in the query, and that of the stored setting.

    `get` is the operation that reads it. If nothing is stored, it answers with the error `unset`, or with the document
    `root` and its `content`. `show` writes a stored setting.
    """

    name: str
    level: str
    get: str
    unset: str = ""
    text: str | None = None  # of the error, instead of the code's own
    root: str = ""
    content: str = ""
    show: Callable[[str], str] | None = None
    put: Put | None = None
    delete: Delete | None = None


TABLE: tuple[Subresource, ...] = (
    Subresource(
        "abac", BUCKET, "GetBucketAbac", root="AbacStatus",
        content=xml.text("Status", "Disabled"),
        put=Put("PutBucketAbac", kept_settings.attribute_based_access, checked=False),
    ),
    Subresource(
        "accelerate", BUCKET, "GetBucketAccelerateConfiguration",
        root="AccelerateConfiguration",
        show=kept_settings.elements,
        put=Put(
            "PutBucketAccelerateConfiguration", kept_settings.acceleration,
            checked=False,
        ),
    ),
    Subresource(
        "analytics", BUCKET, "ListBucketAnalyticsConfigurations",
        root="ListBucketAnalyticsConfigurationResult", content=_LAST_PAGE,
    ),
    Subresource(
        "analytics&id", BUCKET, "GetBucketAnalyticsConfiguration",
        unset=_ABSENT,
        delete=Delete("DeleteBucketAnalyticsConfiguration", _ABSENT),
    ),
    Subresource(
        cors.SETTING, BUCKET, "GetBucketCors", unset="NoSuchCORSConfiguration", root="CORSConfiguration",
        put=Put("PutBucketCors", cors.parse_document), show=cors.show,
        delete=Delete("DeleteBucketCors"),
    ),
    Subresource(
        "intelligent-tiering", BUCKET,
        "ListBucketIntelligentTieringConfigurations",
        root="ListBucketIntelligentTieringConfigurationsOutput", content=_LAST_PAGE,
    ),
    Subresource(
        "intelligent-tiering&id", BUCKET,
        "GetBucketIntelligentTieringConfiguration",
        unset=_ABSENT,
        delete=Delete(
            "DeleteBucketIntelligentTieringConfiguration", _ABSENT
        ),
    ),
    Subresource(
        "inventory", BUCKET, "ListBucketInventoryConfigurations",
        root="ListInventoryConfigurationsResult", content=_LAST_PAGE,
    ),
    Subresource(
        "inventory&id", BUCKET, "GetBucketInventoryConfiguration",
        unset=_ABSENT,
        delete=Delete("DeleteBucketInventoryConfiguration", _ABSENT),
    ),
    Subresource("logging", BUCKET, "GetBucketLogging", root="BucketLoggingStatus",
                put=Put("PutBucketLogging", kept_settings.logging)),
    Subresource(
        "metadataConfiguration", BUCKET, "GetBucketMetadataConfiguration",
        unset=_NO_METADATA,
        delete=Delete("DeleteBucketMetadataConfiguration", _NO_METADATA),
    ),
    Subresource(
        "metadataTable", BUCKET, "GetBucketMetadataTableConfiguration",
        unset=_NO_METADATA,
        delete=Delete(
            "DeleteBucketMetadataTableConfiguration", _NO_METADATA
        ),
    ),
    Subresource(
        "metrics", BUCKET, "ListBucketMetricsConfigurations",
        root="ListMetricsConfigurationsResult", content=_LAST_PAGE,
    ),
    Subresource(
        "metrics&id", BUCKET, "GetBucketMetricsConfiguration",
        unset=_ABSENT,
        delete=Delete("DeleteBucketMetricsConfiguration", _ABSENT),
    ),
    Subresource(
        "notification", BUCKET, "GetBucketNotificationConfiguration",
        root="NotificationConfiguration",
        put=Put(
            "PutBucketNotificationConfiguration", kept_settings.notifications,
            checked=False,
        ),
    ),
    Subresource(
        kept_settings.OWNERSHIP, BUCKET, "GetBucketOwnershipControls",
        unset="OwnershipControlsNotFoundError", root="OwnershipControls",
        put=Put("PutBucketOwnershipControls", kept_settings.ownership),
        show=kept_settings.rule_of_elements,
        delete=Delete("DeleteBucketOwnershipControls"),
    ),
    Subresource(
        public_access.SETTING, BUCKET, "GetPublicAccessBlock",
        unset="NoSuchPublicAccessBlockConfiguration", root="PublicAccessBlockConfiguration",
        put=Put("PutPublicAccessBlock", kept_settings.public_access_block),
        show=kept_settings.elements, delete=Delete("DeletePublicAccessBlock"),
    ),
    Subresource(
        "replication", BUCKET, "GetBucketReplication",
        unset="ReplicationConfigurationNotFoundError",
        delete=Delete("DeleteBucketReplication"),
    ),
    Subresource(
        "requestPayment", BUCKET, "GetBucketRequestPayment",
        root="RequestPaymentConfiguration", content=xml.text("Payer", "BucketOwner"),
        put=Put("PutBucketRequestPayment", kept_settings.payer),
    ),
    Subresource(
        kept_settings.TAGGING, BUCKET, "GetBucketTagging", unset="NoSuchTagSet", root="Tagging",
        put=Put("PutBucketTagging", kept_settings.bucket_tags, status=204),
        show=tags.tag_set,
        delete=Delete("DeleteBucketTagging"),
    ),
    Subresource(
        "website", BUCKET, "GetBucketWebsite", unset="NoSuchWebsiteConfiguration",
        delete=Delete("DeleteBucketWebsite"),
    ),
)  # fmt: skip
