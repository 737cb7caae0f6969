"""Warnings about policies: each mistake is found, what is near it is not, and what this project recommends is clean."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fuin.access.lint import lint
from fuin.access.policy import PolicyKind
from fuin.access.vocabulary import actions
from fuin.errors import MalformedPolicy
from fuin.kms.operations import OPERATIONS
from tests.access.builders import KEY, ROLE_ARN, ROOT_ARN, statement

IDENTITY, KEYS, BUCKET, TRUST = PolicyKind.IDENTITY, PolicyKind.KEY, PolicyKind.BUCKET, PolicyKind.TRUST
OBJECTS = "arn:aws:s3:::papers/*"
ACCOUNT = {"AWS": ROOT_ARN}
KEEPER = statement("kms:*", Principal=ACCOUNT, Sid="Keeper")
CONTEXT = "kms:EncryptionContext:aws:s3:arn"


def names(kind: PolicyKind, *statements: dict[str, Any], version: str = "2012-10-17") -> list[str]:
    """Return the names of the checks that find something."""
    document = {"Version": version, "Statement": list(statements)}
    return [found.check for found in lint.lint(json.dumps(document), kind)]


def given(operator: str, key: str, *values: str) -> dict[str, Any]:
    """Return a Condition of one operator."""
    return {operator: {key: list(values)}}


def trusting(whom: object, action: str = "sts:AssumeRole", **more: Any) -> dict[str, Any]:
    """Return a statement of a trust policy."""
    return {"Effect": "Allow", "Principal": whom, "Action": action, **more}


MISTAKES: list[tuple[str, PolicyKind, list[dict[str, Any]]]] = [
    ("encrypt-is-not-for-objects", IDENTITY, [statement(["kms:Encrypt", "kms:Decrypt"], KEY)]),
    (
        "encrypt-is-not-for-objects",
        KEYS,
        [KEEPER | {"Action": "kms:PutKeyPolicy"}, statement("kms:encrypt", Principal=ACCOUNT)],
    ),
    ("multipart-needs-decrypt", IDENTITY, [statement("s3:Put*", OBJECTS), statement("kms:GenerateDataKey", KEY)]),
    ("key-policy-locks-out", KEYS, [statement("kms:Decrypt", Principal=ACCOUNT)]),
    ("key-policy-locks-out", KEYS, [KEEPER | {"Condition": given("Bool", "aws:SecureTransport", "true")}]),
    ("key-policy-locks-out", KEYS, [KEEPER, statement("kms:Put*", "*", "Deny", Principal="*")]),
    ("key-policy-resource", KEYS, [KEEPER, statement("kms:Decrypt", KEY, Principal=ACCOUNT)]),
    ("for-everyone", KEYS, [KEEPER, statement("kms:Decrypt", Principal="*")]),
    ("for-everyone", BUCKET, [statement("s3:GetObject", OBJECTS, Principal={"AWS": "*"})]),
    ("retire-grant-in-key-policy", KEYS, [KEEPER, statement("kms:RetireGrant", Principal=ACCOUNT)]),
    ("bucket-key-context", IDENTITY, [statement("kms:Decrypt", KEY, Condition=given("StringLike", CONTEXT, OBJECTS))]),
    (
        "bucket-key-context",
        IDENTITY,
        [statement("kms:Decrypt", KEY, Condition=given("StringEquals", CONTEXT, "arn:aws:s3:::papers"))],
    ),
    (
        "wildcard-that-is-text",
        IDENTITY,
        [statement("kms:Decrypt", KEY, Condition=given("StringEquals", CONTEXT, OBJECTS))],
    ),
    (
        "via-service-form",
        IDENTITY,
        [statement("kms:Decrypt", KEY, Condition=given("StringEquals", "kms:ViaService", "s3"))],
    ),
    (
        "key-never-here",
        IDENTITY,
        [statement("kms:Decrypt", KEY, Condition=given("StringEquals", "aws:PrincipalOrgID", "o-1"))],
    ),
    (
        "key-never-here",
        IDENTITY,
        [statement("kms:*", KEY, "Deny", Condition=given("StringNotEquals", "aws:SourceVpce", "vpce-1"))],
    ),
    (
        "key-never-here",
        IDENTITY,
        [statement("kms:Decrypt", KEY, Condition=given("Bool", "aws:MultiFactorAuthPresent", "true"))],
    ),
    (
        "range-as-text",
        IDENTITY,
        [statement("kms:Decrypt", KEY, Condition=given("StringEquals", "aws:SourceIp", "10.0.0.0/8"))],
    ),
    ("unknown-action", IDENTITY, [statement("kms:ReEncrypt", KEY)]),
    ("unknown-action", IDENTITY, [statement("kms:Decrpyt*", KEY)]),
    ("unknown-action", IDENTITY, [statement("s3:HeadObject", OBJECTS)]),
    ("other-service", IDENTITY, [statement("kms:Decrypt", OBJECTS)]),
    ("other-service", IDENTITY, [statement(["s3:GetObject"], KEY)]),
    ("bucket-or-object", IDENTITY, [statement("s3:GetObject", "arn:aws:s3:::papers")]),
    ("arn-form", IDENTITY, [statement("s3:GetObject", "arn:aws-cn:s3:::papers/*")]),
    ("arn-form", IDENTITY, [statement("s3:GetObject", "arn:aws:s3:us-east-1:123456789012:papers/*")]),
    ("arn-form", IDENTITY, [statement("kms:Decrypt", "arn:aws:kms:::key/*")]),
    ("arn-form", IDENTITY, [statement("kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:1234abcd")]),
    ("arn-form", IDENTITY, [statement("sts:AssumeRole", "arn:aws:sts::123456789012:role/app")]),
    ("arn-form", IDENTITY, [statement("ec2:DeleteSnapshot", "arn:aws:ec2:us-east-1:123456789012:snapshot/*")]),
    ("bucket-or-object", IDENTITY, [statement(["s3:ListBucket", "s3:GetObject"], OBJECTS)]),
    ("alias-as-resource", IDENTITY, [statement("kms:Decrypt", KEY.rpartition(":")[0] + ":alias/papers")]),
    ("unknown-condition-key", IDENTITY, [statement("kms:Decrypt", KEY, Condition=given("Bool", "kms:Secure", "true"))]),
    ("not-action-with-allow", IDENTITY, [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]),
    ("not-action-with-allow", IDENTITY, [{"Effect": "Allow", "Action": "kms:*", "NotResource": KEY}]),
    (
        "for-all-values-without-null",
        IDENTITY,
        [statement("kms:Decrypt", KEY, Condition=given("ForAllValues:StringEquals", "aws:RequestTag/a", "a"))],
    ),
    ("action-without-key", IDENTITY, [statement("kms:ListKeys", KEY)]),
    ("action-without-key", IDENTITY, [statement(["kms:ListKeys", "s3:ListAllMyBuckets"], "arn:aws:s3:::*")]),
    ("action-without-key", IDENTITY, [statement("ec2:DescribeVolumes", "arn:aws:ec2:us-east-1:123456789012:volume/*")]),
    ("for-everyone", TRUST, [trusting("*")]),
    ("for-everyone", TRUST, [trusting({"AWS": "*"})]),
    ("unknown-action", TRUST, [trusting(ACCOUNT, "sts:AssumeRoles")]),
    ("unknown-action", IDENTITY, [statement("sts:Assume", ROLE_ARN)]),
    ("unknown-condition-key", TRUST, [trusting(ACCOUNT, Condition=given("StringEquals", "sts:External", "x"))]),
]


@pytest.mark.parametrize(("name", "kind", "statements"), MISTAKES)
def test_a_mistake_is_found(name: str, kind: PolicyKind, statements: list[dict[str, Any]]) -> None:
    """The check names it."""
    assert name in names(kind, *statements)


RIGHT: list[tuple[PolicyKind, list[dict[str, Any]]]] = [
    (IDENTITY, [statement("s3:PutObject", OBJECTS), statement(["kms:GenerateDataKey", "kms:Decrypt"], KEY)]),
    (IDENTITY, [statement(["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"], KEY)]),
    (IDENTITY, [statement("s3:ListBucket", "arn:aws:s3:::papers"), statement("kms:ListKeys")]),
    (IDENTITY, [statement(["s3:ListBucket", "s3:GetObject"], ["arn:aws:s3:::papers", OBJECTS])]),
    (IDENTITY, [statement("kms:CreateAlias", [KEY, KEY.rpartition(":")[0] + ":alias/papers"])]),
    (IDENTITY, [statement("kms:Decrypt", KEY, Condition=given("StringLike", "kms:ViaService", "s3.*.amazonaws.com"))]),
    (IDENTITY, [statement("kms:Decrypt", KEY, Condition=given("StringLike", CONTEXT, "arn:aws:s3:::papers*"))]),
    (KEYS, [KEEPER]),
    (
        IDENTITY,
        [
            statement(
                "kms:Decrypt",
                KEY,
                Condition={
                    **given("ForAllValues:StringEquals", "aws:RequestTag/a", "a"),
                    "Null": {"aws:RequestTag/a": "false"},
                },
            )
        ],
    ),
    (IDENTITY, [{"Effect": "Deny", "NotAction": "iam:*", "Resource": "*"}]),
    (KEYS, [KEEPER, statement("kms:Decrypt", "*", "Deny", Principal="*")]),
    (BUCKET, [statement("s3:GetObject", OBJECTS, Principal=ACCOUNT)]),
    (IDENTITY, [statement("*", "*")]),
    (IDENTITY, [statement("s3:*", ["arn:*:s3:*:*:papers", "arn:aws:s3:::*", "arn:aws:s3"])]),
    (IDENTITY, [statement("kms:Decrypt", ["arn:aws:kms:*:*:key/*", "arn:aws:kms:*:123456789012:k*", "arn:aws:kms:*"])]),
    (IDENTITY, [statement("kms:Decrypt", "arn:aws:kms:*:*:${aws:PrincipalTag/key}")]),
    (IDENTITY, [statement("sts:AssumeRole", ROLE_ARN)]),
    (IDENTITY, [statement(["s3:ListAllMyBuckets", "s3:GetBucketLocation"], "arn:aws:s3:::*")]),
    (TRUST, [trusting(ACCOUNT)]),
    (TRUST, [trusting(ACCOUNT, "sts:*"), trusting({"Service": "ec2.amazonaws.com"})]),
    (TRUST, [trusting("*", Condition=given("StringEquals", "aws:PrincipalAccount", "111122223333"))]),
    (TRUST, [trusting(ACCOUNT, "sts:TagSession", Condition=given("StringEquals", "sts:ExternalId", "x"))]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "statements"), RIGHT)
def test_what_is_right_is_not_warned_of(kind: PolicyKind, statements: list[dict[str, Any]]) -> None:
    """A warning about something good would teach people to overlook warnings."""
    assert names(kind, *statements) == []


def test_every_check_has_a_mistake_here() -> None:
    """No check stands in the table that nothing shows to work."""
    assert {name for name, _, _ in MISTAKES} | {"variable-that-is-text"} == set(lint.CHECKS)


def test_variables_of_an_old_version_are_text() -> None:
    """AWS has policy variables since 2012-10-17, and a document without Version is of 2008."""
    own = statement("s3:GetObject", "arn:aws:s3:::papers/${aws:username}/*")
    assert names(IDENTITY, own, version="2008-10-17") == ["variable-that-is-text"]
    assert names(IDENTITY, own) == []


def test_a_finding_says_where_what_and_why() -> None:
    """The statement's name, the action that is needed, and a page of AWS."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement("kms:Encrypt", KEY, Sid="Keys")]})
    (found,) = lint.lint(document, IDENTITY)
    assert found.statement == 'statement "Keys"'
    assert "kms:GenerateDataKey" in found.text
    assert found.line.endswith("[encrypt-is-not-for-objects]")
    assert all(link.startswith("https://docs.aws.amazon.com/") for _, link in lint.CHECKS.values())


