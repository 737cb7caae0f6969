"""Grants in decisions: stories, and the laws that they obey."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.access.decide import Decision, decide_key, decide_retirement
from fuin.access.grants import Grant, is_narrower, near_misses
from fuin.access.policy import Policy
from fuin.access.principal import ANONYMOUS, Principal
from fuin.access.question import Question
from tests.access.builders import (
    ACCOUNT,
    ANN,
    ANN_ARN,
    DELEGATING,
    EVE,
    EVE_ARN,
    KEY,
    OTHER,
    OTHER_ROOT,
    ROOT,
    ROOT_ARN,
    SERVICE,
    ask,
    identity,
    key_policy,
    statement,
)

NOTHING: tuple[Policy, ...] = ()
OTHER_ROOT_ARN = f"arn:aws:iam::{OTHER}:root"
NOBODY = key_policy(statement("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"}))
SOURCE = f"arn:aws:rds:us-east-1:{ACCOUNT}:db:one"
IT = (("Department", "IT"),)


def grant(**members: Any) -> Grant:
    """Return a grant to Ann of GenerateDataKey and Decrypt, with some members changed."""
    values: dict[str, Any] = {
        "grant_id": "ab" * 32, "key_id": "key", "region": "us-east-1", "account": ACCOUNT, "name": None,
        "grantee": ANN_ARN, "grantee_service": None, "retiring": None, "retiring_service": None,
        "operations": ("GenerateDataKey", "Decrypt"), "equals": None, "subset": None, "source_arn": None,
        "created": 1.0, **members,
    }  # fmt: skip
    return Grant(**values)


def decide(asked: Question, *grants: Grant, policy: Policy = NOBODY, own: tuple[Policy, ...] = NOTHING) -> Decision:
    """Return the decision about the key of these tests."""
    return decide_key(asked, ACCOUNT, policy, own, lambda: grants)


def context(**pairs: str) -> dict[str, str]:
    """Return the condition keys of an encryption context."""
    return {f"kms:EncryptionContext:{name}": value for name, value in pairs.items()}


@pytest.mark.parametrize(
    ("story", "who", "members", "own", "allowed"),
    [
        ("its grantee, without any policy", ANN, {}, NOTHING, True),
        ("a grantee of another account, without any policy", EVE, {"grantee": EVE_ARN}, NOTHING, True),
        ("somebody else", EVE, {}, NOTHING, False),
        ("the root of the grantee's account", ROOT, {}, NOTHING, False),
        ("another operation", ANN, {"operations": ("Encrypt",)}, NOTHING, False),
        ("an account's root, to which it was given", OTHER_ROOT, {"grantee": OTHER_ROOT_ARN}, NOTHING, True),
        ("a user of that account, without a policy", EVE, {"grantee": OTHER_ROOT_ARN}, NOTHING, False),
        ("a user of that account, whose policy allows", EVE, {"grantee": OTHER_ROOT_ARN}, "allow", True),
        ("a user of another account, whose policy allows", EVE, {"grantee": ROOT_ARN}, "allow", False),
        ("a grantee whose own policy denies", ANN, {}, "deny", False),
        ("nobody", ANONYMOUS, {"grantee": "*"}, NOTHING, False),
        ("a role of the same name as nobody", ANN, {"grantee": f"arn:aws:iam::{ACCOUNT}:role/ann"}, NOTHING, False),
    ],
)
def test_whom_a_grant_helps(story: str, who: Principal, members: dict[str, Any], own: Any, allowed: bool) -> None:
    """A grant is enough by itself for its grantee; one to an account leaves it to the account's own policies."""
    if own in ("allow", "deny"):
        own = identity(statement("kms:*", effect=own.title()))
    assert decide(ask(who), grant(**members), own=own).allowed is allowed, story


def test_denials_win() -> None:
    """An explicit deny in the key policy refuses whatever grants there are."""
    policy = key_policy(
        statement("kms:*", Principal={"AWS": ROOT_ARN}),
        statement("kms:Decrypt", effect="Deny", Principal={"AWS": ANN_ARN}),
    )
    assert decide(ask(), grant(), policy=policy).allowed
    assert not decide(ask(action="kms:Decrypt"), grant(), policy=policy).allowed


