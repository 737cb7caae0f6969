"""Scenarios of AWS's pages for federated users: sessions that a user of IAM has got with GetFederationToken.

They have the user's policies, within the session's policies. What a resource's policy gives to the user's ARN is
limited by these, what it gives to the session's own ARN is not. The pages are those of the scenarios for one account
and for two.
"""

from typing import Any

import pytest

from fuin.access.decide import Limits, decide_bucket, decide_identity, decide_key
from fuin.access.policy import Policy
from fuin.access.principal import Principal
from tests.access.builders import (
    ACCOUNT,
    ANN_ARN,
    KEY,
    OBJECT,
    OTHER,
    ROOT_ARN,
    ask,
    bucket_policy,
    identity,
    key_policy,
    limits,
    statement,
)

BOB_ARN = f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
BOB = Principal("federated", BOB_ARN, ACCOUNT, f"{ACCOUNT}:bob", "bob", identity_arn=ANN_ARN, session="bob")
NOTHING: tuple[Policy, ...] = ()
ALLOW, ELSE, DENY = statement("*"), statement("sqs:*"), statement("*", effect="Deny")


def answers(owner: str, naming: Any, own: tuple[Policy, ...], limited: Limits) -> set[bool]:
    """Return whether a bucket's object and a key of `owner`, with the same policy, are the session's to read."""
    bucket = bucket_policy(statement("s3:GetObject", OBJECT, Principal=naming))
    key = key_policy(statement("kms:Decrypt", Principal=naming))
    return {
        decide_bucket(ask(BOB, "s3:GetObject", OBJECT), owner, bucket, own, limited).allowed,
        decide_key(ask(BOB, "kms:Decrypt", KEY), owner, key, own, limits=limited).allowed,
    }


@pytest.mark.parametrize(
    ("row", "naming", "own", "limited", "allowed"),
    [
        ("user ARN, everything else silent", {"AWS": ANN_ARN}, identity(ELSE), limits(ELSE, ELSE), False),
        ("user ARN, the boundary silent", {"AWS": ANN_ARN}, identity(ELSE), limits(ELSE), False),
        ("user ARN, the session policy silent", {"AWS": ANN_ARN}, identity(ELSE), limits(None, ELSE), False),
        ("user ARN, within both", {"AWS": ANN_ARN}, identity(ELSE), limits(ALLOW, ALLOW), True),
        ("session ARN, everything else silent", {"AWS": BOB_ARN}, identity(ELSE), limits(ELSE, ELSE), True),
        ("session ARN, but a deny", {"AWS": BOB_ARN}, identity(DENY), limits(ELSE, ELSE), False),
        ("another session's ARN", {"AWS": BOB_ARN + "by"}, identity(ELSE), limits(None, ALLOW), False),
        ("everyone", "*", identity(ELSE), limits(ELSE, ELSE), True),
        ("the account, nothing of its own", {"AWS": ROOT_ARN}, NOTHING, limits(None, ALLOW), False),
        ("the account, user and session allow", {"AWS": ROOT_ARN}, identity(ALLOW), limits(None, ALLOW), True),
        ("the account, the session is silent", {"AWS": ROOT_ARN}, identity(ALLOW), limits(None, ELSE), False),
    ],
)
def test_one_account(row: str, naming: Any, own: tuple[Policy, ...], limited: Limits, allowed: bool) -> None:
    """Of its own account: AWS's table, row by row."""
    assert answers(ACCOUNT, naming, own, limited) == {allowed}, row


@pytest.mark.parametrize("naming", [{"AWS": BOB_ARN}, {"AWS": ANN_ARN}, {"AWS": ACCOUNT}, "*"])
@pytest.mark.parametrize(
    ("own", "limited", "allowed"),
    [
        (identity(ALLOW), limits(None, ALLOW), True),
        (identity(ALLOW), limits(ALLOW, ALLOW), True),
        (identity(ALLOW), limits(ELSE, ALLOW), False),
        (identity(ALLOW), limits(None, ELSE), False),
        (identity(ELSE), limits(None, ALLOW), False),
        (identity(ALLOW), limits(None, DENY), False),
    ],
)
def test_two_accounts(naming: Any, own: tuple[Policy, ...], limited: Limits, allowed: bool) -> None:
    """Of another account: however the session is named, its own account must allow, within all limits."""
    assert answers(OTHER, naming, own, limited) == {allowed}


def test_a_deny_reaches_the_session_by_either_name() -> None:
    """A Deny of the user's ARN, or of the session's, holds against what everybody may."""
    for arn, denied in ((ANN_ARN, True), (BOB_ARN, True), (BOB_ARN + "by", False)):
        bucket = bucket_policy(
            statement("s3:*", OBJECT, Principal="*"), statement("s3:*", OBJECT, effect="Deny", Principal={"AWS": arn})
        )
        decision = decide_bucket(
            ask(BOB, "s3:GetObject", OBJECT), ACCOUNT, bucket, identity(ALLOW), limits(None, ALLOW)
        )
        assert decision.allowed is not denied


def test_what_only_own_policies_govern() -> None:
    """Both the user's policies and the session's must allow what no resource's policy speaks of."""
    asked = ask(BOB, "kms:ListKeys", "*")
    assert decide_identity(asked, ACCOUNT, identity(ALLOW), limits(None, ALLOW)).allowed
    assert not decide_identity(asked, ACCOUNT, identity(ALLOW), limits(None, ELSE)).allowed
    assert not decide_identity(asked, ACCOUNT, NOTHING, limits(None, ALLOW)).allowed
