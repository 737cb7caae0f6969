"""The rows of the condition keys of IAM and STS (iam:…, sts:…). IAM user guide, "IAM and AWS STS condition keys"."""

from __future__ import annotations

from fuin.access.vocabulary.key_row import ConditionKey, never

_IAM, _STS = ("iam:*",), ("sts:*",)
_ASSUME = ("sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession")  # all asked for by AssumeRole
_ATTACHING = tuple(f"iam:{verb}{kind}Policy" for verb in ("Attach", "Detach") for kind in ("Group", "Role", "User"))
# AWS: no other action has the key. So somebody who may do everything under a condition on the boundary cannot delete
# users.
BOUNDED = (
    *(f"iam:{verb}{kind}Policy" for verb in ("Attach", "Delete", "Detach", "Put") for kind in ("Role", "User")),
    *(f"iam:{verb}{kind}PermissionsBoundary" for verb in ("Delete", "Put") for kind in ("Role", "User")),
    "iam:CreateRole", "iam:CreateUser", "iam:DeleteRole", "iam:GetRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)  # fmt: skip
_NOT_SAID = "when the request does not say it"
_NO_DELEGATION, _NO_DEVICES = "there are no requests for delegation", "there is no MFA"
_NO_PROVIDERS = "there are no identity providers"

ROWS = (
    ConditionKey("iam:PermissionsBoundary", "ARN", BOUNDED, "the boundary that the identity has or is to have",
                 "without one"),
    ConditionKey("iam:AWSServiceName", "String", ("iam:CreateServiceLinkedRole",),
                 "the service whose role is to be made"),
    ConditionKey("iam:PassedToService", "String", ("iam:PassRole",),
                 "`ec2.amazonaws.com`: AddRoleToInstanceProfile asks for iam:PassRole"),
    ConditionKey("iam:PolicyARN", "ARN", _ATTACHING, "the managed policy"),
    ConditionKey("iam:ResourceTag/NAME", "String", (*_IAM, *_ASSUME), "the tag of the user, role, …",
                 "without the tag"),
    ConditionKey("sts:ExternalId", "String", _ASSUME, "the parameter", _NOT_SAID),
    ConditionKey("sts:RoleSessionName", "String", _ASSUME, "the parameter"),
    ConditionKey("sts:SourceIdentity", "String", _ASSUME, "the parameter", _NOT_SAID),
    ConditionKey("sts:TransitiveTagKeys", "String", _ASSUME, "the parameter", _NOT_SAID, many=True),
    never("iam:AssociatedResourceArn", "ARN", "of roles that are passed to services", actions=_IAM),
    never("iam:OrganizationsPolicyId", "String", "there are no organizations", actions=_IAM),
    never("iam:AccountPropertyNamespaces", "String", "there are no account properties", many=True, actions=_IAM),
    never("iam:DelegationDuration", "String", _NO_DELEGATION, actions=_IAM),
    never("iam:DelegationRequestOwner", "ARN", _NO_DELEGATION, actions=_IAM),
    never("iam:NotificationChannel", "String", _NO_DELEGATION, actions=_IAM),
    never("iam:TemplateArn", "ARN", _NO_DELEGATION, actions=_IAM),
    never("iam:RoleTemplateARN", "ARN", "there are no templates of roles", actions=_IAM),
    never("iam:FIDO-certification", "String", _NO_DEVICES, actions=_IAM),
    never("iam:FIDO-FIPS-140-2-certification", "String", _NO_DEVICES, actions=_IAM),
    never("iam:FIDO-FIPS-140-3-certification", "String", _NO_DEVICES, actions=_IAM),
    never("iam:RegisterSecurityKey", "String", _NO_DEVICES, actions=_IAM),
    never("iam:ServiceSpecificCredentialAgeDays", "Numeric", "of credentials of single services", actions=_IAM),
    never("iam:ServiceSpecificCredentialServiceName", "String", "of credentials of single services", actions=_IAM),
    never("sts:AWSServiceName", "String", "of service tokens", actions=_STS),
    never("sts:DurationSeconds", "Numeric", "of other ways to get credentials", actions=_STS),
    never("sts:TaskPolicyArn", "ARN", "there is no AssumeRoot", actions=_STS),
    never("sts:IdentityTokenAudience", "String", "there is no GetWebIdentityToken", many=True, actions=_STS),
    never("sts:SigningAlgorithm", "String", "there is no GetWebIdentityToken", actions=_STS),
    never("sts:RequestContext/NAME", "String", _NO_PROVIDERS, actions=_STS),
    never("sts:RequestContextProviders", "ARN", _NO_PROVIDERS, many=True, actions=_STS),
    never("sts:RoleAuthorizedByIdp", "Bool", _NO_PROVIDERS, actions=_STS),
    never("accounts.google.com:NAME", "String", _NO_PROVIDERS),
    never("cognito-identity.amazonaws.com:NAME", "String", _NO_PROVIDERS),
    never("gitlab.com:NAME", "String", _NO_PROVIDERS),
    never("graph.facebook.com:NAME", "String", _NO_PROVIDERS),
    never("saml:NAME", "String", _NO_PROVIDERS),
    never("token.actions.githubusercontent.com:NAME", "String", _NO_PROVIDERS),
    never("www.amazon.com:NAME", "String", _NO_PROVIDERS),
)  # fmt: skip
