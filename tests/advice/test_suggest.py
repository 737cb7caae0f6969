"""The least policy: it allows every need, and what it says is short."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.access.kinds import PolicyKind
from fuin.access.question import Question
from fuin.access.resources.own import OwnResource
from fuin.advice.case import Case, LabelledPolicy
from fuin.advice.suggest import Need, suggest
from tests.access.builders import ACCOUNT, ANN, KEY

VIA = "s3.us-east-1.amazonaws.com"


def allowed(policy: dict[str, object], need: Need) -> bool:
    """Tell whether a policy allows a need in the caller's own account."""
    sheet = LabelledPolicy("policy", PolicyKind.MANAGED, json.dumps(policy))
    context = {"kms:ViaService": need.via} if need.via else {}
    return (
        Case(OwnResource(need.resource, ACCOUNT), "user ann", None, (sheet,))
        .decide(Question(ANN, need.action, need.resource, context))
        .allowed
    )


def test_a_writer_becomes_two_statements() -> None:
    """Objects one by one, the key through S3 only; both rights on the key stand together."""
    policy = suggest([
        Need("s3:PutObject", "arn:aws:s3:::papers/a"), Need("s3:PutObject", "arn:aws:s3:::papers/b"),
        Need("kms:GenerateDataKey", KEY, VIA), Need("kms:Decrypt", KEY, VIA),
    ])  # fmt: skip
    assert policy["Statement"] == [
        {"Sid": "Objects", "Effect": "Allow", "Action": "s3:PutObject",
         "Resource": ["arn:aws:s3:::papers/a", "arn:aws:s3:::papers/b"]},
        {"Sid": "ThroughS3Keys", "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": KEY,
         "Condition": {"StringEquals": {"kms:ViaService": VIA}}},
    ]  # fmt: skip


def test_many_objects_become_their_folder() -> None:
    """The smallest folder that holds all of them, and not the whole bucket."""
    needs = [Need("s3:GetObject", f"arn:aws:s3:::papers/2026/11/{number}.txt") for number in range(20)]
    (statement,) = suggest(needs)["Statement"]
    assert statement["Resource"] == "arn:aws:s3:::papers/2026/11/*"
    assert not allowed(
        {"Version": "2012-10-17", "Statement": statement}, Need("s3:GetObject", "arn:aws:s3:::papers/2025/1")
    )


def test_a_direct_use_needs_no_second_statement() -> None:
    """What is allowed in any case need not be allowed through S3 again."""
    (statement,) = suggest([Need("kms:Decrypt", KEY), Need("kms:Decrypt", KEY, VIA)])["Statement"]
    assert "Condition" not in statement


@pytest.mark.parametrize(
    ("action", "asked", "other"),
    [
        ("kms:DescribeKey", KEY.rpartition("/")[0] + "/*", KEY),
        ("s3:ListBucket", "arn:aws:s3:::*", "arn:aws:s3:::papers"),
        ("s3:GetObject", "arn:aws:s3:::*/x", "arn:aws:s3:::papers/x"),
        ("kms:CreateAlias", "arn:aws:kms:us-east-1:123456789012:alias/?", "arn:aws:kms:us-east-1:123456789012:alias/a"),
    ],
)
def test_an_asterisk_that_the_caller_asked_for_is_no_right_on_everything(action: str, asked: str, other: str) -> None:
    """Nobody plants a pattern in the suggestion by asking for a key or bucket whose name is one."""
    policy = suggest([Need(action, asked)])
    assert allowed(policy, Need(action, asked))
    assert not allowed(policy, Need(action, other))


def test_a_list_stays_a_right_on_all_of_a_kind() -> None:
    """What the server itself asks for by an asterisk stands in the suggestion as AWS's own policies have it."""
    for action, resource in (
        ("kms:ListKeys", "*"), ("s3:ListAllMyBuckets", "arn:aws:s3:::*"),
        ("iam:GetAccessKeyLastUsed", "arn:aws:iam::123456789012:user/*"),
    ):  # fmt: skip
        (statement,) = suggest([Need(action, resource)])["Statement"]
        assert statement["Resource"] == resource


def test_names_with_wildcards_are_not_taken_for_patterns() -> None:
    """An object may be called `*`: it stands for itself, and so does a folder's name."""
    needs = [
        Need("s3:GetObject", "arn:aws:s3:::papers/a/${aws:username}"),
        Need("s3:GetObject", "arn:aws:s3:::papers/a/*"),
    ]
    (statement,) = suggest(needs)["Statement"]
    assert statement["Resource"] == [
        "arn:aws:s3:::papers/a/${$}{aws:username}",
        "arn:aws:s3:::papers/a/${*}",
    ]
    (statement,) = suggest([Need("s3:GetObject", f"arn:aws:s3:::papers/a?/{number}") for number in range(9)])[
        "Statement"
    ]
    assert statement["Resource"] == "arn:aws:s3:::papers/a${?}/*"


_KEYS = st.text(st.sampled_from("ab/*?${}"), min_size=1, max_size=8)
_NEEDS = st.one_of(
    st.builds(
        lambda action, bucket, key: Need(action, f"arn:aws:s3:::{bucket}/{key}"),
        st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]),
        st.sampled_from(["papers", "other"]),
        _KEYS,
    ),
    st.builds(
        Need,
        st.sampled_from(["kms:Decrypt", "kms:Encrypt"]),
        st.sampled_from([KEY, KEY + "0"]),
        st.sampled_from(["", VIA]),
    ),
    st.just(Need("kms:ListKeys", "*")),
    st.just(Need("s3:ListBucket", "arn:aws:s3:::papers")),
)


@given(st.sets(_NEEDS, min_size=1, max_size=30), st.sets(_NEEDS, max_size=10))
def test_every_need_is_covered_and_no_other(needs: set[Need], others: set[Need]) -> None:
    """Whatever was done, the policy allows it, and only folders give more; the order of the log does not matter."""
    policy = suggest(needs)
    assert all(allowed(policy, need) for need in needs)
    for need in others - needs:
        like = [one for one in needs if one.action == need.action and _bucket(one) == _bucket(need)]
        if allowed(policy, need):
            assert len(like) > 5 or need._replace(via="") in needs
    assert suggest(sorted(needs, reverse=True)) == policy
    sids = [statement["Sid"] for statement in policy["Statement"]]
    assert len(sids) == len(set(sids))


def _bucket(need: Need) -> str:
    return need.resource.partition("/")[0]
