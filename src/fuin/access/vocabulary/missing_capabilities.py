"""The capabilities of S3 that this server does not have: one row for each, with all that follows from its absence.

To build a capability, delete its row. Then its headers are accepted, its condition keys can be put into `s3_keys.py`,
its operations may get a `run` in `s3/operations.py`, and the reference page, the error messages and the warnings of
`fuin policy lint` no longer mention it. Code that refuses the capability imports the row and fails to load, which shows
where to build. Tests check that only its row names a capability.
"""

from __future__ import annotations

from dataclasses import dataclass

from fuin.access.vocabulary.key_row import ConditionKey, Kind, never

_ALL = ("s3:*",)


def s3_actions(names: str) -> frozenset[str]:
    """Return the actions, in lower case, of names without their prefix."""
    return frozenset(f"s3:{name}" for name in names.split())


@dataclass(frozen=True, slots=True)
class Capability:
    """A capability of S3 that this server does not have.

    `subject` begins the sentence of an error: "Replication is" not implemented by this server. A request is refused if
    it has one of `headers` with a value, a header that begins with one of `prefixes`, or is one of `operations`. No
    request has one of `keys`.
    """

    subject: str
    headers: tuple[bytes, ...] = ()
    prefixes: tuple[bytes, ...] = ()
    operations: tuple[str, ...] = ()
    keys: tuple[ConditionKey, ...] = ()

    @property
    def message(self) -> str:
        """Return the sentence of an error."""
        return f"{self.subject} not implemented by this server."

    @property
    def title(self) -> str:
        """Return the name, as the reference page has it."""
        return self.subject.removesuffix(" is").removesuffix(" are").rstrip(",")


def _keys(why: str, *names: str | tuple[str, Kind], on: frozenset[str] | None = None) -> tuple[ConditionKey, ...]:
    """Return rows of condition keys that are missing for one reason; `on` is the `aws_actions` of each row."""
    pairs: list[tuple[str, Kind]] = [(name, "String") if isinstance(name, str) else name for name in names]
    return tuple(never(f"s3:{name}", kind, why, actions=_ALL, aws_actions=on) for name, kind in pairs)


_ANNOTATION_LISTS = s3_actions("listobjectannotations listobjectversionannotations")
_EVENT_HOLD_ACTIONS = s3_actions("putobject putobjectretention replicateobject")
_LOG_ACTIONS = s3_actions("allowvendedlogdeliveryforresource")
_NO_NOTES, _NO_POINTS = "objects have no annotations", "there are no access points"

