"""What IAM refuses of policies of identities when they are put, and in which order it says so."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from fuin.access.policy import PolicyKind, check_policy, parse_policy
from fuin.errors import MalformedPolicy

LEGACY = "The policy failed legacy parsing. statement"
VENDOR = "Resource vendor must be fully qualified and cannot contain regexes. statement 1"
ACTIONS, RESOURCES = "Policy statement must contain actions. ", "Policy statement must contain resources. "
SIDS = "Statement IDs (SID) in a single policy must be unique."
VERSION = "Policy document must be version 2012-10-17 or greater."
OF_IAM = 'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, '
DATE = {"DateGreaterThan": {"aws:CurrentTime": "tomorrow"}}
KINDS = (PolicyKind.IDENTITY, PolicyKind.GROUP, PolicyKind.ROLE, PolicyKind.MANAGED)


def statement(resource: object = "*", **more: Any) -> dict[str, Any]:
    """Return a statement."""
    return {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": resource, **more}


def without(element: str, **more: Any) -> dict[str, Any]:
    """Return a statement that lacks an element."""
    return {name: value for name, value in statement(**more).items() if name != element}


def document(*statements: Mapping[str, Any], **more: Any) -> str:
    """Return a policy of the newest version."""
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements], **more})


def refusal(text: str, kind: PolicyKind = PolicyKind.MANAGED) -> str:
    """Return what a document is refused with when it is put."""
    with pytest.raises(MalformedPolicy) as error:
        check_policy(text, kind)
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("resource", "sentence"),
    [
        ("", 'Resource  must be in ARN format or "*".'),
        ("bucket", 'Resource bucket must be in ARN format or "*".'),
        ("arn:error:s3:::b", 'Partition "error" is not valid for resource "arn:error:s3:::b".'),
        ("arn:aws-us-gov:s3:::b", 'Partition "aws-us-gov" is not valid for resource "arn:aws-us-gov:s3:::b".'),
        ("arn:aws*:s3:::b", 'Partition "aws*" is not valid for resource "arn:aws*:s3:::b".'),
        ("arn:${ARN_PARTITION}:s3:::b", 'Partition "${ARN_PARTITION}" is not valid for resource '),
        ("a:b", 'Partition "b" is not valid for resource "arn:b:*:*:*:*".'),
        ("a:b:c:d:e:f:g", 'Partition "b" is not valid for resource "arn:b:c:d:e:f:g".'),
        ("arn:aws", VENDOR),
        ("arn:aws:*:::b", VENDOR),
        ("arn:aws:s?:::b", VENDOR),
        ("arn:aws:iam:us-east-1:123456789012:role/x", "IAM resource arn:aws:iam:us-east-1:123456789012:role/x cannot "),
        ("arn:aws:iam", "IAM resource arn:aws:iam cannot contain region information."),
        ("arn:aws:iam::123456789012:MyRole", OF_IAM),
        ("arn:aws:iam::123456789012:root", OF_IAM),
        ("arn:aws:s3:us-east-1::b", "Resource arn:aws:s3:us-east-1::b can not contain region information."),
        ("arn:aws:s3:*:123456789012:b/*", "Resource arn:aws:s3:*:123456789012:b/* can not contain region information."),
        ("arn:aws:s3::b", LEGACY),
        ("arn:aws::::b", LEGACY),
        ("arn:aws:", LEGACY),
        ("x:aws:s3:::b", 'statement 1: Resource x:aws:s3:::b must be in ARN format or "*".'),
    ],
)
def test_resources(resource: str, sentence: str, kind: PolicyKind) -> None:
    """An ARN that can match nothing is told in IAM's words; so is one in NotResource."""
    assert refusal(document(statement(resource)), kind).startswith(sentence)
    other = document(statement(), {**without("Resource"), "NotResource": ["*", resource]})
    assert refusal(other, kind).replace("statement 2", "statement 1").startswith(sentence)


