"""Scenarios of the KMS developer guide: key policies, IAM policies, grants, other accounts, use through services.

The pages are "Key policies in AWS KMS", "Default key policy", "Using IAM policies with AWS KMS", "Allowing users in
other accounts to use a KMS key", "Grants in AWS KMS", "Using kms:ViaService", "Troubleshooting AWS KMS permissions".
"""

from typing import Any

import pytest

from fuin.access.decide import Limits, decide_key, decide_retirement
from fuin.access.grants import Grant
from fuin.access.policy import Policy
from fuin.access.principal import ANONYMOUS, Principal
from fuin.access.question import Question
from tests.access.builders import (
    ACCOUNT,
    ANN,
    ANN_ARN,
    APP,
    BOT,
    BOT_ARN,
    BOT_SESSION_ARN,
    DELEGATING,
    EVE,
    EVE_ARN,
    KEY,
    OTHER,
    ROLE_ARN,
    ROOT,
    ROOT_ARN,
    SERVICE,
    SESSION_ARN,
    ask,
    identity,
    key_policy,
    limits,
    statement,
)

NOTHING: tuple[Policy, ...] = ()
ALLOW, DENY, ELSE = statement("kms:*"), statement("kms:*", effect="Deny"), statement("s3:*")
OTHER_KEY = KEY[:-1] + "0"
VIA_S3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
# The default key policy of the console: administrators and users of the key, named one by one.
CONSOLE = key_policy(
    statement("kms:*", Principal={"AWS": ROOT_ARN}, Sid="Enable IAM User Permissions"),
    statement(["kms:Create*", "kms:Put*", "kms:ScheduleKeyDeletion"], Principal={"AWS": ANN_ARN}, Sid="Administrators"),
    statement(USE, Principal={"AWS": [ROLE_ARN, OTHER]}, Sid="Allow use of the key"),
    statement(
        ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"], Principal={"AWS": [ROLE_ARN, OTHER]},
        Sid="Allow attachment of persistent resources", Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}},
    ),
)  # fmt: skip


def named(*principals: str, **more: Any) -> Policy:
    """Return a key policy that names these and nobody else."""
    return key_policy(statement("kms:*", Principal={"AWS": list(principals)}, **more))


@pytest.mark.parametrize(
    ("story", "who", "action", "own", "allowed"),
    [
        ("the account's root manages the key", ROOT, "kms:PutKeyPolicy", NOTHING, True),
        ("a user whose IAM policy allows it", ANN, "kms:Decrypt", identity(ALLOW), True),
        ("a user without one", ANN, "kms:Decrypt", NOTHING, False),
        ("an administrator, by the key policy alone", ANN, "kms:PutKeyPolicy", NOTHING, True),
        ("a role that may use the key", APP, "kms:GenerateDataKeyWithoutPlaintext", NOTHING, True),
        ("... and may not administer it", APP, "kms:PutKeyPolicy", NOTHING, False),
        ("... and creates no grants by itself", APP, "kms:CreateGrant", NOTHING, False),
        ("another account's role, whose account delegates", BOT, "kms:Decrypt", identity(ALLOW), True),
        ("... whose account does not", BOT, "kms:Decrypt", NOTHING, False),
        ("... and administers nothing", BOT, "kms:PutKeyPolicy", identity(ALLOW), False),
        ("an IAM policy about another key", ANN, "kms:Decrypt", identity(statement("kms:*", OTHER_KEY)), False),
        ("an IAM policy about all keys of the account", ANN, "kms:Decrypt",
         identity(statement("kms:*", f"arn:aws:kms:*:{ACCOUNT}:key/*")), True),
    ],
)  # fmt: skip
def test_the_console_s_key_policy(
    story: str, who: Principal, action: str, own: tuple[Policy, ...], allowed: bool
) -> None:
    """The key policy that the console makes, with its four statements."""
    assert decide_key(ask(who, action), ACCOUNT, CONSOLE, own).allowed is allowed, story


