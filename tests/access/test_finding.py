"""Statements of long policies, which are found by their conditions: none that could hold is ever left out."""

import json
import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fuin.access.policy import Policy, PolicyKind, Statement, parse_policy
from fuin.access.principal import Principal
from fuin.access.question import Question

USER = "arn:aws:iam::123456789012:user/"
ANN = Principal("user", f"{USER}ann", "123456789012", "AIDAANN", "ann")
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

_TEXTS = st.sampled_from(
    ["a", "b", "ab", "abc", "b-1", "", "*", "?", "a*", "ab*c", "?b", "*b", "a?c*", "${*}", "a${*}"]
)
_WHOM = st.sampled_from(["*", {"AWS": ANN.arn}])
_ARNS = st.sampled_from([
    f"{USER}ann", f"{USER}a*", f"{USER}b*", f"{USER}*", "*", "arn:aws:iam::*:user/ann", "arn:aws:iam::1234*:user/?nn",
])  # fmt: skip
_OPERATORS = st.sampled_from(["StringEquals", "StringLike", "StringNotEquals", "StringNotLike"])
_PREFIXES = st.sampled_from(["", "", "ForAnyValue:", "ForAllValues:"])
_KEYS = st.sampled_from(["kms:ViaService", "kms:EncryptionContextKeys"])


@st.composite
def _conditions(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.integers(0, 3)) == 0:
        operator = draw(st.sampled_from(["ArnLike", "ArnEquals", "ArnNotLike"]))
        return {operator: {"aws:PrincipalArn": draw(st.lists(_ARNS, min_size=1, max_size=2))}}
    operator = draw(_PREFIXES) + draw(_OPERATORS) + draw(st.sampled_from(["", "", "IfExists"]))
    return {operator: {draw(_KEYS): draw(st.lists(_TEXTS, min_size=1, max_size=3))}}


@st.composite
def _policies(draw: st.DrawFn) -> Policy:
    """Return a key policy that is long enough for its statements to be found, not tried."""
    statements = [
        {
            "Effect": draw(st.sampled_from(["Allow", "Deny"])), "Principal": draw(_WHOM),
            "Action": "kms:*", "Resource": "*", "Condition": draw(_conditions()),
        }
        for _ in range(draw(st.integers(10, 24)))
    ]  # fmt: skip
    return parse_policy(json.dumps({"Version": "2012-10-17", "Statement": statements}), PolicyKind.KEY)


_FACTS = st.dictionaries(
    st.sampled_from(["kms:ViaService", "kms:EncryptionContextKeys"]),
    st.lists(st.sampled_from(["a", "b", "ab", "abc", "abxc", "b-1", "", "*", "a*"]), min_size=1, max_size=3).map(tuple),
)


def _holding(found: list[Statement], ask: Question) -> list[int]:
    return [statement.index for statement in found if statement.meets_conditions(ask)]


@given(_policies(), _FACTS)
def test_none_that_holds_is_left_out(policy: Policy, facts: dict[str, tuple[str, ...]]) -> None:
    """What is found holds for the same statements, in the same order, as trying each of them does."""
    ask = Question(ANN, "kms:Decrypt", KEY, facts)
    found = list(dict.fromkeys(statement for statement, _ in policy.statements_naming(ask)))
    assert _holding(found, ask) == _holding(list(policy.statements), ask)


def test_sessions_do_not_fill_the_memory() -> None:
    """Each session of a role is another principal: a thousand policies times ten thousand jobs is not remembered."""
    statements = [{"Effect": "Allow", "Principal": {"AWS": ANN.account}, "Action": "kms:*", "Resource": "*"}] * 2
    policy = parse_policy(json.dumps({"Version": "2012-10-17", "Statement": statements}), PolicyKind.KEY)

    def ask(job: int) -> None:
        arn = f"arn:aws:sts::123456789012:assumed-role/app/job-{job:08}"
        session = Principal("role", arn, ANN.account, f"AROA:{job}", "app", "arn:aws:iam::123456789012:role/app")
        assert len(policy.statements_naming(Question(session, "kms:Decrypt", KEY, {}))) == 2

    tracemalloc.start()
    try:
        for job in range(2000):
            ask(job)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 256 * 1024
