"""What `fuin explain` tells of a decision: each statement, what of it matched, and the smallest change that helps."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.access.grants import Grant
from fuin.access.policy import PolicyKind
from fuin.access.principal import ANONYMOUS, Principal
from fuin.access.principal_element import Match
from fuin.access.question import Question
from fuin.access.resources.bucket import BucketResource
from fuin.access.resources.key import KeyResource
from fuin.access.resources.own import OwnResource
from fuin.access.resources.resource import Resource
from fuin.advice.case import Case, LabelledPolicy
from fuin.advice.explain import explain
from fuin.advice.repairs import smallest_changes
from tests.access.builders import ACCOUNT, ANN, ANN_ARN, EVE, KEY, OBJECT, OTHER, ROOT, ROOT_ARN, ask, statement

DELEGATION = statement("kms:*", Principal={"AWS": ROOT_ARN}, Sid="Enable IAM User Permissions")
KEY_RESOURCE = KeyResource(KEY, ACCOUNT, None)
VIA = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}


def sheet(label: str, kind: PolicyKind, *statements: dict[str, Any]) -> LabelledPolicy:
    """Return a named policy of these statements."""
    return LabelledPolicy(label, kind, json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def case(
    *own: dict[str, Any],
    key: dict[str, Any] | None = DELEGATION,
    about: Resource = KEY_RESOURCE,
    grants: tuple[Grant, ...] = (),
) -> Case:
    """Return a case of Ann's policy, if it has statements, and the resource's."""
    kind = about.kind
    resource = sheet(kind.value, kind, key) if key and kind else None
    policies = (sheet("policy of user ann", PolicyKind.IDENTITY, *own),) if own else ()
    return Case(about, "user ann", resource, policies, grants=grants)


def texts(chosen: Case, question: Question) -> list[list[str]]:
    """Return the sentences of each way."""
    return [[change.text for change in way] for way in smallest_changes(chosen, question)]


def grant(**more: Any) -> Grant:
    """Return a grant of Decrypt to Ann."""
    values: dict[str, Any] = {
        "grant_id": "g1", "key_id": KEY.rpartition("/")[2], "region": "us-east-1", "account": ACCOUNT, "name": None,
        "grantee": ANN_ARN, "grantee_service": None, "retiring": None, "retiring_service": None,
        "operations": ("Decrypt",), "equals": None, "subset": None, "source_arn": None, "created": 0.0,
    }  # fmt: skip
    return Grant(**(values | more))


def test_each_statement_says_what_of_it_matched() -> None:
    """Action, resource, principal and each condition apart, with the values that the request had."""
    mine = case(
        statement("kms:Encrypt", KEY, Sid="Other action"),
        statement("kms:Decrypt", KEY, Sid="Through S3", Condition=VIA),
        statement("kms:Decrypt", KEY.replace("1234abcd", "ffffffff"), Sid="Other key"),
    )
    evaluation = explain(mine, ask(action="kms:Decrypt", kms__ViaService="ec2.us-east-1.amazonaws.com"))
    assert not evaluation.decision.allowed
    delegation, own = evaluation.policies
    assert (delegation.statements[0].match, delegation.statements[0].takes_effect) == (Match.ACCOUNT, True)
    other_action, through, other_key = own.statements
    assert (other_action.action, other_action.resource, other_action.near) == (False, True, False)
    assert (through.near, through.takes_effect) == (True, False)
    assert through.failed_conditions[0].found == ("ec2.us-east-1.amazonaws.com",)
    assert through.failed_conditions[0].values == ("s3.us-east-1.amazonaws.com",)
    assert (other_key.action, other_key.resource) == (True, False)


def test_an_absent_key_is_told_as_absent() -> None:
    """None, and not an empty value."""
    evaluation = explain(case(statement("kms:Decrypt", KEY, Condition=VIA)), ask(action="kms:Decrypt"))
    assert evaluation.policies[1].statements[0].failed_conditions[0].found is None


def test_grants_say_what_they_lack() -> None:
    """The operation, or a constraint that the request does not meet."""
    mine = case(
        key=None, about=OwnResource(KEY, ACCOUNT), grants=(grant(operations=("Encrypt",)), grant(subset=(("a", "b"),)))
    )
    first, second = explain(mine, ask(action="kms:Decrypt")).grants
    assert (first.operation, first.takes_effect) == (False, False)
    assert second.operation
    assert "EncryptionContextSubset {a=b}" in second.unmet[0]


def test_the_right_next_to_the_one_that_is_needed() -> None:
    """kms:Encrypt is what people grant; the change is one action more in that statement."""
    ways = smallest_changes(case(statement("kms:Encrypt", KEY, Sid="Keys")), ask())
    (change,) = ways[0]
    assert change.text == 'add kms:GenerateDataKey to the Action of statement "Keys" of the policy of user ann'
    assert change.statement is not None
    assert change.statement["Action"] == ["kms:Encrypt", "kms:GenerateDataKey"]


def test_the_resource_that_is_missing() -> None:
    """The action is granted on another key: one ARN more."""
    (change,) = smallest_changes(case(statement("kms:GenerateDataKey", KEY.replace("1234", "4321"))), ask())[0]
    assert change.text == f"add {KEY} to the Resource of statement 1 of the policy of user ann"


def test_a_user_without_policies_gets_one() -> None:
    """The exact statement, on this action and this key only."""
    ways = smallest_changes(case(), ask())
    assert ways[0][0].text == "give user ann a policy with this"
    assert ways[0][0].statement == {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": KEY}


def test_a_key_policy_that_delegates_to_nobody() -> None:
    """No policy of the user helps: the key's own has to name it."""
    key = statement("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"}, Sid="Bob's")
    ways = smallest_changes(case(statement("kms:*"), key=key), ask())
    assert [[change.policy for change in way] for way in ways] == [["key policy"]]
    assert ways[0][0].statement == {
        "Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": "*", "Principal": {"AWS": ANN_ARN},
    }  # fmt: skip


