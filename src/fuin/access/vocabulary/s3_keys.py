"""The rows of S3's condition keys (s3:…), and the actions that each belongs to.

Source: Service Authorization Reference, "Amazon S3". Keys that no request to this server has are in the row of the
missing capability (`missing_capabilities.py`).
"""

from __future__ import annotations

from fuin.access.vocabulary.actions import S3_VERSION_ACTIONS
from fuin.access.vocabulary.key_row import ConditionKey, Kind
from fuin.access.vocabulary.missing_capabilities import MISSING, s3_actions

_ALL = ("s3:*",)
_PUT, _LIST, _NEW = ("s3:PutObject",), ("s3:ListBucket", "s3:ListBucketVersions"), ("s3:CreateBucket",)
_ACLS = (*_NEW, "s3:PutBucketAcl", "s3:PutObjectAcl", "s3:PutObjectVersionAcl", *_PUT)
_NO_HEADER, _NO_PARAMETER = "when the header was not sent", "when the parameter was not sent"
_UNSIGNED = "in anonymous requests"
_SSE = "x-amz-server-side-encryption"
_GRANTS = ("full-control", "read", "read-acp")
# AWS accepts a key also for these actions, which no operation of this server needs.
_BYPASS = s3_actions("bypassgovernanceretention")
_ENCRYPTING = _BYPASS | s3_actions("replicateobject")
_ANNOTATING = s3_actions("""
    deleteobjectannotation deleteobjectversionannotation getobjectannotation getobjectversionannotation
    listobjectannotations listobjectversionannotations putobjectannotation putobjectversionannotation
""")
_VERSION_ANNOTATING = s3_actions("""
    deleteobjectversionannotation getobjectversionannotation getobjectversiontorrent listobjectversionannotations
    putobjectversionannotation
""")
# Actions on an object that may have tags, and actions that may give it tags.
ON_TAGGED_OBJECTS = (
    "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging", "s3:GetObject", "s3:GetObjectAcl",
    "s3:GetObjectAttributes", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionAttributes", "s3:GetObjectVersionTagging", "s3:PutObjectAcl", "s3:PutObjectTagging",
    "s3:PutObjectVersionAcl", "s3:PutObjectVersionTagging", "s3:UpdateObjectEncryption",
)  # fmt: skip
_CHOOSING = (*_PUT, "s3:UpdateObjectEncryption")  # actions that may choose an object's encryption
GIVING_TAGS = (*_PUT, "s3:PutObjectTagging", "s3:PutObjectVersionTagging")
RETAINING = (*_PUT, "s3:PutObjectRetention")  # actions that may give an object a retention
HOLDING = (*_PUT, "s3:PutObjectLegalHold")  # and those that may give it a legal hold
_NO_LOCK_GIVEN = "when the request gives none"
_ON_VERSIONS = tuple(sorted(S3_VERSION_ACTIONS.values()))  # AWS: not those on locks

_RETENTION_KEYS: tuple[tuple[str, Kind, str], ...] = (
    ("mode", "String", "`GOVERNANCE` or `COMPLIANCE`"),
    ("remaining-retention-days", "Numeric", "the days, begun ones too, from now to the end of the retention"),
    ("retain-until-date", "Date", "the end of the retention"),
)


def _lower(actions: tuple[str, ...]) -> frozenset[str]:
    return frozenset(action.lower() for action in actions)


def _header(
    name: str,
    actions: tuple[str, ...],
    *,
    also: frozenset[str] | None = frozenset(),
    kind: Kind = "String",
    holds: str = "the header",
    absent: str = _NO_HEADER,
) -> ConditionKey:
    """Return the row for a header; AWS accepts the key for `actions` and `also`, or for all if that is None."""
    aws_actions = None if also is None else _lower(actions) | also
    return ConditionKey(f"s3:{name}", kind, actions, holds, absent, from_header=True, aws_actions=aws_actions)


def _parameter(name: str, kind: Kind, holds: str = "the parameter") -> ConditionKey:
    """Return the row for a parameter of the list operations."""
    return ConditionKey(f"s3:{name}", kind, _LIST, holds, _NO_PARAMETER, aws_actions=_lower(_LIST))


