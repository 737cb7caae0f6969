"""Scenarios of AWS's pages on evaluation within one account, row by row. A bucket stands for most kinds of resources.

The pages are the IAM user guide's: "How AWS enforcement code logic evaluates requests to allow or deny access" (its
table of principals), "Policy evaluation for requests within a single account", "Permissions boundaries for IAM
entities" and "Policies and permissions in IAM", session policies.
"""

from typing import Any

import pytest

from fuin.access.decide import Decision, Limits, decide_bucket, decide_identity
from fuin.access.policy import Policy
from fuin.access.principal import Principal
from tests.access.builders import (
    ACCOUNT,
    ANN,
    ANN_ARN,
    APP,
    OBJECT,
    ROLE_ARN,
    ROOT,
    ROOT_ARN,
    SERVICE,
    SESSION_ARN,
    ask,
    bucket_policy,
    identity,
    limits,
    statement,
)

READ = "s3:GetObject"
NOTHING: tuple[Policy, ...] = ()
ELSE = statement("s3:ListBucket")  # says nothing of the request: an implicit deny
ALLOW, DENY = statement("s3:*"), statement(READ, effect="Deny")
SILENT_LIMITS = limits(ELSE, ELSE)


def naming(principal: Any, **more: Any) -> Policy:
    """Return a bucket policy that allows the request to a principal."""
    return bucket_policy(statement(READ, "arn:aws:s3:::bucket/*", Principal=principal, **more))


def read(who: Principal, bucket: Policy | None, own: tuple[Policy, ...], limited: Limits) -> Decision:
    """Return the decision about reading an object of the account."""
    return decide_bucket(ask(who, READ, OBJECT), ACCOUNT, bucket, own, limited)


EVERYONE_AS_THE_ROLE = naming("*", Condition={"ArnEquals": {"aws:PrincipalArn": ROLE_ARN}})


@pytest.mark.parametrize(
    ("row", "who", "bucket", "limited", "allowed"),
    [
        ("role session, role ARN", APP, naming({"AWS": ROLE_ARN}), SILENT_LIMITS, False),
        ("role session, role ARN, boundary alone", APP, naming({"AWS": ROLE_ARN}), limits(ELSE), False),
        ("role session, role ARN, session policy alone", APP, naming({"AWS": ROLE_ARN}), limits(None, ELSE), False),
        ("role session, role ARN, both allow", APP, naming({"AWS": ROLE_ARN}), limits(ALLOW, ALLOW), True),
        ("role session, role ARN, no limits", APP, naming({"AWS": ROLE_ARN}), Limits(), True),
        ("role session, session ARN", APP, naming({"AWS": SESSION_ARN}), SILENT_LIMITS, True),
        ("role session, * with aws:PrincipalArn", APP, EVERYONE_AS_THE_ROLE, SILENT_LIMITS, True),
        ("role session, *", APP, naming("*"), SILENT_LIMITS, True),
        ("role session, the account", APP, naming({"AWS": ROOT_ARN}), Limits(), False),
        ("user, user ARN", ANN, naming({"AWS": ANN_ARN}), SILENT_LIMITS, True),
        ("user, the account", ANN, naming({"AWS": ROOT_ARN}), Limits(), False),
        ("root user, root ARN", ROOT, naming({"AWS": ROOT_ARN}), Limits(), True),
        ("AWS service, service principal", SERVICE, naming({"Service": "s3.amazonaws.com"}), Limits(), True),
    ],
)
def test_table_of_principals(row: str, who: Principal, bucket: Policy, limited: Limits, allowed: bool) -> None:
    """What a resource-based policy gives where all of the caller's own policies are silent: AWS's table, row by row."""
    assert read(who, bucket, NOTHING if who.kind in ("root", "service") else identity(ELSE), limited).allowed is allowed


@pytest.mark.parametrize("who", [ANN, APP])
@pytest.mark.parametrize(
    ("bucket", "own", "limited", "cause"),
    [
        (naming("*"), identity(DENY), Limits(), "with an explicit deny in an identity-based policy"),
        (naming("*"), identity(ALLOW), limits(DENY), "with an explicit deny in a permissions boundary"),
        (naming("*"), identity(ALLOW), limits(None, DENY), "with an explicit deny in a session policy"),
        (
            bucket_policy(statement(READ, "arn:aws:s3:::bucket/*", "Deny", Principal="*")), identity(ALLOW),
            limits(ALLOW, ALLOW), "with an explicit deny in a resource-based policy",
        ),
        (None, NOTHING, Limits(), f"because no identity-based policy allows the {READ} action"),
        (None, identity(ELSE), SILENT_LIMITS, f"because no identity-based policy allows the {READ} action"),
        (None, identity(ALLOW), SILENT_LIMITS, f"because no permissions boundary allows the {READ} action"),
        (None, identity(ALLOW), limits(ALLOW, ELSE), f"because no session policy allows the {READ} action"),
        (naming({"AWS": ROOT_ARN}), identity(ALLOW), limits(ELSE), "because no permissions boundary allows"),
    ],
)  # fmt: skip
def test_refusals_say_which_kind_of_policy(
    who: Principal, bucket: Policy | None, own: tuple[Policy, ...], limited: Limits, cause: str
) -> None:
    """AWS: "Troubleshoot access denied error messages"; of several kinds one is told."""
    decision = read(who, bucket, own, limited)
    assert not decision.allowed
    assert cause in decision.sentence


