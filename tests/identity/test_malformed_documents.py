"""What IAM says of policy documents that cannot be accepted: AWS's sentence first, then what and where.

Sources: answers of AWS that people have published for CreateRole ("This policy contains invalid Json") and for
PutRolePolicy and CreatePolicy ("Syntax errors in policy.").
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.identity.assuming import allow, refused, trust
from tests.support.place import ACCOUNT, Place

Names = Callable[[str], str]
SYNTAX = "Syntax errors in policy. "

WRONG = (
    ("policy.json", SYNTAX + "the policy is not valid JSON"),  # file:// was forgotten
    ('{"Version": "2012-10-17"}', SYNTAX + "the policy must have at least one Statement"),
    (json.dumps(allow("s3:*") | {"Version": "2012-10-18"}), SYNTAX + "Version must be"),
    (json.dumps(allow("s3:*", Effect="Maybe")), SYNTAX + "statement 1: Effect must be"),
    (json.dumps(allow("s3:*", Effect="allow")), "The policy failed legacy parsing. statement 1: Effect must be"),
    (json.dumps({**allow("s3:*"), "Id": []}), SYNTAX + "Id must be a string"),
    (
        json.dumps(allow("s3:*", Condition={"StringEqual": {"aws:username": "x"}})),
        SYNTAX + "statement 1: condition operator StringEqual",
    ),
    (json.dumps(allow("s3:*", "papers/*")), 'Resource papers/* must be in ARN format or "*".'),
    (json.dumps(allow("s3:*", "arn:aws-cn:s3:::b")), 'Partition "aws-cn" is not valid for resource "arn:aws-cn:s3::'),
    (
        json.dumps(allow("s3:*", Condition={"StringEquals": {"a": "b"}})),
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. statement 1: condition",
    ),
    (json.dumps(allow("GetObject")), "Actions/Conditions must be prefaced by a vendor"),
    (json.dumps(allow("s3:*", Principal="*")), "Policy document should not specify a principal."),
)  # fmt: skip


@pytest.mark.parametrize(("document", "text"), WRONG, ids=lambda value: value[:30])
def test_what_is_wrong_with_a_policy(iam: Any, unique: Names, document: str, text: str) -> None:
    """Where AWS has a sentence of its own it stands alone, else it is one about syntax."""
    status, code, told = refused(iam.create_policy, PolicyName=unique("p"), PolicyDocument=document)
    assert (status, code) == (400, "MalformedPolicyDocument")
    assert told.startswith(text)


OLDER = (
    json.dumps({"Statement": allow("s3:*")["Statement"]}),
    json.dumps({**allow("s3:*"), "Version": "2008-10-17"}),
)


@pytest.mark.parametrize("document", OLDER)
def test_managed_policies_are_of_the_newest_version(iam: Any, unique: Names, document: str) -> None:
    """CreatePolicy and CreatePolicyVersion take no other; inline policies may be older, or say nothing."""
    name = unique("older")
    text = (400, "MalformedPolicyDocument", "Policy document must be version 2012-10-17 or greater.")
    assert refused(iam.create_policy, PolicyName=name, PolicyDocument=document) == text
    arn = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(allow("s3:*")))["Policy"]["Arn"]
    assert refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument=document) == text
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)


def test_arns_in_every_policy_of_an_identity(place: Place, iam: Any, unique: Names) -> None:
    """Inline policies of users, groups and roles, managed ones, and those of sessions; a trust policy has none."""
    name, document = unique("arns"), json.dumps(allow("iam:*", f"arn:aws:iam::{ACCOUNT}:MyRole"))
    iam.create_user(UserName=name)
    iam.create_group(GroupName=name)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust(ACCOUNT)))
    calls = [
        (iam.create_policy, {"PolicyName": name, "PolicyDocument": document}),
        (place.service("sts").get_federation_token, {"Name": "bob", "Policy": document}),
    ]
    for kind in ("user", "group", "role"):
        put = getattr(iam, f"put_{kind}_policy")
        calls.append((put, {f"{kind.capitalize()}Name": name, "PolicyName": "p", "PolicyDocument": document}))
    for call, members in calls:
        status, code, told = refused(call, **members)
        assert (status, code) == (400, "MalformedPolicyDocument")
        assert told.startswith('IAM resource path must either be "*" or start with user/, federated-user/, role/')


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("trust.json", "This policy contains invalid Json: the policy is not valid JSON"),
        ("{}", SYNTAX + "the policy must have at least one Statement"),
        (json.dumps(trust("999999999999")), 'Invalid principal in policy: "AWS":"999999999999"'),
        (
            json.dumps(trust("arn:aws:iam::999999999999:root")),
            'Invalid principal in policy: "AWS":"arn:aws:iam::999999999999:root"',
        ),
        (
            json.dumps(trust(f"arn:aws:iam::{ACCOUNT}:user/none")),
            f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:user/none"',
        ),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_wrong_with_a_trust_policy(iam: Any, unique: Names, document: str, text: str) -> None:
    """A principal is told as the document spells it."""
    told = refused(iam.create_role, RoleName=unique("r"), AssumeRolePolicyDocument=document)
    assert told[:2] == (400, "MalformedPolicyDocument")
    assert told[2].startswith(text)