@pytest.mark.parametrize(
    "resource",
    [
        "*", "arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:*:s3:::b", "arn:aws:kms", "arn:aws:kms:*",
        "arn:aws:kms:us-east-1:*", "arn:aws:iam::123456789012:role/x", "arn:aws:iam::*:*", "arn:aws:iam::aws:policy/*",
        "arn:aws:s3:::${aws:username}",
        "arn:aws:s3:us-west-2:123456789012:accesspoint/a/object/*", "arn:aws:s3:us-west-2:123456789012:job/*",
        "arn:aws:s3:us-west-2:123456789012:access-grants/default", "arn:aws:sts::123456789012:assumed-role/a/b",
    ],
)  # fmt: skip
def test_resources_that_are_taken(resource: str) -> None:
    """Parts that are missing are completed, and what has a Region may name it."""
    for kind in KINDS:
        check_policy(document(statement(resource)), kind)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        # the grammar goes first, in Fuin's words
        (json.dumps({"Statement": [statement(), "x"]}), "statement 2 must be an object"),
        (json.dumps({"Statement": statement("arn:a:b", Effect="Maybe")}), "statement 1: Effect must be"),
        (document(statement("arn:a:b", Condition={"StringLke": {}})), "statement 1: Condition StringLke must"),
        (document(statement("b", Sid=1)), "statement 1: Sid must be"),
        # then the version, what is older than the rest, Sids, actions
        (json.dumps({"Statement": statement("arn:aws:s3::b", Effect="allow")}), VERSION),
        (json.dumps({"Version": "2008-10-17", "Statement": statement(Condition=DATE)}), VERSION),
        (document(without("Action", resource="b", Condition=DATE)), LEGACY),
        (document(statement("arn:error:s3:::b", Effect="denY")), LEGACY),
        (document(statement(Sid="a"), without("Action", Sid="a", resource="arn:aws:s3::b")), LEGACY),
        (document(statement(Sid="a"), without("Action", Sid="a")), SIDS),
        (document(without("Action", resource="b")), ACTIONS),
        (document(statement("b", Action=[])), ACTIONS),
        # then resources, names of actions, and resources that are not there
        (document(statement("b", Action="s:3:x")), 'Resource b must be in ARN format or "*".'),
        (document(statement([], Action="s:3:x")), "Actions/Condition can contain only one colon. statement 1"),
        (document(without("Resource")), RESOURCES),
        (document(statement([])), RESOURCES),
        (document(statement(["arn:aws:s3::b", "arn:error:s3:::b"])), 'Partition "error" is not valid'),
    ],
)  # fmt: skip
def test_order(text: str, sentence: str) -> None:
    """Of several faults that is told which IAM tells."""
    assert refusal(text).startswith(sentence)


@pytest.mark.parametrize("value", ["tomorrow", "234-13", "9223372036854775808", ["2026-01-01T00:00:00Z", "x"]])
@pytest.mark.parametrize("operator", ["DateLessThan", "DateEqualsIfExists", "ForAnyValue:DateGreaterThan"])
def test_dates(operator: str, value: object) -> None:
    """What is no date fails in the same place as an effect in another case."""
    text = document(statement(Condition={operator: {"aws:CurrentTime": value}}))
    assert refusal(text).startswith(f"{LEGACY} 1: condition {operator} aws:CurrentTime takes dates")


def test_condition_key_twice() -> None:
    """Names of keys are not case-sensitive, so one of the two would be lost; in two blocks both hold."""
    twice = {"StringEquals": {"aws:username": "a", "AWS:UserName": "b"}}
    assert refusal(document(statement(Condition=twice))) == (
        "statement 1: condition StringEquals has both aws:username and AWS:UserName"
    )
    apart = {"StringEquals": {"aws:username": "a"}, "StringLike": {"AWS:UserName": "a*"}}
    check_policy(document(statement(Condition=apart)), PolicyKind.MANAGED)


@pytest.mark.parametrize("kind", [PolicyKind.KEY, PolicyKind.TRUST, PolicyKind.BUCKET])
def test_policies_of_resources_have_rules_of_their_own(kind: PolicyKind) -> None:
    """An older version is taken there."""
    what = {"Action": {PolicyKind.KEY: "kms:*", PolicyKind.TRUST: "sts:AssumeRole"}.get(kind, "s3:*")}
    resource = {} if kind is PolicyKind.TRUST else {"Resource": "*"}
    check_policy(json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", **what, **resource}}), kind)


def test_what_was_put_before_stays_readable() -> None:
    """Documents that earlier versions took are evaluated as they were."""
    for resource in ("arn:aws-cn:s3:::b", "arn:aws:iam::123456789012:MyRole", "arn:aws:s3::b"):
        parse_policy(json.dumps({"Statement": statement(resource)}), PolicyKind.MANAGED)