EVENT_HOLDS = Capability(
    "Event holds of Object Lock are",
    headers=(
        b"x-amz-object-lock-event-hold", b"x-amz-object-lock-event-hold-duration-days",
        b"x-amz-object-lock-event-hold-duration-years",
    ),
    keys=_keys(
        "there are no event holds", "object-lock-event-hold", "object-lock-event-hold-duration-days",
        on=_EVENT_HOLD_ACTIONS,
    ),
)  # fmt: skip
MFA_DELETE = Capability("MFA delete is")
ANNOTATIONS = Capability(
    "Object annotations are",
    headers=(b"x-amz-object-annotation-directive",),
    operations=("DeleteObjectAnnotation", "GetObjectAnnotation", "ListObjectAnnotations", "PutObjectAnnotation"),
    keys=(
        *_keys(_NO_NOTES, "annotation-prefix", ("max-annotation-results", "Numeric"), on=_ANNOTATION_LISTS),
        *_keys(_NO_NOTES, "x-amz-object-annotation-directive", on=s3_actions("putobject")),
        *_keys(_NO_NOTES, "x-amz-object-if-match", on=s3_actions("""
            deleteobjectannotation deleteobjectversionannotation putobjectannotation putobjectversionannotation
        """)),
    ),
)  # fmt: skip
ACLS = Capability("ACLs, and so any ObjectOwnership but BucketOwnerEnforced, are")
BUCKET_ABAC = Capability(
    "Attribute-based access control of buckets is",
    keys=_keys("attribute-based access control of buckets is off", "BucketTag/NAME"),
)
ACCESS_POINTS = Capability(
    "Copying from access points is",
    keys=_keys(
        _NO_POINTS, "AccessPointNetworkOrigin", "AccessPointTag/NAME", "DataAccessPointAccount",
        ("DataAccessPointArn", "ARN"),
    ),
)  # fmt: skip
ACCESS_GRANTS = Capability(
    "S3 Access Grants are",
    keys=_keys(
        "there are no access grants", ("AccessGrantsInstanceArn", "ARN"), "AccessGrantScope",
        "AccessGrantsLocationScope",
    ),
)  # fmt: skip
BATCH_OPERATIONS = Capability(
    "S3 Batch Operations are",
    keys=_keys(
        "there is no batch operation", "ExistingJobOperation", ("ExistingJobPriority", "Numeric"), "JobSuspendedCause",
        "RequestJobOperation", ("RequestJobPriority", "Numeric"),
    ),
)  # fmt: skip
WEBSITE_HOSTING = Capability("Website hosting is", operations=("PutBucketWebsite",))
WEBSITE_REDIRECTION = Capability("Website redirection is", headers=(b"x-amz-website-redirect-location",))
APPENDING = Capability("Appending to objects is", headers=(b"x-amz-write-offset-bytes",))
RENAMING = Capability("Renaming objects is", operations=("RenameObject",))
RESTORING = Capability("Restoring archived objects is", operations=("RestoreObject",))
SELECT = Capability("S3 Select is", operations=("SelectObjectContent",))
OBJECT_LAMBDA = Capability("S3 Object Lambda is", operations=("WriteGetObjectResponse",))
TORRENTS = Capability("Torrents of objects are", operations=("GetObjectTorrent",))
DELETE_BY_SIZE_OR_TIME = Capability("Deleting by size or time is")
DIRECTORY_BUCKETS = Capability("Directory buckets are", operations=("CreateSession",))
METADATA_TABLES = Capability(
    "Metadata tables are",
    operations=(
        "CreateBucketMetadataConfiguration", "CreateBucketMetadataTableConfiguration",
        "UpdateBucketMetadataAnnotationTableConfiguration", "UpdateBucketMetadataInventoryTableConfiguration",
        "UpdateBucketMetadataJournalTableConfiguration",
    ),
)  # fmt: skip
STORAGE_CLASS_ANALYSIS = Capability("Storage class analysis is", operations=("PutBucketAnalyticsConfiguration",))
INTELLIGENT_TIERING = Capability(
    "Archiving by S3 Intelligent-Tiering is", operations=("PutBucketIntelligentTieringConfiguration",)
)
INVENTORY = Capability(
    "Inventory is",
    operations=("PutBucketInventoryConfiguration",),
    keys=(never("s3:InventoryAccessibleOptionalFields", "String", "there is no inventory", actions=_ALL, many=True,
                aws_actions=s3_actions("putinventoryconfiguration")),),
)  # fmt: skip
TRANSITIONS = Capability("Transitions to other storage classes are")
REQUEST_METRICS = Capability("Request metrics are", operations=("PutBucketMetricsConfiguration",))
REPLICATION = Capability(
    "Replication is",
    operations=("PutBucketReplication",),
    keys=(
        *_keys("there is no replication", "destinationRegion", on=s3_actions("pausereplication")),
        *_keys("there is no replication", ("isReplicationPauseRequest", "Bool"),
               on=s3_actions("putreplicationconfiguration")),
    ),
)  # fmt: skip
TRANSFER_ACCELERATION = Capability("Transfer acceleration is")
REQUESTER_PAYS = Capability("Requester Pays is")
ACCESS_LOGGING = Capability(
    "Server access logging is",
    keys=_keys(
        "no logs are delivered", ("deliverySourceArn", "ARN"), "logType", ("resourceArnBeingAuthorized", "ARN"),
        on=_LOG_ACTIONS,
    ),
)  # fmt: skip
EVENT_NOTIFICATIONS = Capability("Event notifications are")

MISSING: tuple[Capability, ...] = tuple(row for row in tuple(vars().values()) if isinstance(row, Capability))
BY_OPERATION = {operation: row for row in MISSING for operation in row.operations}