def test_a_failed_condition_is_named_with_its_values() -> None:
    """What the statement wants, what the request had; nothing is to be added."""
    (text,) = texts(case(statement("kms:Decrypt", KEY, Sid="S", Condition=VIA)), ask(action="kms:Decrypt"))[0]
    assert text == (
        "let the request meet StringEquals kms:ViaService s3.us-east-1.amazonaws.com (in the request it is absent), "
        'as statement "S" of the policy of user ann wants'
    )


def test_a_denial_has_to_go_first() -> None:
    """An Allow more does not help against a Deny, and both changes are named where both are needed."""
    denial = statement("kms:*", KEY, "Deny", Sid="Never", Condition={"StringNotEquals": VIA["StringEquals"]})
    way = texts(case(denial), ask(action="kms:Decrypt"))[0]
    assert way[0].startswith('remove the Deny in statement "Never" of the policy of user ann, or narrow it; or let the')
    assert "now kms:ViaService is absent, which meets StringNotEquals kms:ViaService s3.us-east" in way[0]
    assert len(way) == 2
    only = texts(case(statement("kms:*"), denial), ask(action="kms:Decrypt"))
    assert [len(way) for way in only] == [1]


def test_another_account_needs_both_sides() -> None:
    """The key's policy and the user's own."""
    foreign = Case(KEY_RESOURCE, "user eve", sheet("key policy", PolicyKind.KEY, DELEGATION), ())
    (way,) = smallest_changes(foreign, ask(EVE))
    assert {change.policy for change in way} == {"new policy of user eve", "key policy"}


def test_who_has_no_policies_is_named_by_the_resource() -> None:
    """Root and strangers cannot be given a policy of their own."""
    bob = statement("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"})
    (way,) = smallest_changes(case(key=bob), ask(ROOT))
    assert way[0].statement is not None
    assert way[0].statement["Principal"] == {"AWS": ROOT_ARN}
    assert way[0].statement["Condition"] == {"ArnEquals": {"aws:PrincipalArn": ROOT_ARN}}  # not the whole account
    (way,) = smallest_changes(
        case(key=None, about=BucketResource(OBJECT, ACCOUNT, None)), ask(ANONYMOUS, "s3:GetObject", OBJECT)
    )
    assert way[0].text == "give the bucket a policy with this"
    assert smallest_changes(case(key=DELEGATION), ask(ANONYMOUS, "kms:Decrypt", KEY)) == ()