ROWS = (
    ConditionKey("s3:authType", "String", _ALL, "`REST-HEADER`, `REST-QUERY-STRING` of presigned URLs, `POST` of forms",
                 _UNSIGNED),
    _parameter("delimiter", "String"),
    ConditionKey("s3:ExistingObjectTag/NAME", "String", ON_TAGGED_OBJECTS, "the object's tag of that name",
                 "when the object has no such tag, or does not exist",
                 aws_actions=_lower(ON_TAGGED_OBJECTS) | _ANNOTATING),
    _header("if-match", ("s3:DeleteObject", *_PUT), absent=f"{_NO_HEADER}, and in DeleteObjects"),
    _header("if-none-match", _PUT),
    ConditionKey("s3:LocationConstraint", "String", _NEW, "the Region in the body, `eu-west-1` for `EU`",
                 "when the body names none", aws_actions=_lower(_NEW)),
    _parameter("max-keys", "Numeric"),
    ConditionKey("s3:ObjectCreationOperation", "Bool", _PUT,
                 "`true` of PutObject, PostObject, CopyObject and CompleteMultipartUpload, `false` of an upload's "
                 "other steps",
                 aws_actions=_lower(_PUT)),
    *(
        ConditionKey(f"s3:object-lock-{name}", kind, RETAINING, holds, _NO_LOCK_GIVEN, aws_actions=_lower(RETAINING))
        for name, kind, holds in _RETENTION_KEYS
    ),
    ConditionKey("s3:object-lock-legal-hold", "String", HOLDING, "`ON` or `OFF`", _NO_LOCK_GIVEN,
                 aws_actions=_lower(HOLDING)),
    _parameter("prefix", "String", "the parameter; the key of an object that is missing, where the right to list "
               "decides between 404 and 403"),
    ConditionKey("s3:RequestObjectTag/NAME", "String", GIVING_TAGS, "the tag of that name that the request gives",
                 "when the request gives no such tag", aws_actions=_lower(GIVING_TAGS) | _BYPASS),
    ConditionKey("s3:RequestObjectTagKeys", "String", GIVING_TAGS, "the names of the tags that the request gives",
                 "when the request gives none", many=True, aws_actions=_lower(GIVING_TAGS) | _BYPASS),
    ConditionKey("s3:ResourceAccount", "String", _ALL, "the account that owns the bucket"),
    ConditionKey("s3:signatureAge", "Numeric", _ALL, "milliseconds since the signature's date", _UNSIGNED),
    ConditionKey("s3:signatureversion", "String", _ALL, "`AWS4-HMAC-SHA256`", _UNSIGNED),
    ConditionKey("s3:TlsVersion", "Numeric", _ALL, "`1.2` or `1.3`", "without TLS"),
    ConditionKey("s3:VersionId", "String", _ON_VERSIONS, "the version id that the request names",
                 "when the request names no version", aws_actions=_lower(_ON_VERSIONS) | _VERSION_ANNOTATING),
    _header("x-amz-acl", _ACLS, also=_BYPASS),
    _header("x-amz-bucket-namespace", _NEW),
    ConditionKey("s3:x-amz-content-sha256", "String", _ALL,
                 "what the signature says of the payload: its hash, `UNSIGNED-PAYLOAD` …",
                 "in anonymous requests without the header"),
    _header("x-amz-copy-source", _PUT, also=_BYPASS, holds="the header, as it was sent"),
    *(_header(f"x-amz-grant-{name}", _ACLS, also=_BYPASS) for name in _GRANTS),
    *(_header(f"x-amz-grant-{name}", _ACLS, also=None) for name in ("write", "write-acp")),
    _header("x-amz-metadata-directive", _PUT, also=_BYPASS),
    _header("x-amz-object-ownership", _NEW),
    _header(_SSE, _CHOOSING, also=_ENCRYPTING, holds="the header; of UpdateObjectEncryption `aws:kms`",
            absent="when the header was not sent, also if the bucket encrypts"),
    _header(f"{_SSE}-aws-kms-key-id", _CHOOSING, also=_ENCRYPTING, kind="ARN",
            holds="the header, as it was sent; of UpdateObjectEncryption the key in the document",
            absent="when the header was not sent, also if the bucket has a key"),
    _header(f"{_SSE}-customer-algorithm", _PUT, also=_BYPASS | s3_actions("replicateobject")),
    _header("x-amz-storage-class", (*_PUT, "s3:PutObjectAcl", "s3:PutObjectVersionAcl"), also=_BYPASS),
    _header("x-amz-website-redirect-location", _PUT, also=_BYPASS),
    *(key for capability in MISSING for key in capability.keys),
)  # fmt: skip


def headers_by_action() -> dict[str, tuple[bytes, ...]]:
    """Return the request headers that are condition keys (s3:HEADER), for each action that has such keys."""
    found: dict[str, tuple[bytes, ...]] = {}
    for row in ROWS:
        for action in row.actions if row.from_header else ():
            found[action] = (*found.get(action, ()), row.name.removeprefix("s3:").encode())
    return found