def test_role_that_is_named_lacks_only_its_limit() -> None:
    """Where the role is named and its boundary is silent, it is the boundary that is missing, not an own policy."""
    decision = read(APP, naming({"AWS": ROLE_ARN}), NOTHING, limits(ELSE))
    assert "because no permissions boundary allows" in decision.sentence
    assert "because no session policy" in read(APP, naming({"AWS": ROLE_ARN}), NOTHING, limits(ALLOW, ELSE)).sentence


@pytest.mark.parametrize(
    ("own", "boundary", "session", "allowed"),
    [
        (True, None, None, True), (False, None, None, False), (True, True, None, True), (True, False, None, False),
        (False, True, None, False), (True, None, True, True), (True, None, False, False), (False, None, True, False),
        (True, True, True, True), (True, True, False, False), (True, False, True, False), (False, True, True, False),
    ],
)  # fmt: skip
def test_limits_are_intersections(own: bool, boundary: bool | None, session: bool | None, allowed: bool) -> None:
    """An identity's policies, its boundary and its session's policies must all allow; limits give nothing."""
    said = {True: ALLOW, False: ELSE}
    limited = limits(
        None if boundary is None else said[boundary], *(() if session is None else (said[session],))
    )  # fmt: skip
    mine = identity(said[own])
    assert read(APP, None, mine, limited).allowed is allowed
    assert decide_identity(ask(APP, READ, OBJECT), ACCOUNT, mine, limited).allowed is allowed


def test_session_policies_count_as_one() -> None:
    """A session of two policies may what either allows; a deny in one of them holds for both."""
    several = Limits(None, (*limits(None, ELSE).session, *limits(None, ALLOW).session))
    assert read(APP, None, identity(ALLOW), several).allowed
    denying = Limits(None, (*limits(None, ALLOW).session, *limits(None, DENY).session))
    assert not read(APP, None, identity(ALLOW), denying).allowed


CARLOS = identity(
    statement(["s3:GetBucketLocation", "s3:ListAllMyBuckets"], "arn:aws:s3:::*", Sid="AllowS3ListRead"),
    statement("s3:*", ["arn:aws:s3:::carlos", "arn:aws:s3:::carlos/*"], Sid="AllowS3Self"),
    statement("s3:*", "arn:aws:s3:::*log*", "Deny", Sid="DenyS3Logs"),
)


@pytest.mark.parametrize(
    ("action", "resource", "named", "cause"),
    [
        ("s3:PutObject", "arn:aws:s3:::carlos/a", False, ""),
        ("s3:PutObject", "arn:aws:s3:::carlos-logs/a", True, "explicit deny in an identity-based policy"),
        ("s3:PutObject", "arn:aws:s3:::carlos/log.txt", True, "explicit deny in an identity-based policy"),
        ("s3:PutObject", "arn:aws:s3:::other/a", False, "no identity-based policy allows"),
        ("s3:PutObject", "arn:aws:s3:::other/a", True, ""),
        ("s3:GetBucketLocation", "arn:aws:s3:::other", False, ""),
    ],
)
def test_the_example_of_carlos(action: str, resource: str, named: bool, cause: str) -> None:
    """The user guide's example: either side allows, and a deny of logs on one side beats an allow on the other."""
    policy = bucket_policy(statement("s3:*", "arn:aws:s3:::*", Principal={"AWS": ANN_ARN})) if named else None
    decision = decide_bucket(ask(ANN, action, resource), ACCOUNT, policy, CARLOS)
    assert decision.allowed is (not cause)
    assert cause in decision.sentence


@pytest.mark.parametrize(
    ("excluded", "boundary", "allowed"),
    [(ANN_ARN, None, True), (ANN_ARN, ALLOW, False), (ROLE_ARN, None, False), (ROLE_ARN, ALLOW, False)],
)
def test_deny_with_notprincipal_and_a_boundary(excluded: str, boundary: dict[str, Any] | None, allowed: bool) -> None:
    """AWS: a Deny with NotPrincipal always denies whoever has a boundary, also whom it leaves out."""
    deny = {
        "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket/*",
        "NotPrincipal": {"AWS": [excluded, ROOT_ARN]},
    }  # fmt: skip
    assert read(ANN, bucket_policy(deny), identity(ALLOW), limits(boundary)).allowed is allowed


def test_causes_name_their_policy() -> None:
    """Each cause says which kind of policy it comes from and which of them, counted from 0."""
    decision = read(APP, None, identity(ELSE) + identity(ALLOW), limits(ALLOW, ALLOW))
    assert [cause.origin for cause in decision.causes] == [
        ("identity-based policy", 1), ("permissions boundary", 0), ("session policy", 0),
    ]  # fmt: skip
    refused = read(APP, naming({"AWS": ANN_ARN}), identity(ELSE), Limits())
    assert ("resource-based policy", 0) in [cause.origin for cause in refused.causes]
