"""Policy documents: what the language takes, and that everything else is refused."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.access.kinds import RULES
from fuin.access.policy import SIZE_LIMITS, PolicyKind, PolicyTooLong, check_policy, parse_policy, size_of
from fuin.errors import MalformedPolicy
from tests.access.builders import identity, statement

VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "policy").glob("*.json"))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Version", "Statement", "Effect", "Action", "Resource", "Principal", "AWS", "Condition"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


_OTHER_ELEMENTS = {"Sid", "Condition", "Principal", "NotPrincipal", "NotAction", "NotResource"}
_WHOM: dict[bool, dict[str, str]] = {True: {"Principal": "*"}, False: {}}


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    """A document is taken, or refused with a text that says what is wrong."""
    vector: dict[str, Any] = json.loads(path.read_text())
    document = vector["document"]
    text = document if isinstance(document, str) else json.dumps(document)
    kind = PolicyKind[vector["kind"]]
    if vector["refused"] is None:
        assert check_policy(text, kind).statements
        return
    with pytest.raises(MalformedPolicy, match=r"^[^\n]{1,400}$") as caught:
        check_policy(text, kind)
    assert vector["refused"] in str(caught.value)


def test_there_are_vectors() -> None:
    """The folder of vectors is found, and failures outnumber successes."""
    refused = [path for path in VECTORS if json.loads(path.read_text())["refused"]]
    assert len(refused) > len(VECTORS) - len(refused) > 3


@pytest.mark.parametrize("kind", PolicyKind)
def test_size_limit_is_exact(kind: PolicyKind) -> None:
    """The limit itself is still taken; white space counts for some kinds only."""
    rules = RULES[kind]
    item = statement("sts:AssumeRole" if kind is PolicyKind.TRUST else "s3:*", **_WHOM[rules.has_principal])
    if not rules.has_resource:
        del item["Resource"]
    text = json.dumps({"Version": "2012-10-17", "Id": "", "Statement": item})
    text = text.replace('"Id": ""', f'"Id": "{"x" * (SIZE_LIMITS[kind] - size_of(text, kind))}"')
    check_policy(text, kind)
    with pytest.raises(PolicyTooLong, match=r"^(Maximum policy size|Policy exceeds)"):
        check_policy(text.replace('"Id": "', '"Id": "x'), kind)
    if rules.counts_space:
        with pytest.raises(PolicyTooLong):
            check_policy(text + " ", kind)
    else:
        check_policy(text.replace(": ", ":\n\t   "), kind)
    if rules.normalized:  # white space within a text counts
        with pytest.raises(PolicyTooLong):
            check_policy(text.replace('"Id": "', '"Id": " '), kind)


def test_sizes_are_those_of_aws() -> None:
    """AWS: quotas of IAM and STS, of KMS, and of S3."""
    assert SIZE_LIMITS == {
        PolicyKind.IDENTITY: 2048, PolicyKind.GROUP: 5120, PolicyKind.ROLE: 10_240, PolicyKind.MANAGED: 6144,
        PolicyKind.BOUNDARY: 6144, PolicyKind.SESSION: 2048, PolicyKind.TRUST: 4096, PolicyKind.KEY: 32_768,
        PolicyKind.BUCKET: 20_480,
    }  # fmt: skip


@pytest.mark.parametrize("kind", PolicyKind)
def test_no_kind_takes_more_than_a_bound(kind: PolicyKind) -> None:
    """Also what was stored under older limits is bounded."""
    with pytest.raises(MalformedPolicy, match="longer than 131072"):
        parse_policy("{}".ljust(131_073), kind)


@given(_JSON, st.sampled_from(PolicyKind))
def test_any_json_is_taken_or_refused(value: object, kind: PolicyKind) -> None:
    """Whatever JSON comes, the answer is a policy or MalformedPolicy."""
    with contextlib.suppress(MalformedPolicy):
        parse_policy(json.dumps(value), kind)


@given(st.text(max_size=40), st.sampled_from(PolicyKind))
def test_any_text_is_refused(text: str, kind: PolicyKind) -> None:
    """Text that is not a policy is refused, never with another error."""
    with pytest.raises(MalformedPolicy):
        parse_policy(text, kind)


@given(st.text(min_size=1, max_size=12).filter(lambda name: name not in _OTHER_ELEMENTS))
def test_unknown_element_is_refused(name: str) -> None:
    """An element that the language does not have may change the meaning, so it is refused."""
    item = {**statement("*"), name: "x"}
    if len(item) == 3:
        return  # one of the elements that every statement has
    with pytest.raises(MalformedPolicy, match="is not supported"):
        parse_policy(json.dumps({"Statement": item}), PolicyKind.IDENTITY)


def test_statements_on_an_action_are_remembered_within_bounds() -> None:
    """Asking for ever more actions does not make a policy grow without end."""
    (policy,) = identity(statement("kms:*"))
    for number in range(2000):
        assert policy.statements_on(f"kms:A{number}") == policy.statements
    assert len(policy._by_action) <= 512
