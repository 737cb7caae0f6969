"""The rows of the condition keys of IAM and STS (iam:…, sts:…). IAM user guide, "IAM and AWS STS condition keys"."""

from __future__ import annotations

from fuin.access.key_row import ConditionKey, never

_IAM, _STS = ("iam:*",), ("sts:*",)
_ASSUME = ("sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession")  # all asked for by AssumeRole
_ATTACHING = tuple(f"iam:{verb}{kind}Policy" for verb in ("Attach", "Detach") for kind in ("Group", "Role", "User"))
_NOT_SAID = "when the request does not say it"

ROWS = (
    ConditionKey("iam:PermissionsBoundary", "ARN", _IAM, "the boundary that the identity has or is to have",
                 "without one"),
    ConditionKey("iam:PolicyARN", "ARN", _ATTACHING, "the managed policy"),
    ConditionKey("iam:ResourceTag/NAME", "String", (*_IAM, *_ASSUME), "the tag of the user or role",
                 "without the tag"),
    ConditionKey("sts:ExternalId", "String", _ASSUME, "the parameter", _NOT_SAID),
    ConditionKey("sts:RoleSessionName", "String", _ASSUME, "the parameter"),
    ConditionKey("sts:SourceIdentity", "String", _ASSUME, "the parameter", _NOT_SAID),
    ConditionKey("sts:TransitiveTagKeys", "String", _ASSUME, "the parameter", _NOT_SAID, many=True),
    never("iam:AssociatedResourceArn", "ARN", "of roles that are passed to services", actions=_IAM),
    never("iam:AWSServiceName", "String", "of service-linked roles", actions=_IAM),
    never("iam:OrganizationsPolicyId", "String", "there are no organizations", actions=_IAM),
    never("iam:PassedToService", "String", "of roles that are passed to services", actions=_IAM),
    never("sts:AWSServiceName", "String", "of service tokens", actions=_STS),
    never("sts:DurationSeconds", "Numeric", "of other ways to get credentials", actions=_STS),
    never("sts:TaskPolicyArn", "ARN", "there is no AssumeRoot", actions=_STS),
)  # fmt: skip
