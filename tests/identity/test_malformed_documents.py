"""What IAM says of policy documents that cannot be accepted: AWS's sentence first, then what and where.

Sources: answers of AWS that people have published for CreateRole ("This policy contains invalid Json") and for
PutRolePolicy and CreatePolicy ("Syntax errors in policy.").
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.identity.assuming import allow, refused, trust
from tests.identity.place import ACCOUNT

Names = Callable[[str], str]
SYNTAX = "Syntax errors in policy. "

WRONG = (
    ("policy.json", SYNTAX + "the policy is not valid JSON"),  # file:// was forgotten
    ('{"Version": "2012-10-17"}', SYNTAX + "the policy must have at least one Statement"),
    (json.dumps(allow("s3:*") | {"Version": "2012-10-18"}), SYNTAX + "Version must be"),
    (json.dumps(allow("s3:*", Effect="allow")), SYNTAX + "statement 1: Effect must be"),
    (
        json.dumps(allow("s3:*", Condition={"StringEqual": {"aws:username": "x"}})),
        SYNTAX + "statement 1: condition operator StringEqual",
    ),
    (json.dumps(allow("s3:*", "papers/*")), 'statement 1: Resource papers/* must be in ARN format or "*".'),
    (json.dumps(allow("GetObject")), "Actions/Conditions must be prefaced by a vendor"),
    (json.dumps(allow("s3:*", Principal="*")), "Policy document should not specify a principal."),
)  # fmt: skip


@pytest.mark.parametrize(("document", "text"), WRONG, ids=lambda value: value[:30])
def test_what_is_wrong_with_a_policy(iam: Any, unique: Names, document: str, text: str) -> None:
    """Where AWS has a sentence of its own it stands alone, else it is one about syntax."""
    status, code, told = refused(iam.create_policy, PolicyName=unique("p"), PolicyDocument=document)
    assert (status, code) == (400, "MalformedPolicyDocument")
    assert told.startswith(text)


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
