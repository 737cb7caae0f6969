"""Who could: the decision where the circumstances are not known, checked against decisions where they are."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.access.policy import PolicyKind
from fuin.access.question import Question
from fuin.access.resources.key import KeyResource
from fuin.advice.case import Case, LabelledPolicy
from fuin.advice.conditional import conditional_answer
from tests.access.builders import ANN, ANN_ARN, KEY, ROOT_ARN, ask, statement
from tests.advice.test_explain import DELEGATION, VIA, case, grant

S3 = "s3.us-east-1.amazonaws.com"
ELSEWHERE = {"StringNotEquals": {"kms:ViaService": S3}}
DECRYPT = ask(action="kms:Decrypt")


def unknown(key: str) -> bool:
    """Tell that of the principal and the key everything is known, and nothing of the request."""
    return key.startswith("aws:principal") or key in {"kms:keyspec", "kms:calleraccount"}


def test_a_right_without_conditions_is_always_there() -> None:
    """Nothing has to hold."""
    found = conditional_answer(case(statement("kms:Decrypt", KEY)), DECRYPT, unknown)
    assert (found.always, found.never) == (True, False)


def test_without_an_allowing_statement_there_is_no_way() -> None:
    """And the refusal is the real one."""
    found = conditional_answer(case(statement("kms:Encrypt", KEY)), DECRYPT, unknown)
    assert found.never
    assert found.refusal is not None
    assert "no identity-based policy allows the kms:Decrypt action" in found.refusal.sentence


def test_an_unknown_condition_becomes_an_if() -> None:
    """The statement and its condition are spelled out."""
    found = conditional_answer(case(statement("kms:Decrypt", KEY, Sid="S", Condition=VIA)), DECRYPT, unknown)
    assert not found.always
    ((requirement,),) = [path.requirements for path in found.paths]
    assert requirement.where == 'policy of user ann, statement "S"'
    assert requirement.conditions == (f"StringEquals kms:ViaService {S3}",)


def test_both_sides_may_have_conditions() -> None:
    """A delegating key policy through S3 only, and a user's policy over TLS only: both have to hold."""
    secure = {"Bool": {"aws:SecureTransport": "true"}}
    mine = case(statement("kms:Decrypt", KEY, Condition=secure), key={**DELEGATION, "Condition": VIA})
    (path,) = conditional_answer(mine, DECRYPT, unknown).paths
    assert {requirement.conditions[0] for requirement in path.requirements} == {
        f"StringEquals kms:ViaService {S3}",
        "Bool aws:SecureTransport true",
    }


def test_a_condition_on_what_is_known_is_decided() -> None:
    """The caller's own ARN is no unknown: the statement holds, or there is no path."""
    mine = statement("kms:Decrypt", KEY, Condition={"StringEquals": {"aws:PrincipalArn": ANN_ARN}})
    assert conditional_answer(case(mine), DECRYPT, unknown).always
    others = statement("kms:Decrypt", KEY, Condition={"StringEquals": {"aws:PrincipalArn": ANN_ARN + "a"}})
    assert conditional_answer(case(others), DECRYPT, unknown).never
    others["Condition"]["StringEquals"] |= VIA["StringEquals"]  # one that fails for certain, and an open one
    assert conditional_answer(case(others), DECRYPT, unknown).never


def test_a_denial_that_may_hold_is_an_unless() -> None:
    """Allowed, unless the request comes from elsewhere; a denial that must hold leaves no path."""
    found = conditional_answer(
        case(statement("kms:*"), statement("kms:*", "*", "Deny", Condition=ELSEWHERE)), DECRYPT, unknown
    )
    assert not found.always
    assert [path.requirements for path in found.paths] == [()]
    assert [requirement.conditions for requirement in found.denials] == [(f"StringNotEquals kms:ViaService {S3}",)]
    assert conditional_answer(case(statement("kms:*"), statement("kms:*", "*", "Deny")), DECRYPT, unknown).never