@pytest.mark.parametrize(
    ("story", "who", "policy", "own", "limited", "cause"),
    [
        ("a user, named", ANN, named(ANN_ARN), NOTHING, limits(ELSE), ""),
        ("a role, named: its boundary limits", APP, named(ROLE_ARN), NOTHING, limits(ELSE), "no permissions boundary"),
        ("a role, named: its session policy limits", APP, named(ROLE_ARN), NOTHING, limits(None, ELSE), "no session"),
        ("a role, named, within its limits", APP, named(ROLE_ARN), NOTHING, limits(ALLOW, ALLOW), ""),
        ("one session, named", APP, named(SESSION_ARN), NOTHING, limits(ELSE, ELSE), ""),
        ("another session of the role", APP, named(SESSION_ARN + "s"), identity(ALLOW), Limits(), "no resource-based"),
        ("another role", APP, named(ROLE_ARN + "s"), identity(ALLOW), Limits(), "no resource-based"),
        ("a role, delegated", APP, DELEGATING, identity(ALLOW), Limits(), ""),
        ("a role, delegated, without a policy", APP, DELEGATING, NOTHING, Limits(), "no identity-based"),
        ("a role, delegated, beyond its boundary", APP, DELEGATING, identity(ALLOW), limits(ELSE), "no permissions b"),
        ("a role, delegated, beyond its session", APP, DELEGATING, identity(ALLOW), limits(None, ELSE), "no session p"),
        ("a deny of the role reaches its sessions", APP, key_policy(
            statement("kms:*", Principal="*"), statement("kms:*", effect="Deny", Principal={"AWS": ROLE_ARN})
        ), identity(ALLOW), Limits(), "deny in a resource-based"),
        ("a deny of the session reaches that one", APP, key_policy(
            statement("kms:*", Principal="*"), statement("kms:*", effect="Deny", Principal={"AWS": SESSION_ARN})
        ), identity(ALLOW), Limits(), "deny in a resource-based"),
        ("a deny in the boundary, though named", ANN, named(ANN_ARN), NOTHING, limits(DENY), "deny in a permissions b"),
        ("a deny in the session policy, though named", APP, named(SESSION_ARN), NOTHING, limits(None, DENY),
         "deny in a session policy"),
        ("no key policy, only limits that allow", APP, named(EVE_ARN), identity(ALLOW), limits(ALLOW, ALLOW),
         "no resource-based"),
    ],
)  # fmt: skip
def test_how_a_key_policy_names_the_caller(
    story: str, who: Principal, policy: Policy, own: tuple[Policy, ...], limited: Limits, cause: str
) -> None:
    """A role means its sessions, a session one of them, the account delegates; limits hold as AWS's table says."""
    decision = decide_key(ask(who, "kms:Decrypt"), ACCOUNT, policy, own, limits=limited)
    assert decision.allowed is (not cause), story
    assert cause in decision.sentence


def grant(grantee: str, *operations: str, **more: Any) -> Grant:
    """Return a grant on the key."""
    values: dict[str, Any] = {
        "grant_id": "ab" * 32, "key_id": "key", "region": "us-east-1", "account": ACCOUNT, "name": None,
        "grantee": grantee, "grantee_service": None, "retiring": None, "retiring_service": None,
        "operations": operations or ("Decrypt",), "equals": None, "subset": None, "source_arn": None, "created": 1.0,
    }  # fmt: skip
    return Grant(**values | more)


@pytest.mark.parametrize(
    ("story", "who", "grantee", "own", "limited", "cause"),
    [
        ("a role", APP, ROLE_ARN, NOTHING, Limits(), ""),
        ("... beyond its boundary", APP, ROLE_ARN, identity(ALLOW), limits(ELSE), "no permissions boundary"),
        ("... beyond its session's policy", APP, ROLE_ARN, NOTHING, limits(None, ELSE), "no session policy"),
        ("one session", APP, SESSION_ARN, NOTHING, limits(ELSE, ELSE), ""),
        ("another session of the role", APP, SESSION_ARN + "s", NOTHING, Limits(), "no resource-based"),
        ("a user beyond its boundary", ANN, ANN_ARN, NOTHING, limits(ELSE), ""),
        ("a user whose boundary denies", ANN, ANN_ARN, NOTHING, limits(DENY), "deny in a permissions boundary"),
        ("another account's role", BOT, BOT_ARN, NOTHING, Limits(), ""),
        ("... beyond its boundary", BOT, BOT_ARN, NOTHING, limits(ELSE), "no permissions boundary"),
        ("another account's session beyond its boundary", BOT, BOT_SESSION_ARN, NOTHING, limits(ELSE), "no permissi"),
        ("another account's user beyond its boundary", EVE, EVE_ARN, NOTHING, limits(ELSE), "no permissions boundary"),
        ("another account", BOT, f"arn:aws:iam::{OTHER}:root", identity(ALLOW), Limits(), ""),
        ("... that does not delegate", BOT, f"arn:aws:iam::{OTHER}:root", NOTHING, Limits(), "no identity-based"),
    ],
)
def test_grants_to_sessions(
    story: str, who: Principal, grantee: str, own: tuple[Policy, ...], limited: Limits, cause: str
) -> None:
    """A grant gives to a role what a key policy that names it would; to another account, within that one's limits."""
    nobody = named(f"arn:aws:iam::{ACCOUNT}:user/nobody")
    decision = decide_key(ask(who, "kms:Decrypt"), ACCOUNT, nobody, own, lambda: [grant(grantee)], limited)
    assert decision.allowed is (not cause), story
    assert cause in decision.sentence