def test_grants_are_not_read_for_nothing() -> None:
    """Where the policies decide, for or against, nobody asks for grants."""

    def read() -> tuple[Grant, ...]:
        raise AssertionError("grants were read")

    own = identity(statement("kms:*"))
    assert decide_key(ask(), ACCOUNT, DELEGATING, own, read).allowed
    assert not decide_key(ask(), ACCOUNT, DELEGATING, identity(statement("kms:*", effect="Deny")), read).allowed


@pytest.mark.parametrize(
    ("constraint", "given", "met"),
    [
        ({"equals": IT}, {"Department": "IT"}, True),
        ({"equals": IT}, {"department": "IT"}, True),
        ({"equals": IT}, {"Department": "it"}, False),
        ({"equals": IT}, {"Department": "IT", "Purpose": "Test"}, False),
        ({"equals": IT}, {}, False),
        ({"equals": ()}, {}, True),
        ({"equals": ()}, {"Department": "IT"}, False),
        ({"subset": IT}, {"Department": "IT"}, True),
        ({"subset": IT}, {"Department": "IT", "Purpose": "Test"}, True),
        ({"subset": IT}, {"DEPARTMENT": "IT"}, True),
        ({"subset": IT}, {"Purpose": "Test"}, False),
        ({"subset": IT}, {"Department": "HR", "department": "IT"}, False),
        ({"equals": IT}, {"Department": "IT", "department": "HR"}, False),
    ],
)
def test_constraints_on_the_context(constraint: dict[str, Any], given: dict[str, str], met: bool) -> None:
    """Names in any case, values exactly; a context that gives a name twice is read as the one that grants less."""
    asked = Question(ANN, "kms:GenerateDataKey", KEY, context(**given))
    assert decide(asked, grant(**constraint)).allowed is met
    assert asked.used_conditions


def test_constraints_on_the_context_leave_some_operations_alone() -> None:
    """DescribeKey has no context, so that the constraint does not apply to it."""
    assert decide(ask(action="kms:DescribeKey"), grant(operations=("DescribeKey",), equals=IT)).allowed


def test_services_and_their_resource() -> None:
    """A grant to a service holds for that service, and for the one resource that it is for."""
    to_service = {"grantee": None, "grantee_service": "s3.amazonaws.com", "source_arn": SOURCE}
    for operation in ("Decrypt", "DescribeKey"):
        given = grant(**to_service, operations=(operation,))
        for who, source, allowed in (
            (SERVICE, SOURCE, True), (SERVICE, SOURCE + "2", False), (SERVICE, None, False), (ANN, SOURCE, False),
        ):  # fmt: skip
            more = {} if source is None else {"aws__SourceArn": source}
            assert decide(ask(who, f"kms:{operation}", **more), given).allowed is allowed
    assert not decide(ask(SERVICE), grant(grantee_service="rds.amazonaws.com")).allowed


def test_a_decision_by_a_plain_grant_stands() -> None:
    """Without a constraint nothing of the circumstances is looked at, so the decision may be kept."""
    asked = ask()
    assert decide(asked, grant()).allowed
    assert not asked.used_conditions


CREATE = ("CreateGrant", "Decrypt")