def test_what_is_no_policy_is_an_error() -> None:
    """Findings are about policies that could be put."""
    with pytest.raises(MalformedPolicy):
        lint.lint("{}", IDENTITY)


def test_a_large_policy_has_a_bounded_number_of_findings() -> None:
    """Whoever puts policies writes the record with them."""
    many = [statement("kms:Wrong", KEY) for _ in range(200)]
    assert len(names(IDENTITY, *many)) == 50


def test_the_actions_are_those_of_the_operations() -> None:
    """Every action that an operation of KMS asks for is a known one."""
    asked = {action.lower() for operation in OPERATIONS.values() for action in operation.actions}
    assert asked <= actions.KMS
    assert actions.KMS - asked == {"kms:synchronizemultiregionkey"}  # AWS asks it of itself


def test_the_recommended_policies_are_clean() -> None:
    """What the how-to tells people to write has no findings but the one about AWS's bucket keys."""
    page = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "add-users-and-policies.md"
    policies = re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(policies) >= 3
    found = {finding.check for text in policies for finding in lint.lint(text.replace('"KEY"', f'"{KEY}"'), IDENTITY)}
    assert found <= {"bucket-key-context"}


def test_every_check_is_on_the_page() -> None:
    """The reference lists each warning by its name, and no other."""
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "policy-warnings.md"
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE)) == set(lint.CHECKS)