def test_a_boundary_and_a_session_policy_have_to_allow_as_well() -> None:
    """Where the caller's policy, its boundary and its session's policy all lack the right, all three are named."""
    other = statement("s3:*", Sid="S3")
    limits = [sheet(label, PolicyKind.IDENTITY, other) for label in ("permissions boundary", "session policy")]
    mine = replace(case(other), boundary=limits[0], session=(limits[1],))
    (way, *_) = smallest_changes(mine, ask())
    assert [change.policy for change in way] == ["key policy"]  # a user whom the key policy names is not limited
    foreign = replace(
        mine, resource=KeyResource(KEY, OTHER, None)
    )  # the key policy names Ann's account, and it is not its own
    own = ["policy of user ann", "permissions boundary", "session policy"]
    assert [change.policy for change in smallest_changes(foreign, ask())[0]] == own
    bobs = sheet(
        "key policy", PolicyKind.KEY, statement("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"})
    )
    nowhere = smallest_changes(replace(foreign, resource_policy=bobs), ask())[0]
    assert [change.policy for change in nowhere] == [*own, "key policy"]


def test_a_grants_constraint_is_named() -> None:
    """A grant that would allow but for the encryption context comes before any policy."""
    key = statement("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"})
    ways = texts(case(key=key, grants=(grant(equals=(("a", "b"),)),)), ask(action="kms:Decrypt"))
    assert "the constraint of grant g1" in ways[0][0]


def test_what_is_allowed_needs_no_change() -> None:
    """There is nothing to do."""
    assert smallest_changes(case(statement("kms:*")), ask()) == ()


_ACTIONS = st.sampled_from(["kms:*", "kms:Encrypt", "kms:Decrypt", "s3:GetObject", "*"])
_RESOURCES = st.sampled_from(["*", KEY, KEY[:-1] + "0", OBJECT])
_CONDITIONS = st.sampled_from(
    [None, VIA, {"StringNotEquals": VIA["StringEquals"]}, {"Bool": {"aws:SecureTransport": True}}]
)
_WHOM = st.sampled_from(["*", {"AWS": ROOT_ARN}, {"AWS": ANN_ARN}, {"AWS": EVE.arn}])


@st.composite
def _statements(draw: st.DrawFn, *, whom: bool) -> dict[str, Any]:
    made = statement(draw(_ACTIONS), draw(_RESOURCES), draw(st.sampled_from(["Allow", "Allow", "Deny"])))
    condition = draw(_CONDITIONS)
    return made | ({"Condition": condition} if condition else {}) | ({"Principal": draw(_WHOM)} if whom else {})


@given(
    own=st.lists(_statements(whom=False), max_size=3),
    key=_statements(whom=True),
    principal=st.sampled_from([ANN, EVE, ROOT]),
)
def test_a_refused_user_can_always_be_helped(
    own: list[dict[str, Any]], key: dict[str, Any], principal: Principal
) -> None:
    """Whatever the policies, there is a way, and none where it is allowed already: `decide` has tried each."""
    mine, question = case(*own, key=key), ask(principal, "kms:Decrypt")
    assert bool(smallest_changes(mine, question)) is not mine.decide(question).allowed


@given(own=st.lists(_statements(whom=False), max_size=3), key=_statements(whom=True))
def test_the_trace_agrees_with_the_decision(own: list[dict[str, Any]], key: dict[str, Any]) -> None:
    """No decision allows without a statement that is told as matching, and none with a Deny that is."""
    evaluation = explain(case(*own, key=key), ask(action="kms:Decrypt"))
    matching = [item.effect for policy in evaluation.policies for item in policy.statements if item.takes_effect]
    if evaluation.decision.allowed:
        assert "Allow" in matching
    assert not (evaluation.decision.allowed and "Deny" in matching)


def test_a_broken_policy_is_an_error() -> None:
    """Nothing is told of a policy that cannot be evaluated."""
    broken = Case(KEY_RESOURCE, "user ann", LabelledPolicy("key policy", PolicyKind.KEY, "{}"))
    with pytest.raises(Exception, match="Statement"):
        explain(broken, ask())
