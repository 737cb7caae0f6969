"""The rows of the global condition keys (aws:…). IAM user guide, "AWS global condition context keys"."""

from __future__ import annotations

from fuin.access.vocabulary.key_row import ConditionKey, never
from fuin.access.vocabulary.kms_keys import ON_KEYS, VIA

_ALL = ("*",)
_TAGGING = ("kms:CreateKey", "kms:TagResource")
_DIRECT = "in requests that no service makes for the caller"
_LONG_LIVED = "in requests signed with a long-lived access key"
_NO_ORGANIZATION = "there are no organizations"
_NO_VPC = "there are no VPC endpoints"
_SERVICES_ONLY = "of requests that a service makes for itself, which there are not"

ROWS = (
    # the principal
    ConditionKey("aws:PrincipalArn", "ARN", _ALL, "the ARN of the user, the root, the federated user or the role (not "
                 "of its session)", "in anonymous requests"),
    ConditionKey("aws:PrincipalAccount", "String", _ALL, "the caller's account, or `anonymous`"),
    ConditionKey("aws:PrincipalType", "String", _ALL, "`Account` (root), `User`, `AssumedRole`, `FederatedUser` or "
                 "`Anonymous`"),
    ConditionKey("aws:PrincipalIsAWSService", "Bool", _ALL, "`false`", "in anonymous requests"),
    ConditionKey("aws:PrincipalTag/NAME", "String", _ALL, "the value of the user's, role's or session's tag",
                 "without the tag"),
    ConditionKey("aws:userid", "String", _ALL, "AIDA…, the account's number for its root, AROA…:SESSION, ACCOUNT:NAME "
                 "of a federated user, `anonymous`"),
    ConditionKey("aws:username", "String", _ALL, "the user's name", "unless a user asks; federated users are none"),
    # the session
    ConditionKey("aws:TokenIssueTime", "Date", _ALL, "when the temporary credentials were made", _LONG_LIVED),
    ConditionKey("aws:MultiFactorAuthPresent", "Bool", _ALL, "`false`: there is no MFA",
                 f"{_LONG_LIVED}, unless S3 asks KMS for a user"),
    ConditionKey("aws:SourceIdentity", "String", _ALL, "the source identity that was set when the role was assumed",
                 "unless one was set"),
    # the network
    ConditionKey("aws:SourceIp", "IP address", _ALL, "the client's IPv4 or IPv6 address, also when S3 asks KMS"),
    # the resource
    ConditionKey("aws:ResourceAccount", "String", _ALL, "the account that owns the resource, else the caller's"),
    ConditionKey("aws:ResourceTag/NAME", "String", (*ON_KEYS, "kms:CreateKey", "iam:*", "sts:*", "ec2:*"),
                 "the value of the resource's tag; of CreateKey the tags that the key is to have", "without the tag"),
    # the request
    ConditionKey("aws:CurrentTime", "Date", _ALL, "the time of the request, as 2026-01-31T12:00:00Z"),
    ConditionKey("aws:EpochTime", "Date", _ALL, "the same in seconds since 1970; takes numeric operators as well"),
    ConditionKey("aws:referer", "String", _ALL, "the Referer header", "when the client sent none, or S3 asks KMS"),
    ConditionKey("aws:RequestedRegion", "String", _ALL,
                 "the Region of the request; the bucket's in S3, and where S3 asks KMS; of IAM always us-east-1"),
    ConditionKey("aws:SecureTransport", "Bool", _ALL, "whether the client used TLS"),
    ConditionKey("aws:UserAgent", "String", _ALL, "the User-Agent header", "when the client sent none"),
    ConditionKey("aws:RequestTag/NAME", "String", (*_TAGGING, "iam:*", "sts:*", "ec2:*"),
                 "the value of a tag in the request", "without the tag"),
    ConditionKey("aws:TagKeys", "String", (*_TAGGING, "kms:UntagResource", "iam:*", "sts:*", "ec2:*"),
                 "the names of the tags in the request", "when it names none", many=True),
    ConditionKey("aws:ViaAWSService", "Bool", _ALL, "whether a service asks on the caller's behalf"),
    ConditionKey("aws:CalledVia", "String", VIA, "`s3.amazonaws.com` when the object store asks KMS, "
                 "`ec2.amazonaws.com` when EC2 does", _DIRECT, many=True),
    ConditionKey("aws:CalledViaFirst", "String", VIA, "the same", _DIRECT),
    ConditionKey("aws:CalledViaLast", "String", VIA, "the same", _DIRECT),
    # what no request brings here
    never("aws:PrincipalServiceName", "String", f"the name of the service, {_SERVICES_ONLY}"),
    never("aws:PrincipalServiceNamesList", "String", f"its names, {_SERVICES_ONLY}", many=True),
    never("aws:SourceAccount", "String", f"the account of the resource, {_SERVICES_ONLY}"),
    never("aws:SourceArn", "ARN", f"the resource, {_SERVICES_ONLY}"),
    never("aws:SourceOrgID", "String", _NO_ORGANIZATION),
    never("aws:SourceOrgPaths", "String", _NO_ORGANIZATION, many=True),
    never("aws:PrincipalOrgID", "String", _NO_ORGANIZATION),
    never("aws:PrincipalOrgPaths", "String", _NO_ORGANIZATION, many=True),
    never("aws:ResourceOrgID", "String", _NO_ORGANIZATION),
    never("aws:ResourceOrgPaths", "String", _NO_ORGANIZATION, many=True),
    never("aws:SourceVpc", "String", _NO_VPC),
    never("aws:SourceVpcArn", "ARN", _NO_VPC),
    never("aws:SourceVpce", "String", _NO_VPC),
    never("aws:VpceAccount", "String", _NO_VPC),
    never("aws:VpceOrgID", "String", _NO_VPC),
    never("aws:VpceOrgPaths", "String", _NO_VPC, many=True),
    never("aws:VpcSourceIp", "IP address", _NO_VPC),
    never("aws:FederatedProvider", "String", "there are no identity providers"),
    never("aws:MultiFactorAuthAge", "Numeric", "there is no MFA"),
    never("aws:AssumedRoot", "Bool", "there is no AssumeRoot"),
    never("aws:ChatbotSourceArn", "ARN", "of Amazon Q in chat applications"),
    never("aws:Ec2InstanceSourceVpc", "String", "of EC2 instances"),
    never("aws:Ec2InstanceSourcePrivateIPv4", "IP address", "of EC2 instances"),
    never("codebuild:BuildArn", "ARN", "of CodeBuild's sessions"),
    never("ec2:RoleDelivery", "String", "of EC2 instances"),
    never("ec2:SourceInstanceArn", "ARN", "of EC2 instances"),
    never("glue:CredentialIssuingService", "String", "of Glue's sessions"),
    never("glue:RoleAssumedBy", "String", "of Glue's sessions"),
    never("identitystore:UserId", "String", "of sessions of IAM Identity Center"),
    never("lambda:SourceFunctionArn", "ARN", "of Lambda functions"),
    never("ssm:SourceInstanceArn", "ARN", "of instances that Systems Manager manages"),
    never("aws:SignInSessionArn", "ARN", "of AWS Sign-In"),
    never("aws:CalledViaAWSMCP", "String", "of AWS MCP services"),
    never("aws:ViaAWSMCPService", "Bool", "of AWS MCP services"),
)  # fmt: skip
