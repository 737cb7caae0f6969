"""Condition operators as tables: operator, values of the policy, value of the request, result."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.access.conditions import parse_conditions
from fuin.access.decide import decide_identity
from fuin.access.operators import OPERATORS
from fuin.access.principal import ANONYMOUS, Principal
from fuin.access.question import Question
from tests.access.builders import ACCOUNT, ANN, EVE, KEY, ROOT, SERVICE, ask, identity, statement


def _holds(block: dict[str, Any], request: Question) -> bool:
    facts = request.facts()
    return all(condition.holds(facts, every=True) for condition in parse_conditions(block, "here"))


@pytest.mark.parametrize(
    ("operator", "wanted", "found", "expected"),
    [
        ("StringEquals", "IT", "IT", True),
        ("StringEquals", "IT", "it", False),
        ("StringEquals", "IT*", "ITX", False),
        ("StringEquals", ["HR", "IT"], "IT", True),
        ("StringEquals", "IT", None, False),
        ("StringEqualsIfExists", "IT", None, True),
        ("StringEqualsIfExists", "IT", "HR", False),
        ("StringNotEquals", "IT", "HR", True),
        ("StringNotEquals", "IT", "IT", False),
        ("StringNotEquals", ["HR", "IT"], "IT", False),
        ("StringNotEquals", "IT", None, True),
        ("StringNotEqualsIfExists", "IT", None, True),
        ("StringNotEqualsIfExists", "IT", "IT", False),
        ("StringEqualsIgnoreCase", "IT", "it", True),
        ("StringEqualsIgnoreCase", "IT", "its", False),
        ("StringNotEqualsIgnoreCase", "IT", "it", False),
        ("StringNotEqualsIgnoreCase", "IT", None, True),
        ("StringLike", "I?*", "IT", True),
        ("StringLike", ["H*", "I*"], "IT", True),
        ("StringLike", "I?", "it", False),
        ("StringLike", "*", None, False),
        ("StringNotLike", "I*", "IT", False),
        ("StringNotLike", "I*", "HR", True),
        ("StringNotLike", "I*", None, True),
        ("Bool", "true", "true", True),
        ("Bool", "True", "true", True),
        ("Bool", True, "true", True),
        ("Bool", False, "true", False),
        ("Bool", "false", None, False),
        ("BoolIfExists", "false", None, True),
        ("StringEquals", 17, "17", True),
    ],
)
def test_operator(operator: str, wanted: object, found: str | None, expected: bool) -> None:
    """One operator on one key, present or absent."""
    context = {} if found is None else {"kms:EncryptionContext:Department": found}
    assert _holds({operator: {"kms:EncryptionContext:Department": wanted}}, Question(ANN, "", "", context)) is expected


@given(st.sampled_from(sorted(OPERATORS)), st.sampled_from(["true", "false"]), st.none() | st.sampled_from(["true"]))
def test_negated_operator_is_the_opposite(operator: str, wanted: str, found: str | None) -> None:
    """StringNot… is true exactly where String… is false, absent keys included."""
    if not operator.startswith("String"):
        return
    base = operator.replace("Not", "")
    negated = base.replace("String", "StringNot")
    request = Question(ANN, "", "", {} if found is None else {"s3:prefix": found})
    assert _holds({base: {"s3:prefix": wanted}}, request) is not _holds({negated: {"s3:prefix": wanted}}, request)


def test_names_of_keys_are_not_case_sensitive() -> None:
    """KMS:viaservice in a policy is kms:ViaService in a request."""
    assert _holds({"StringEquals": {"KMS:viaservice": "s3"}}, ask(kms__ViaService="s3"))


def test_all_operators_and_keys_must_hold() -> None:
    """Operators and keys are joined by AND."""
    both = {"StringEquals": {"kms:ViaService": "s3", "aws:username": "ann"}, "Bool": {"aws:SecureTransport": "true"}}
    assert _holds(both, ask(kms__ViaService="s3", aws__SecureTransport="true"))
    assert not _holds(both, ask(kms__ViaService="s3", aws__SecureTransport="false"))
    assert not _holds(both, ask(EVE, kms__ViaService="s3", aws__SecureTransport="true"))


@pytest.mark.parametrize(
    ("principal", "key", "value"),
    [
        (ANN, "aws:username", "ann"),
        (ANN, "aws:userid", "AIDAANN"),
        (ANN, "aws:PrincipalArn", ANN.arn),
        (ANN, "aws:PrincipalAccount", ACCOUNT),
        (ANN, "aws:PrincipalType", "User"),
        (ANN, "kms:CallerAccount", ACCOUNT),
        (ANN, "aws:PrincipalIsAWSService", "false"),
        (ROOT, "aws:PrincipalType", "Account"),
        (ROOT, "aws:username", None),
        (ANONYMOUS, "aws:PrincipalType", "Anonymous"),
        (ANONYMOUS, "aws:PrincipalArn", None),
        (SERVICE, "aws:PrincipalIsAWSService", "true"),
        (SERVICE, "kms:CallerAccount", None),
    ],
)
def test_keys_that_follow_from_the_principal(principal: Principal, key: str, value: str | None) -> None:
    """The caller's own keys come from the principal."""
    assert Question(principal, "kms:Decrypt", "", {}).facts().get(key.lower()) == (None if value is None else (value,))


def test_a_request_cannot_give_the_principals_keys() -> None:
    """What a request claims about its caller is overruled."""
    claimed = Question(EVE, "kms:Decrypt", "", {"AWS:UserName": "ann", "kms:callerACCOUNT": ACCOUNT})
    assert not _holds({"StringEquals": {"aws:username": "ann"}}, claimed)
    assert not _holds({"StringEquals": {"kms:CallerAccount": ACCOUNT}}, claimed)


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_an_encryption_context_in_two_cases_gains_nothing(effect: str) -> None:
    """With App=good and app=bad in one request, an Allow on good does not apply and a Deny on bad does."""
    context = {"kms:EncryptionContext:App": "good", "kms:EncryptionContext:app": "bad"}
    wanted = "good" if effect == "Allow" else "bad"
    condition = {"StringEquals": {"kms:EncryptionContext:App": wanted}}
    policies = identity(statement("*", Sid="a", effect=effect, Condition=condition))
    if effect == "Deny":
        policies += identity(statement("*"))
    assert not decide_identity(Question(ANN, "kms:Decrypt", KEY, context), ACCOUNT, policies).allowed
