"""Scenarios of AWS's page "Cross-account policy evaluation logic": the resource's account and the caller's both decide.

The trusting account has the resource, the trusted account the caller. AWS makes two decisions, one in each account, and
allows only when both allow: so nothing that the resource's policy says helps against the caller's own policies.
"""

from typing import Any

import pytest

from fuin.access.decide import Limits, decide_bucket, decide_identity, decide_key, decide_role
from fuin.access.policy import Policy
from fuin.access.principal import Principal
from tests.access.builders import (
    ACCOUNT,
    ANN,
    ANN_ARN,
    APP,
    BOT,
    BOT_ARN,
    BOT_SESSION_ARN,
    EVE,
    EVE_ARN,
    KEY,
    OBJECT,
    OTHER,
    OTHER_ROOT,
    ROLE_ARN,
    ROOT,
    ROOT_ARN,
    ask,
    bucket_policy,
    identity,
    key_policy,
    limits,
    statement,
    trust_policy,
)

NOTHING: tuple[Policy, ...] = ()
OTHER_ROOT_ARN = f"arn:aws:iam::{OTHER}:root"
EVERYTHING, ELSE = statement("*"), statement("sqs:*")
DENIED = statement("*", effect="Deny")


def outcomes(who: Principal, naming: Any, own: tuple[Policy, ...], limited: Limits) -> set[str]:
    """Return what is told of an object and of a key that have the same policy; "" where it is allowed."""
    bucket = bucket_policy(statement("s3:GetObject", OBJECT, Principal=naming))
    key = key_policy(statement("kms:Decrypt", Principal=naming))
    decisions = [
        decide_bucket(ask(who, "s3:GetObject", OBJECT), ACCOUNT, bucket, own, limited),
        decide_key(ask(who, "kms:Decrypt", KEY), ACCOUNT, key, own, limits=limited),
    ]
    return {(decision.sentence and decision.sentence.partition(" because ")[2].partition(" allows")[0]) or
            decision.sentence.partition(" with ")[2] for decision in decisions}  # fmt: skip


@pytest.mark.parametrize(
    ("who", "naming"),
    [
        (EVE, {"AWS": EVE_ARN}), (EVE, {"AWS": OTHER}), (EVE, {"AWS": OTHER_ROOT_ARN}), (EVE, "*"), (EVE, {"AWS": "*"}),
        (BOT, {"AWS": BOT_ARN}), (BOT, {"AWS": BOT_SESSION_ARN}), (BOT, {"AWS": OTHER}), (BOT, "*"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("own", "limited", "missing"),
    [
        (identity(EVERYTHING), Limits(), ""),
        (identity(EVERYTHING), limits(EVERYTHING, EVERYTHING), ""),
        (identity(EVERYTHING), limits(ELSE), "no permissions boundary"),
        (identity(EVERYTHING), limits(None, ELSE), "no session policy"),
        (identity(EVERYTHING), limits(DENIED), "an explicit deny in a permissions boundary"),
        (identity(ELSE), Limits(), "no identity-based policy"),
        (NOTHING, Limits(), "no identity-based policy"),
        (identity(EVERYTHING, DENIED), Limits(), "an explicit deny in an identity-based policy"),
    ],
)
def test_both_accounts_must_allow(
    who: Principal, naming: Any, own: tuple[Policy, ...], limited: Limits, missing: str
) -> None:
    """However the caller is named, even by its session's ARN, its own account has its say, with all limits."""
    assert outcomes(who, naming, own, limited) == {missing}


@pytest.mark.parametrize("naming", [{"AWS": ACCOUNT}, {"AWS": [ROOT_ARN, ANN_ARN, ROLE_ARN]}])
@pytest.mark.parametrize("who", [EVE, BOT, OTHER_ROOT])
def test_who_is_not_named_gets_nothing(who: Principal, naming: Any) -> None:
    """A caller's own policies do not reach into another account."""
    own = NOTHING if who.kind == "root" else identity(EVERYTHING)
    assert outcomes(who, naming, own, Limits()) == {"no resource-based policy"}


def test_no_policy_for_the_resource() -> None:
    """Without a resource-based policy there is no way in, nor to what has no such policies."""
    asked = ask(EVE, "s3:GetObject", OBJECT)
    assert not decide_bucket(asked, ACCOUNT, None, identity(EVERYTHING)).allowed
    assert not decide_identity(ask(EVE, "kms:ListKeys", "*"), ACCOUNT, identity(EVERYTHING)).allowed


def test_the_root_of_the_other_account() -> None:
    """It has no policies of its own, so what names its account is enough."""
    assert outcomes(OTHER_ROOT, {"AWS": OTHER}, NOTHING, Limits()) == {""}


def test_a_session_of_a_role_belongs_to_the_role_s_account() -> None:
    """Whoever has assumed the role is its account's: the user who did may be of another one."""
    assert outcomes(APP, {"AWS": ROLE_ARN}, NOTHING, Limits()) == {""}
    assert outcomes(APP, {"AWS": OTHER}, identity(EVERYTHING), Limits()) != {""}


TRUSTING = statement("sts:AssumeRole", Principal={"AWS": [ANN_ARN, EVE_ARN, BOT_ARN]})
DELEGATING = statement("sts:AssumeRole", Principal={"AWS": [ACCOUNT, OTHER]})
MAY = identity(statement("sts:AssumeRole", ROLE_ARN))


@pytest.mark.parametrize(
    ("story", "who", "trust", "own", "limited", "cause"),
    [
        ("a user whom the trust policy names", ANN, TRUSTING, NOTHING, Limits(), ""),
        ("... also beyond its boundary", ANN, TRUSTING, NOTHING, limits(ELSE), ""),
        ("... but not against its own deny", ANN, TRUSTING, identity(DENIED), Limits(), "deny in an identity-based"),
        ("a user whose account is named", ANN, DELEGATING, NOTHING, Limits(), "no identity-based policy"),
        ("... with its own policy", ANN, DELEGATING, MAY, Limits(), ""),
        ("... beyond its boundary", ANN, DELEGATING, MAY, limits(ELSE), "no permissions boundary"),
        ("a user with its own policy who is not trusted", ANN, DELEGATING | {"Principal": {"AWS": OTHER}}, MAY,
         Limits(), "no role trust policy"),
        ("another account's user who is named", EVE, TRUSTING, NOTHING, Limits(), "no identity-based policy"),
        ("... with its own policy", EVE, TRUSTING, MAY, Limits(), ""),
        ("another account's role, chained", BOT, TRUSTING, MAY, Limits(), ""),
        ("... beyond its session policy", BOT, TRUSTING, MAY, limits(None, ELSE), "no session policy"),
        ("a deny in the trust policy", ANN, TRUSTING | {"Effect": "Deny"}, MAY, Limits(), "deny in the role trust"),
        ("the root of the role's account", ROOT, DELEGATING, NOTHING, Limits(), ""),
        ("... that nobody trusts: it is no root of a role", ROOT, TRUSTING, NOTHING, Limits(), "no role trust policy"),
    ],
)  # fmt: skip
def test_who_may_assume_a_role(
    story: str, who: Principal, trust: dict[str, Any], own: tuple[Policy, ...], limited: Limits, cause: str
) -> None:
    """A role's trust policy is the root of rights to it, as a key policy is: AWS names both in one breath."""
    asked = ask(who, "sts:AssumeRole", ROLE_ARN)
    decision = decide_role(asked, ACCOUNT, trust_policy(trust), own, limited)
    assert decision.allowed is (not cause), story
    assert cause in decision.sentence