@pytest.mark.parametrize(
    ("who", "more", "own", "limited", "allowed"),
    [
        (APP, {"retiring": ROLE_ARN}, NOTHING, Limits(), True),
        (APP, {"retiring": ROLE_ARN}, NOTHING, limits(ELSE), False),
        (APP, {"retiring": SESSION_ARN}, NOTHING, limits(ELSE), True),
        (APP, {}, identity(ALLOW), Limits(), True),  # of the key's account, to which it is delegated
        (APP, {}, NOTHING, Limits(), False),
        (APP, {}, identity(ALLOW), limits(None, ELSE), False),
        (BOT, {"retiring": BOT_ARN}, NOTHING, Limits(), True),
        (BOT, {}, identity(ALLOW), Limits(), False),
    ],
)
def test_sessions_retire_grants(
    who: Principal, more: dict[str, Any], own: tuple[Policy, ...], limited: Limits, allowed: bool
) -> None:
    """Who may retire a grant is decided for sessions of roles in the same way."""
    asked = ask(who, "kms:RetireGrant")
    assert decide_retirement(asked, grant(EVE_ARN, **more), ACCOUNT, DELEGATING, own, limited).allowed is allowed


S3_ONLY = named(ANN_ARN, ROLE_ARN, Condition=VIA_S3)


@pytest.mark.parametrize(
    ("story", "who", "policy", "via", "own", "allowed"),
    [
        ("a user through S3", ANN, S3_ONLY, "s3.us-east-1.amazonaws.com", NOTHING, True),
        ("a session through S3", APP, S3_ONLY, "s3.us-east-1.amazonaws.com", NOTHING, True),
        ("a user without S3", ANN, S3_ONLY, None, identity(ALLOW), False),
        ("a user through another service", ANN, S3_ONLY, "rds.us-east-1.amazonaws.com", identity(ALLOW), False),
        ("a user through S3 of another Region", ANN, S3_ONLY, "s3.eu-west-1.amazonaws.com", identity(ALLOW), False),
        ("a key of AWS: everyone of the account through the service", APP, key_policy(statement(
            "kms:*", Principal={"AWS": "*"},
            Condition={"StringEquals": {"kms:CallerAccount": ACCOUNT, **VIA_S3["StringEquals"]}},
        )), "s3.us-east-1.amazonaws.com", NOTHING, True),
        ("the service for itself", SERVICE, key_policy(
            statement("kms:*", Principal={"Service": "s3.amazonaws.com"})
        ), None, NOTHING, True),
        ("the service, where users are named", SERVICE, named(ANN_ARN), None, NOTHING, False),
        ("nobody, where everyone is named", ANONYMOUS, key_policy(statement("kms:*", Principal="*")), None, NOTHING,
         False),
    ],
)  # fmt: skip
def test_use_through_services(
    story: str, who: Principal, policy: Policy, via: str | None, own: tuple[Policy, ...], allowed: bool
) -> None:
    """AWS: "Using kms:ViaService"; forward access sessions keep the caller, and a service for itself is a service."""
    asked = Question(who, "kms:Decrypt", KEY, {} if via is None else {"kms:ViaService": via})
    assert decide_key(asked, ACCOUNT, policy, own).allowed is allowed, story