@pytest.mark.parametrize(
    ("parent", "child", "allowed"),
    [
        ({}, {"operations": ("Decrypt",)}, True),
        ({}, {"operations": CREATE, "grantee": EVE_ARN}, True),
        ({}, {"operations": ("Decrypt", "Encrypt")}, False),
        ({"subset": IT}, {"operations": ("Decrypt",)}, False),
        ({"subset": IT}, {"operations": ("Decrypt",), "subset": (("department", "IT"),)}, True),
        ({"subset": IT}, {"operations": ("Decrypt",), "subset": (*IT, ("a", "b"))}, True),
        ({"subset": IT}, {"operations": ("Decrypt",), "equals": IT}, True),
        ({"subset": IT}, {"operations": ("Decrypt",), "equals": (("Department", "HR"),)}, False),
        ({"equals": IT}, {"operations": ("Decrypt",), "subset": IT}, False),
        ({"equals": IT}, {"operations": ("Decrypt",), "equals": IT}, True),
        ({"equals": IT}, {"operations": ("Decrypt",), "equals": (*IT, ("a", "b"))}, False),
    ],
)
def test_grants_made_by_a_grantee(parent: dict[str, Any], child: dict[str, Any], allowed: bool) -> None:
    """Whoever may create grants by a grant only may pass on what it has, as strictly constrained or stricter."""
    proposed = grant(**child)
    asked = Question(ANN, "kms:CreateGrant", KEY, {}, proposed)
    assert decide(asked, grant(operations=CREATE, **parent)).allowed is allowed
    by_policy = identity(statement("kms:CreateGrant"))
    again = Question(ANN, "kms:CreateGrant", KEY, {}, proposed)
    assert decide(again, grant(operations=CREATE, **parent), policy=DELEGATING, own=by_policy).allowed


def test_source_of_a_child() -> None:
    """A grant for one resource passes on to that resource alone, and CreateGrant itself is for it."""
    parent = grant(operations=CREATE, source_arn=SOURCE)
    assert is_narrower(grant(operations=CREATE, source_arn=SOURCE), parent)
    assert not is_narrower(grant(operations=CREATE), parent)
    assert not is_narrower(grant(operations=CREATE, source_arn=SOURCE + "2"), parent)


def test_create_grant_is_not_covered_without_a_proposal() -> None:
    """Fail closed: a check that does not say which grant is to be created is not covered by a grant."""
    assert not decide(ask(action="kms:CreateGrant"), grant(operations=CREATE)).allowed


RETIRE = ("Decrypt", "RetireGrant")
MAY_RETIRE = identity(statement("kms:RetireGrant"))
MAY_NOT = identity(statement("kms:RetireGrant", effect="Deny"))
RETIRE_BY_KEY_POLICY = key_policy(statement("kms:*", Principal={"AWS": [ANN_ARN, EVE_ARN]}))


@pytest.mark.parametrize(
    ("story", "who", "members", "own", "allowed"),
    [
        ("the retiring principal", EVE, {"retiring": EVE_ARN}, NOTHING, True),
        ("... whose own policy denies", EVE, {"retiring": EVE_ARN}, MAY_NOT, False),
        ("an account's root that may retire it", OTHER_ROOT, {"retiring": OTHER_ROOT_ARN}, NOTHING, True),
        ("a user of that account", EVE, {"retiring": OTHER_ROOT_ARN}, NOTHING, False),
        ("... to whom the account delegates it", EVE, {"retiring": OTHER_ROOT_ARN}, MAY_RETIRE, True),
        ("the grantee", ANN, {}, NOTHING, False),
        ("the grantee, if the grant allows it", ANN, {"operations": RETIRE}, NOTHING, True),
        ("the root of the key's account", ROOT, {}, NOTHING, True),
        ("a user of the key's account to whom it is delegated", ANN, {"grantee": EVE_ARN}, MAY_RETIRE, True),
        ("a user of the key's account", ANN, {"grantee": EVE_ARN}, NOTHING, False),
        ("the root of the account that issued it", OTHER_ROOT, {"account": OTHER}, NOTHING, True),
        ("a stranger with a policy", EVE, {}, MAY_RETIRE, False),
        ("a retiring service", SERVICE, {"retiring_service": "s3.amazonaws.com"}, NOTHING, True),
        ("nobody", ANONYMOUS, {}, NOTHING, False),
    ],
)
def test_who_may_retire(
    story: str, who: Principal, members: dict[str, Any], own: tuple[Policy, ...], allowed: bool
) -> None:
    """The grant says who may retire it, and its account may; an allowing key policy does not help."""
    asked = ask(who, "kms:RetireGrant")
    for policy in (NOBODY, RETIRE_BY_KEY_POLICY):
        decision = decide_retirement(asked, grant(**members), ACCOUNT, policy, own)
        assert decision.allowed is allowed, story
        assert decision.reasons


