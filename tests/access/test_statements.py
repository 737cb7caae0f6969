"""Statements: whom, what and which resources they name, also by leaving out; and that finding them loses none."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.access.decide import decide_key
from fuin.access.policy import Policy, PolicyKind
from fuin.access.principal import ANONYMOUS, Principal
from fuin.access.principal_element import Match
from fuin.access.question import Question
from fuin.access.statement import Statement
from tests.access.builders import (
    ACCOUNT,
    ANN,
    ANN_ARN,
    EVE,
    EVE_ARN,
    KEY,
    OTHER,
    OTHER_ROOT,
    ROOT,
    ROOT_ARN,
    SERVICE,
    ask,
    bucket_policy,
    identity,
    key_policy,
    policy,
    statement,
)

ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/team/reader"
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/ann"
SESSION = Principal("role", SESSION_ARN, ACCOUNT, "AROAREADER:ann", "ann", identity_arn=ROLE_ARN)
OTHER_SESSION = replace(SESSION, identity_arn=f"arn:aws:iam::{ACCOUNT}:role/reader")  # as named, another role
GOOGLE = "accounts.google.com"


def own(**members: Any) -> Statement:
    """Return the only statement of a user's policy."""
    return policy(PolicyKind.IDENTITY, {"Effect": "Allow", "Action": "*", "Resource": "*"} | members).statements[0]


def naming(**whom: Any) -> Statement:
    """Return a statement of a key policy that names these."""
    effect = "Deny" if "NotPrincipal" in whom else "Allow"
    return key_policy({"Effect": effect, "Action": "kms:*", "Resource": "*", **whom}).statements[0]


@pytest.mark.parametrize(
    ("wanted", "action", "expected"),
    [
        ("kms:Decrypt", "kms:Decrypt", True),
        ("KMS:decrypt", "kms:Decrypt", True),
        ("kms:GenerateDataKey*", "kms:GenerateDataKeyWithoutPlaintext", True),
        ("kms:?ecrypt", "kms:Decrypt", True),
        ("kms:*", "s3:GetObject", False),
        (["s3:Get*", "kms:*"], "kms:Decrypt", True),
        ("*", "kms:Decrypt", True),
    ],
)
def test_action_and_notaction(wanted: Any, action: str, expected: bool) -> None:
    """NotAction is on exactly the actions that Action is not on."""
    assert own(Action=wanted).actions(action.lower()) is expected
    without = policy(PolicyKind.IDENTITY, {"Effect": "Allow", "NotAction": wanted, "Resource": "*"}).statements[0]
    assert without.actions(action.lower()) is not expected
    assert without.not_actions


@pytest.mark.parametrize(
    ("wanted", "resource", "expected"),
    [
        ("*", KEY, True),
        ("arn:aws:kms:*", KEY, True),
        (f"arn:aws:kms:us-east-1:{ACCOUNT}:key/*", KEY, True),
        ("arn:aws:kms:*:*:key/????????-*", KEY, True),
        ("arn:aws:kms:*:*:alias/*", KEY, False),
        ("arn:aws:s3:::B/*", "arn:aws:s3:::b/x", False),  # case matters
        ("arn:aws:kms", KEY, True),  # AWS fills the missing parts with `*`
        ("arn:aws:kms:eu-west-1", KEY, False),
        (["arn:aws:s3:::b", KEY], KEY, True),
    ],
)
def test_resource_and_notresource(wanted: Any, resource: str, expected: bool) -> None:
    """NotResource is on exactly the resources that Resource is not on."""
    asked = ask(resource=resource)
    assert own(Resource=wanted).covers(asked) is expected
    without = policy(PolicyKind.IDENTITY, {"Effect": "Allow", "Action": "*", "NotResource": wanted}).statements[0]
    assert without.covers(asked) is not expected


def test_short_arns_are_not_completed_in_policies_of_resources() -> None:
    """AWS completes them in policies of identities only."""
    (short,) = key_policy(statement("kms:*", "arn:aws:kms", Principal="*")).statements
    assert not short.covers(ask())


