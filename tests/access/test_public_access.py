"""Which bucket policies are public, by AWS's "The meaning of 'public'"."""

import json
from typing import Any

import pytest

from fuin.access.decide import decide_bucket
from fuin.access.kinds import PolicyKind
from fuin.access.policy import parse_policy
from fuin.access.principal import ANONYMOUS, Principal, account_root
from fuin.access.public_access import (
    ALL_BLOCKED,
    NOTHING_BLOCKED,
    PublicAccessBlock,
    is_public,
    is_restricted,
    parse_setting,
)
from fuin.access.question import Question

ACCOUNT = "210987654321"


def policy(*statements: dict[str, Any]) -> str:
    """Return a bucket policy; each statement allows everybody to read but for what it says itself."""
    whole = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [whole | statement for statement in statements]})


def condition(operator: str, key: str, value: Any) -> dict[str, Any]:
    """Return a statement for everybody under one condition."""
    return {"Condition": {operator: {key: value}}}


NOT_PUBLIC: list[dict[str, Any]] = [
    {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
    {"Principal": {"AWS": [ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ann"]}},
    {"Principal": {"Service": "logging.s3.amazonaws.com"}},
    {"Effect": "Deny"},
    condition("StringEquals", "aws:PrincipalAccount", ACCOUNT),
    condition("StringEquals", "AWS:principalorgid", "o-1234567890"),
    condition("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/app"),
    condition("ArnEquals", "aws:SourceArn", f"arn:aws:sns:us-east-1:{ACCOUNT}:topic"),
    condition("StringLike", "aws:SourceVpc", "vpc-1234"),
    condition("ForAnyValue:StringEquals", "aws:SourceVpce", ["vpce-1", "vpce-2"]),
    condition("StringEquals", "aws:userid", "AIDAEXAMPLE"),
    condition("IpAddress", "aws:SourceIp", "198.51.100.0/24"),
    condition("IpAddress", "aws:SourceIp", ["10.0.0.0/8", "2001:db8::/32", "203.0.113.7"]),
    {"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "Bool": {"aws:SecureTransport": "true"}}},
]
PUBLIC: list[dict[str, Any]] = [
    {},
    {"Principal": {"AWS": "*"}},
    {"Principal": {"AWS": [ACCOUNT, "*"]}},
    condition("Bool", "aws:SecureTransport", "true"),
    condition("StringEquals", "aws:UserAgent", "mine"),
    condition("StringLike", "aws:SourceVpc", "vpc-*"),
    condition("StringEquals", "aws:SourceVpc", ["vpc-1234", "*"]),
    condition("StringEquals", "aws:PrincipalAccount", "${aws:PrincipalTag/account}"),
    condition("StringEquals", "aws:PrincipalAccount", "anonymous"),
    condition("StringNotEquals", "aws:PrincipalAccount", ACCOUNT),
    condition("StringEqualsIfExists", "aws:SourceVpc", "vpc-1234"),
    condition("ForAllValues:StringEquals", "aws:SourceVpc", "vpc-1234"),
    condition("Null", "aws:PrincipalAccount", "false"),
    condition("NotIpAddress", "aws:SourceIp", "198.51.100.0/24"),
    condition("IpAddress", "aws:SourceIp", "0.0.0.0/1"),
    condition("IpAddress", "aws:SourceIp", ["198.51.100.0/24", "8.0.0.0/7"]),
    condition("IpAddress", "aws:SourceIp", "2000::/31"),
    condition("IpAddressIfExists", "aws:SourceIp", "198.51.100.0/24"),
]


@pytest.mark.parametrize("statement", NOT_PUBLIC)
def test_fixed_callers_and_networks_are_not_the_public(statement: dict[str, Any]) -> None:
    """A policy that names whom it lets in, in one way or another, is not public."""
    assert not is_public(policy(statement))


@pytest.mark.parametrize("statement", PUBLIC)
def test_whatever_may_let_anybody_in_is_public(statement: dict[str, Any]) -> None:
    """Everything else is public, also beside a statement that is not."""
    assert is_public(policy(statement))
    assert is_public(policy(NOT_PUBLIC[0], statement))
    assert is_public(policy(statement, {"Effect": "Deny"}))


def test_one_statement_needs_no_list() -> None:
    """Statement may be one object."""
    whole = json.loads(policy({}))
    assert is_public(json.dumps(whole | {"Statement": whole["Statement"][0]}))


def test_a_block_is_kept_and_read() -> None:
    """What is written is what is read; nothing at all blocks nothing."""
    assert parse_setting(None) == NOTHING_BLOCKED
    for block in (ALL_BLOCKED, NOTHING_BLOCKED, PublicAccessBlock(restrict_public_buckets=True)):
        assert parse_setting(block.column()) == block
    assert json.loads(ALL_BLOCKED.column()) == dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )


def test_only_public_policies_are_restricted() -> None:
    """A policy for certain accounts goes on under the block, and without one there is nothing to restrict."""
    restricting = PublicAccessBlock(restrict_public_buckets=True)
    assert is_restricted(restricting, policy({}))
    assert not is_restricted(restricting, policy(NOT_PUBLIC[0]))
    assert not is_restricted(restricting, None)
    assert not is_restricted(PublicAccessBlock(True, True, True, False), policy({}))


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        (Principal("service", "logging.s3.amazonaws.com", "", "logging.s3.amazonaws.com"), True),
        (account_root("123456789012"), True),
        (account_root(ACCOUNT), False),
        (ANONYMOUS, False),
    ],
)
def test_a_restricted_policy_is_for_the_own_account_and_services(principal: Principal, allowed: bool) -> None:
    """AWS: RestrictPublicBuckets leaves only service principals and authorized users of the bucket's account in."""
    document = policy({}, {"Principal": {"Service": "logging.s3.amazonaws.com"}})
    ask = Question(principal, "s3:GetObject", "arn:aws:s3:::b/k", {})
    compiled = parse_policy(document, PolicyKind.BUCKET)
    assert decide_bucket(ask, "123456789012", compiled, ()).allowed
    decision = decide_bucket(ask, "123456789012", compiled, (), restricted=True)
    assert decision.allowed == allowed
    assert allowed or decision.sentence.endswith("the RestrictPublicBuckets setting in S3 Block Public Access")