def test_another_grant_does_not_retire() -> None:
    """RetireGrant in one grant retires that one, not others; and the key policy can deny it."""
    asked = ask(action="kms:RetireGrant")
    assert not decide(asked, grant(operations=RETIRE)).allowed
    denying = key_policy(statement("kms:RetireGrant", effect="Deny", Principal="*"))
    assert not decide_retirement(asked, grant(operations=RETIRE), ACCOUNT, denying, NOTHING).allowed
    assert not decide_retirement(asked, None, ACCOUNT, NOBODY, NOTHING).allowed


def test_reasons_name_the_grant() -> None:
    """The trace says which grant allowed, and beside it the caller's own statement where the account needed one."""
    (reason,) = decide(ask(), grant(name="nightly")).reasons
    assert reason.text == f'grant {"ab" * 32} "nightly" allows kms:GenerateDataKey'
    own = identity(statement("kms:GenerateDataKey", Sid="Own"))
    reasons = decide(ask(EVE), grant(grantee=OTHER_ROOT_ARN), own=own).reasons
    assert [item.statement for item in reasons] == ["", 'statement "Own"']


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"equals": IT}, "is on kms:GenerateDataKey, but its constraint EncryptionContextEquals {Department=IT}"),
        ({"subset": IT}, "is on kms:GenerateDataKey, but its constraint EncryptionContextSubset {Department=IT}"),
        ({"source_arn": SOURCE}, f"but its constraint SourceArn {SOURCE} is not met"),
        ({"operations": ("Encrypt",)}, "allows Encrypt, but this needs GenerateDataKey"),
        ({"grantee": ROOT_ARN}, "is on kms:GenerateDataKey, but only for the account"),
    ],
)
def test_near_misses(members: dict[str, Any], text: str) -> None:
    """A refusal says which grant came near and what was missing, in the trace and not to the caller."""
    decision = decide(ask(), grant(**members))
    assert any(text in reason.text for reason in decision.reasons)
    assert "grant " not in decision.sentence


def test_near_misses_stay_few() -> None:
    """Reasons go into the record, so many grants make few reasons; those on the operation come first."""
    grants = [grant(operations=("Encrypt",))] * 1000 + [grant(subset=IT)]
    reasons = near_misses(ask(), grants)
    assert len(reasons) == 4
    assert "Department=IT" in reasons[0].text
    assert near_misses(ask(EVE), grants) == ()


def test_sentence_of_a_user_whose_account_has_the_grant() -> None:
    """Where only the caller's own policy is missing, the refusal says so."""
    assert "no identity-based policy" in decide(ask(EVE), grant(grantee=OTHER_ROOT_ARN)).sentence
    assert "no resource-based policy" in decide(ask(EVE), grant()).sentence


_OPERATIONS = ("Decrypt", "GenerateDataKey", "CreateGrant", "RetireGrant", "DescribeKey")
_PAIRS = st.none() | st.dictionaries(st.sampled_from(["a", "A", "b"]), st.sampled_from(["x", "y"])).map(
    lambda pairs: tuple(sorted(pairs.items()))
)
_GRANTS = st.builds(
    lambda grantee, operations, equals, subset: grant(
        grantee=grantee, operations=tuple(operations), equals=equals, subset=None if equals is not None else subset
    ),
    st.sampled_from([ANN_ARN, EVE_ARN, ROOT_ARN, OTHER_ROOT_ARN]),
    st.sets(st.sampled_from(_OPERATIONS), min_size=1),
    _PAIRS,
    _PAIRS,
)
_OWN = st.lists(
    st.builds(
        lambda action, effect: statement(action, effect=effect),
        st.sampled_from(["kms:*", "kms:Decrypt", "kms:CreateGrant"]),
        st.sampled_from(["Allow", "Deny"]),
    ),
    max_size=3,
)
_NAMING = st.lists(
    st.builds(
        lambda item, whom: {**item, "Principal": whom},
        st.builds(
            lambda action, effect: statement(action, effect=effect),
            st.sampled_from(["kms:*", "kms:Decrypt", "kms:CreateGrant"]),
            st.sampled_from(["Allow", "Deny"]),
        ),
        st.sampled_from(["*", {"AWS": ROOT_ARN}, {"AWS": [ANN_ARN, EVE_ARN]}, {"AWS": OTHER}]),
    ),
    min_size=1,
    max_size=3,
)
_ASKS = st.builds(
    lambda who, operation, pairs, proposed: Question(
        who,
        f"kms:{operation}",
        KEY,
        {f"kms:EncryptionContext:{name}": value for name, value in pairs.items()},
        proposed,
    ),
    st.sampled_from([ROOT, ANN, EVE, OTHER_ROOT, SERVICE, ANONYMOUS]),
    st.sampled_from(_OPERATIONS),
    st.dictionaries(st.sampled_from(["a", "A", "b"]), st.sampled_from(["x", "y"])),
    st.none() | _GRANTS,
)