@pytest.mark.parametrize(
    ("element", "principal", "match"),
    [
        ("*", ANONYMOUS, Match.DIRECT),
        ({"AWS": "*"}, ANN, Match.DIRECT),
        ({"AWS": ACCOUNT}, ANN, Match.ACCOUNT),
        ({"AWS": ACCOUNT}, SESSION, Match.ACCOUNT),
        ({"AWS": ROOT_ARN}, ROOT, Match.ACCOUNT),
        ({"AWS": ANN_ARN}, ANN, Match.DIRECT),
        ({"AWS": ANN_ARN}, EVE, Match.NONE),
        ({"AWS": [ROOT_ARN, ANN_ARN]}, ANN, Match.DIRECT),
        ({"AWS": ROLE_ARN}, SESSION, Match.IDENTITY),
        ({"AWS": SESSION_ARN}, SESSION, Match.DIRECT),
        ({"AWS": [ROLE_ARN, SESSION_ARN]}, SESSION, Match.DIRECT),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/reader"}, SESSION, Match.NONE),  # another path
        ({"Service": "s3.amazonaws.com"}, SERVICE, Match.DIRECT),
        ({"Service": "ec2.amazonaws.com"}, SERVICE, Match.NONE),
        ({"AWS": "AIDACKCEVSQ6C2EXAMPLE"}, ANN, Match.NONE),
    ],
)
def test_principal(element: Any, principal: Principal, match: Match) -> None:
    """Each form of a principal, and how it names callers."""
    assert naming(Principal=element).match_principal(principal) is match


@pytest.mark.parametrize(
    ("element", "spared", "denied"),
    [
        ({"AWS": [ROOT_ARN, ANN_ARN]}, [ANN, ROOT], [SESSION, EVE, SERVICE, ANONYMOUS]),
        ({"AWS": ANN_ARN}, [], [ANN, ROOT]),  # AWS checks the account first
        ({"AWS": ROOT_ARN}, [ROOT], [ANN, SESSION]),  # and then the user
        ({"AWS": [ROOT_ARN, ROLE_ARN]}, [ROOT], [SESSION]),  # and then the session
        ({"AWS": [ROOT_ARN, ROLE_ARN, SESSION_ARN]}, [SESSION], [ANN]),
        ({"AWS": [ROOT_ARN, EVE_ARN]}, [ROOT], [EVE, OTHER_ROOT]),
        ({"AWS": [OTHER, EVE_ARN]}, [EVE, OTHER_ROOT], [ANN]),
        ({"Service": "s3.amazonaws.com"}, [SERVICE], [ANN, ROOT]),
        ("*", [ANN, SERVICE, ANONYMOUS], []),
    ],
)
def test_notprincipal(element: Any, spared: list[Principal], denied: list[Principal]) -> None:
    """A Deny with NotPrincipal spares those whose account, role and session all stand in its list."""
    without = naming(NotPrincipal=element)
    assert [without.match_principal(one) for one in spared] == [Match.NONE] * len(spared)
    assert [without.match_principal(one) for one in denied] == [Match.DIRECT] * len(denied)


def test_identity_providers_and_canonical_users_name_nobody_here() -> None:
    """They are taken where AWS takes them; an account's canonical id is its number."""
    trust = policy(
        PolicyKind.TRUST,
        {"Effect": "Allow", "Principal": {"Federated": GOOGLE}, "Action": "sts:AssumeRoleWithWebIdentity"},
    ).statements[0]
    assert trust.match_principal(ANN) is trust.match_principal(ANONYMOUS) is Match.NONE
    assert trust.reason.text.endswith(f"to {GOOGLE}")
    canonical = bucket_policy(
        statement("s3:*", "arn:aws:s3:::b", Principal={"CanonicalUser": ["ab" * 32, ACCOUNT]})
    ).statements[0]
    assert canonical.match_principal(ANN) is Match.ACCOUNT
    assert canonical.match_principal(EVE) is Match.NONE


def test_reasons_say_what_is_left_out() -> None:
    """The words of a statement tell NotAction, NotResource and NotPrincipal from their opposites."""
    item = {
        "Effect": "Deny",
        "NotPrincipal": {"AWS": ACCOUNT},
        "NotAction": "s3:List*",
        "NotResource": "arn:aws:s3:::b",
    }
    assert bucket_policy(item).statements[0].reason.text == (
        "bucket policy, statement 1, denies all but s3:List* on all but arn:aws:s3:::b "
        f"to everyone but account {ACCOUNT}"
    )