def test_a_grants_constraint_is_an_if() -> None:
    """The encryption context decides, and nobody knows it yet."""
    bob = statement("kms:*", Principal={"AWS": ANN_ARN.replace("ann", "bob")})
    (path,) = conditional_answer(case(key=bob, grants=(grant(equals=(("a", "b"),)),)), DECRYPT, unknown).paths
    assert path.requirements[0].where == "grant g1"
    assert path.requirements[0].conditions == ("constraint EncryptionContextEquals {a=b}",)


def test_policies_of_another_server_are_an_if() -> None:
    """What is not known at all may allow, and is not said to."""
    assumed = LabelledPolicy(
        "policies of account 9", PolicyKind.IDENTITY, case(statement("*")).identity[0].document, "it allows"
    )
    (path,) = conditional_answer(
        Case(KeyResource(KEY, "1", None), "user ann", case().resource_policy, (assumed,)), DECRYPT, unknown
    ).paths
    assert (path.requirements[0].where, path.requirements[0].conditions) == ("policies of account 9", ("it allows",))


_CONDITIONS = st.sampled_from([None, VIA, ELSEWHERE, {"Bool": {"aws:SecureTransport": "true"}}])


@st.composite
def _statements(draw: st.DrawFn) -> dict[str, Any]:
    made = statement("kms:*", "*", draw(st.sampled_from(["Allow", "Allow", "Deny"])))
    condition = draw(_CONDITIONS)
    return made | ({"Condition": condition} if condition else {})


@pytest.mark.parametrize("via", [{}, {"kms:ViaService": S3}, {"kms:ViaService": "other"}])
@pytest.mark.parametrize("secure", [{}, {"aws:SecureTransport": "true"}, {"aws:SecureTransport": "false"}])
@given(own=st.lists(_statements(), max_size=3), whole=_CONDITIONS)
def test_no_circumstance_contradicts_a_prospect(
    via: dict[str, str], secure: dict[str, str], own: list[dict[str, Any]], whole: dict[str, Any] | None
) -> None:
    """Who never could is refused in all circumstances, and who always could is allowed in all."""
    key = {**DELEGATION, "Condition": whole} if whole else DELEGATION
    mine = case(*own, key=key)
    found = conditional_answer(mine, Question(ANN, "kms:Decrypt", KEY, {}), unknown)
    allowed = mine.decide(Question(ANN, "kms:Decrypt", KEY, {**via, **secure})).allowed
    assert not (allowed and found.never)
    assert allowed or not found.always


def test_a_variable_that_is_not_known_is_an_if() -> None:
    """Tags of a role's session come with its request: neither a condition nor a resource with them is decided."""

    def of_session(key: str) -> bool:
        return not key.startswith("aws:principaltag/")

    team = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    asked = Question(ANN, "kms:Decrypt", KEY, {"aws:ResourceTag/team": "blue"})
    for one in (statement("kms:Decrypt", KEY, Condition=team), statement("kms:Decrypt", _OF_TEAM)):
        found = conditional_answer(case(one), asked, of_session)
        assert (found.never, found.always) == (False, False), one
        ((requirement,),) = [path.requirements for path in found.paths]
        assert "${aws:PrincipalTag/team}" in requirement.conditions[0]
        denied = conditional_answer(case(statement("kms:*"), one | {"Effect": "Deny"}), asked, of_session)
        assert (denied.never, denied.always, len(denied.denials)) == (False, False, 1)


_OF_TEAM = f"{KEY.rpartition('/')[0]}/${{aws:PrincipalTag/team}}"


def test_not_principal_and_a_boundary() -> None:
    """A Deny that spares the principal by its name denies it all the same, if its condition holds."""
    spares = {**statement("kms:*", effect="Deny", Condition=VIA), "NotPrincipal": {"AWS": [ANN_ARN, ROOT_ARN]}}
    keys = LabelledPolicy("key policy", PolicyKind.KEY, _document(DELEGATION, spares))
    mine = replace(case(statement("kms:*")), resource_policy=keys)
    assert conditional_answer(mine, DECRYPT, unknown).always
    bounded = replace(mine, boundary=LabelledPolicy("boundary", PolicyKind.BOUNDARY, _document(statement("kms:*"))))
    assert len(conditional_answer(bounded, DECRYPT, unknown).denials) == 1


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