def _world(asked: Question, naming: list[dict[str, Any]], own: list[dict[str, Any]], grants: list[Grant]) -> Decision:
    fresh = Question(asked.principal, asked.action, asked.resource, asked.context, asked.proposed)
    mine = identity(*own) if own else ()
    return decide_key(fresh, ACCOUNT, key_policy(*naming), mine, lambda: grants)


@given(_ASKS, _NAMING, _OWN, st.lists(_GRANTS, max_size=3))
def test_a_grant_never_takes_away_and_never_overrides_a_deny(
    asked: Question, naming: list[dict[str, Any]], own: list[dict[str, Any]], grants: list[Grant]
) -> None:
    """Whoever is allowed stays allowed with grants; whoever is denied explicitly stays denied."""
    before, after = _world(asked, naming, own, []), _world(asked, naming, own, grants)
    assert after.allowed or not before.allowed
    if any(reason.effect == "Deny" for reason in before.reasons):
        assert not after.allowed


@given(_ASKS, _NAMING, _OWN, st.lists(_GRANTS, max_size=3))
def test_a_grant_never_widens_beyond_what_it_says(
    asked: Question, naming: list[dict[str, Any]], own: list[dict[str, Any]], grants: list[Grant]
) -> None:
    """What grants add is for one of their grantees (or its account), and for one of that grant's operations."""
    if _world(asked, naming, own, []).allowed or not _world(asked, naming, own, grants).allowed:
        return
    who = asked.principal
    allowing = [
        one
        for one in grants
        if asked.action.removeprefix("kms:") in one.operations
        and one.grantee in (who.arn, f"arn:aws:iam::{who.account}:root")
    ]
    assert allowing
    assert asked.action != "kms:RetireGrant"
    if asked.action == "kms:CreateGrant":
        assert any(asked.proposed is not None and is_narrower(asked.proposed, one) for one in allowing)


@given(_ASKS, _NAMING, _OWN, st.lists(_GRANTS, max_size=3))
def test_decisions_that_stand_do_not_depend_on_the_context(
    asked: Question, naming: list[dict[str, Any]], own: list[dict[str, Any]], grants: list[Grant]
) -> None:
    """Whoever keeps a decision in which no circumstance mattered is right about every other context."""
    mine = identity(*own) if own else ()
    first = Question(asked.principal, asked.action, asked.resource, {}, asked.proposed)
    decision = decide_key(first, ACCOUNT, key_policy(*naming), mine, lambda: grants)
    if decision.allowed and not first.used_conditions:
        assert _world(asked, naming, own, grants).allowed


@given(_GRANTS, _GRANTS, _ASKS)
def test_a_narrower_grant_allows_no_more(child: Grant, parent: Grant, asked: Question) -> None:
    """Whatever use a child that may be made covers, its parent covers."""
    if (
        is_narrower(child, parent)
        and asked.action not in ("kms:CreateGrant", "kms:RetireGrant")
        and child.covers(asked)
    ):
        assert parent.covers(asked)