_CONDITIONS = st.sampled_from([
    {},
    {"StringEquals": {"kms:ViaService": ["s3", "x"]}},
    {"StringEquals": {"kms:ViaService": "ec2"}},
    {"StringEquals": {"kms:EncryptionContext:a": "s3"}},
    {"StringEqualsIfExists": {"kms:ViaService": "ec2"}},
    {"StringNotEquals": {"kms:ViaService": "s3"}},
    {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": "a"}},
    {"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "a"}},
    {"StringEquals": {"kms:ViaService": "${kms:EncryptionContext:a}"}},
    {"StringEquals": {"kms:ViaService": "s3", "kms:EncryptionContext:a": "x"}},
])  # fmt: skip
_STATEMENTS = st.builds(
    lambda whom, action, effect, block: statement(action, effect=effect, Principal=whom, Condition=block),
    st.sampled_from(["*", {"AWS": ROOT_ARN}, {"AWS": [ANN_ARN, ROLE_ARN]}, {"AWS": OTHER}]),
    st.sampled_from(["kms:*", "kms:Decrypt"]),
    st.sampled_from(["Allow", "Allow", "Deny"]),
    _CONDITIONS,
)
_VALUES = st.sampled_from(["s3", "x", "a"])
_CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "kms:ViaService": _VALUES,
        "kms:EncryptionContext:a": _VALUES | st.just(("s3", "x")),
        "kms:EncryptionContextKeys": st.sampled_from([("a",), ("a", "b"), ("b",)]),
    },
)


_CALLERS = [ANN, ROOT, SESSION, OTHER_SESSION, EVE, OTHER_ROOT, SERVICE]


@given(st.lists(_STATEMENTS, min_size=9, max_size=24), _CONTEXTS, st.permutations(_CALLERS))
def test_many_statements_decide_as_each_for_itself(
    items: list[dict[str, Any]], context: dict[str, Any], callers: list[Principal]
) -> None:
    """A policy of many statements, which are found by principal and value, decides as if all were looked at."""
    many = key_policy(*items)
    for principal in callers:
        asked = Question(principal, "kms:Decrypt", KEY, context)
        found = {one.index: match for one, match in many.statements_naming(asked)}
        for one in many.statements:
            applies = one.match_principal(principal) and one.actions("kms:decrypt") and one.meets_conditions(asked)
            assert found.get(one.index, Match.NONE) == one.match_principal(principal) or not applies
        if principal is not SERVICE:  # it has no policies of its own
            assert decide_key(asked, ACCOUNT, many, identity(statement("kms:*"))).allowed is _naively(many, asked)


@pytest.mark.parametrize("twin", [
    replace(ANN, arn=f"{ANN_ARN}2"),
    replace(ANN, account=OTHER),
    replace(SESSION, arn=ANN_ARN, identity_arn=""),
    replace(SESSION, arn=ANN_ARN),
    Principal("service", ANN_ARN, ACCOUNT, ANN_ARN),
])  # fmt: skip
def test_what_is_remembered_of_one_caller_is_not_anothers(twin: Principal) -> None:
    """Callers who differ in anything that a Principal looks at are told apart."""
    whom = [{"AWS": ROOT_ARN}, {"AWS": ANN_ARN}, {"AWS": ROLE_ARN}, {"AWS": OTHER}, {"Service": "s3.amazonaws.com"}]
    items = [statement("kms:*", Principal=one) for one in whom * 2]
    for first, second in ((ANN, twin), (twin, ANN), (SESSION, twin), (twin, SESSION)):
        many = key_policy(*items)
        many.statements_naming(ask(first))
        assert list(many.statements_naming(ask(second))) == [
            (one, match) for one in many.statements if (match := one.match_principal(second))
        ]


def _naively(many: Policy, asked: Question) -> bool:
    """Decide about a caller whose own policy allows everything that it is asked for."""
    applying = [one for one in many.statements if one.match_principal(asked.principal) and one.meets_conditions(asked)]
    return bool(applying) and all(one.effect == "Allow" for one in applying)


def test_what_is_found_is_remembered_within_bounds() -> None:
    """However many callers ask, a policy of many statements does not grow without end."""
    many = key_policy(*(statement("kms:*", Principal="*") for _ in range(100)))
    for number in range(1000):
        caller = Principal("user", f"arn:aws:iam::{ACCOUNT}:user/{number}", ACCOUNT, f"AIDA{number}", str(number))
        assert len(many.statements_naming(ask(caller))) == 100
    assert len(many._scopes) <= 41
