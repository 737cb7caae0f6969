"""Decisions as stories: who may use a key, a bucket, or anything else, and what the caller is told."""

from typing import Any

import pytest

from fuin.access.decide import Decision, decide_bucket, decide_identity, decide_key
from fuin.access.policy import Policy
from fuin.access.principal import ANONYMOUS, Principal
from tests.access.builders import (
    ACCOUNT,
    ANN,
    ANN_ARN,
    DELEGATING,
    EVE,
    EVE_ARN,
    KEY,
    OBJECT,
    OTHER,
    OTHER_ROOT,
    ROOT,
    ROOT_ARN,
    SERVICE,
    ask,
    bucket_policy,
    identity,
    key_policy,
    statement,
)

NOTHING: tuple[Policy, ...] = ()
MAY_USE_KEYS = identity(statement(["kms:GenerateDataKey", "kms:Decrypt"], KEY, Sid="Keys"))
MAY_READ = identity(statement("s3:GetObject", "arn:aws:s3:::bucket/*", Sid="Read"))
NO_KEYS = identity(statement("kms:*", effect="Deny", Sid="Never"))
ANN_ONLY = key_policy(statement("kms:*", Principal={"AWS": ANN_ARN}))
EVERYONE = key_policy(statement("kms:*", Principal="*"))
BOTH_ACCOUNTS = key_policy(statement("kms:*", Principal={"AWS": [ACCOUNT, OTHER]}))
EVE_NAMED = key_policy(statement("kms:*", Principal={"AWS": EVE_ARN}))
S3_NAMED = key_policy(statement("kms:*", Principal={"Service": "s3.amazonaws.com"}))
ANN_DENIED = key_policy(
    statement("kms:*", Principal={"AWS": ROOT_ARN}), statement("kms:*", effect="Deny", Principal={"AWS": ANN_ARN})
)
ACCOUNT_DENIED = key_policy(
    statement("kms:*", Principal="*"), statement("kms:*", effect="Deny", Principal={"AWS": ACCOUNT})
)
ANOTHER_KEY = key_policy(statement("kms:*", KEY + "0", Principal={"AWS": ANN_ARN}))
THIS_KEY = key_policy(statement("kms:*", KEY, Principal={"AWS": ANN_ARN}))


@pytest.mark.parametrize(
    ("story", "who", "policy", "own", "outcome"),
    [
        ("the account's root, where the key policy names the account", ROOT, DELEGATING, NOTHING, "allowed"),
        ("a user without a policy, where the account is named", ANN, DELEGATING, NOTHING, "no identity-based"),
        ("a user whose policy allows, where the account is named", ANN, DELEGATING, MAY_USE_KEYS, "allowed"),
        ("a user named by the key policy needs no policy of its own", ANN, ANN_ONLY, NOTHING, "allowed"),
        ("not even root, where only a user is named", ROOT, ANN_ONLY, NOTHING, "no resource-based"),
        ("a user whose policy allows, where the key policy names nobody", ANN, EVE_NAMED, MAY_USE_KEYS, "no resource"),
        ("everyone of the account, where the principal is *", ANN, EVERYONE, NOTHING, "allowed"),
        ("a user denied by the key policy", ANN, ANN_DENIED, MAY_USE_KEYS, "deny in a resource-based"),
        ("a user denied by its own policy, named or not", ANN, ANN_ONLY, NO_KEYS, "deny in an identity-based"),
        ("a user whose account is denied by the key policy", ANN, ACCOUNT_DENIED, MAY_USE_KEYS, "deny in a resource"),
        ("the root of a denied account", ROOT, ACCOUNT_DENIED, NOTHING, "deny in a resource"),
        ("another account's user, where its account is named", EVE, BOTH_ACCOUNTS, MAY_USE_KEYS, "allowed"),
        ("... and has no policy of its own", EVE, BOTH_ACCOUNTS, NOTHING, "no identity-based"),
        ("another account's user, named itself, still needs its own policy", EVE, EVE_NAMED, NOTHING, "no identity"),
        ("another account's user, named itself, with its own policy", EVE, EVE_NAMED, MAY_USE_KEYS, "allowed"),
        ("another account's user, where the principal is *", EVE, EVERYONE, NOTHING, "no identity-based"),
        ("... with its own policy", EVE, EVERYONE, MAY_USE_KEYS, "allowed"),
        ("another account's user, where only the key's account is named", EVE, DELEGATING, MAY_USE_KEYS, "no resource"),
        ("another account's root, where its account is named", OTHER_ROOT, BOTH_ACCOUNTS, NOTHING, "allowed"),
        ("another account's root, where only its user is named", OTHER_ROOT, EVE_NAMED, NOTHING, "no resource"),
        ("a service that is named", SERVICE, S3_NAMED, NOTHING, "allowed"),
        ("a service that is not named", SERVICE, DELEGATING, NOTHING, "no resource-based"),
        ("a user, where only a service is named", ANN, S3_NAMED, MAY_USE_KEYS, "no resource-based"),
        ("nobody uses keys without a signature, even where the principal is *", ANONYMOUS, EVERYONE, NOTHING, "no res"),
        ("a statement about another key has no effect", ANN, ANOTHER_KEY, MAY_USE_KEYS, "no resource-based"),
        ("a statement about this key's ARN has", ANN, THIS_KEY, NOTHING, "allowed"),
    ],
)
def test_who_may_use_a_key(story: str, who: Principal, policy: Policy, own: tuple[Policy, ...], outcome: str) -> None:
    """The key policy decides; where it only names the account, the caller's own policies must allow as well."""
    assert _outcome(decide_key(ask(who), ACCOUNT, policy, own), outcome), story


PUBLIC = bucket_policy(statement("s3:GetObject", "arn:aws:s3:::bucket/*", Principal="*"))
ANN_READS = bucket_policy(statement("s3:GetObject", "arn:aws:s3:::bucket/*", Principal={"AWS": ANN_ARN}))
EVE_READS = bucket_policy(statement("s3:GetObject", "arn:aws:s3:::bucket/*", Principal={"AWS": EVE_ARN}))
ACCOUNT_READS = bucket_policy(statement("s3:GetObject", "arn:aws:s3:::bucket/*", Principal={"AWS": ACCOUNT}))
OTHER_READS = bucket_policy(statement("s3:GetObject", "arn:aws:s3:::bucket/*", Principal={"AWS": OTHER}))
NOBODY_READS = bucket_policy(
    statement("s3:GetObject", "arn:aws:s3:::bucket/*", Principal="*"),
    statement("s3:*", "arn:aws:s3:::bucket/*", effect="Deny", Principal="*"),
)
NEVER_READ = identity(statement("s3:Get*", effect="Deny"))


@pytest.mark.parametrize(
    ("story", "who", "policy", "own", "outcome"),
    [
        ("root in its own account", ROOT, None, NOTHING, "allowed"),
        ("root, unless the bucket policy denies", ROOT, NOBODY_READS, NOTHING, "deny in a resource-based"),
        ("a user without any policy", ANN, None, NOTHING, "no identity-based"),
        ("a user whose policy allows", ANN, None, MAY_READ, "allowed"),
        ("a user whom the bucket policy names", ANN, ANN_READS, NOTHING, "allowed"),
        ("a user denied by its own policy, though named", ANN, ANN_READS, NEVER_READ, "deny in an identity-based"),
        ("a user denied by the bucket policy", ANN, NOBODY_READS, MAY_READ, "deny in a resource-based"),
        ("a bucket policy that names the account leaves it to its policies", ANN, ACCOUNT_READS, NOTHING, "no ident"),
        ("anybody reads a public object", ANONYMOUS, PUBLIC, NOTHING, "allowed"),
        ("nobody reads another without signing", ANONYMOUS, ANN_READS, NOTHING, "no resource-based"),
        ("nobody reads where there is no bucket policy", ANONYMOUS, None, NOTHING, "no resource-based"),
        ("another account's user needs the bucket policy", EVE, None, MAY_READ, "no resource-based"),
        ("... and its own", EVE, EVE_READS, NOTHING, "no identity-based"),
        ("... and reads with both", EVE, EVE_READS, MAY_READ, "allowed"),
        ("... or where its account is named", EVE, OTHER_READS, MAY_READ, "allowed"),
        ("another account's root, where its account is named", OTHER_ROOT, OTHER_READS, NOTHING, "allowed"),
        ("another account's root, where it is not", OTHER_ROOT, ANN_READS, NOTHING, "no resource-based"),
        ("another account's user reads nothing public without its own policy", EVE, PUBLIC, NOTHING, "no identity"),
    ],
)
def test_who_may_read_an_object(
    story: str, who: Principal, policy: Policy | None, own: tuple[Policy, ...], outcome: str
) -> None:
    """Inside the account the user's or the bucket's policy is enough; from another account both must allow."""
    assert _outcome(decide_bucket(ask(who, "s3:GetObject", OBJECT), ACCOUNT, policy, own), outcome), story


@pytest.mark.parametrize(
    ("story", "who", "own", "outcome"),
    [
        ("root", ROOT, NOTHING, "allowed"),
        ("a user without a policy", ANN, NOTHING, "no identity-based"),
        ("a user whose policy allows", ANN, identity(statement("kms:List*")), "allowed"),
        ("a user whose policy allows and denies", ANN, identity(statement("*")) + NO_KEYS, "deny in an identity"),
        ("another account's user", EVE, identity(statement("*")), "no resource-based"),
        ("another account's root", OTHER_ROOT, NOTHING, "no resource-based"),
        ("nobody", ANONYMOUS, NOTHING, "no resource-based"),
        ("a service", SERVICE, NOTHING, "no resource-based"),
    ],
)
def test_who_may_list_keys(story: str, who: Principal, own: tuple[Policy, ...], outcome: str) -> None:
    """What has no policy of its own is governed by the caller's policies alone, within the account."""
    assert _outcome(decide_identity(ask(who, "kms:ListKeys", "*"), ACCOUNT, own), outcome), story


def _outcome(decision: Decision, outcome: str) -> bool:
    assert decision.reasons, "every decision has a reason"
    if decision.allowed:
        assert decision.sentence == ""
        return outcome == "allowed"
    return f"with an explicit {outcome}" in decision.sentence or f"because {outcome}" in decision.sentence


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (
            decide_key(ask(), ACCOUNT, DELEGATING, NOTHING),
            (
                f"User: {ANN_ARN} is not authorized to perform: kms:GenerateDataKey on resource: {KEY} because no "
                "identity-based policy allows the kms:GenerateDataKey action"
            ),
        ),
        (
            decide_key(ask(ROOT), ACCOUNT, ANN_ONLY, NOTHING),
            (
                f"User: {ROOT_ARN} is not authorized to perform: kms:GenerateDataKey on resource: {KEY} because no "
                "resource-based policy allows the kms:GenerateDataKey action"
            ),
        ),
        (
            decide_key(ask(), ACCOUNT, ANN_DENIED, NOTHING),
            (
                f"User: {ANN_ARN} is not authorized to perform: kms:GenerateDataKey on resource: {KEY} with an "
                "explicit deny in a resource-based policy"
            ),
        ),
        (
            decide_key(ask(), ACCOUNT, DELEGATING, NO_KEYS),
            (
                f"User: {ANN_ARN} is not authorized to perform: kms:GenerateDataKey on resource: {KEY} with an "
                "explicit deny in an identity-based policy"
            ),
        ),
        (
            decide_bucket(ask(ANN, "s3:GetObject", OBJECT), ACCOUNT, None, NOTHING),
            (
                f'User: {ANN_ARN} is not authorized to perform: s3:GetObject on resource: "{OBJECT}" because no '
                "identity-based policy allows the s3:GetObject action"
            ),
        ),
        (
            decide_identity(ask(ANN, "s3:ListAllMyBuckets", "*"), ACCOUNT, NOTHING),
            (
                f"User: {ANN_ARN} is not authorized to perform: s3:ListAllMyBuckets because no identity-based policy "
                "allows the s3:ListAllMyBuckets action"
            ),
        ),
        (
            decide_identity(ask(ANN, "kms:ListKeys", "*"), ACCOUNT, NOTHING),
            (
                f"User: {ANN_ARN} is not authorized to perform: kms:ListKeys on resource: * because no identity-based "
                "policy allows the kms:ListKeys action"
            ),
        ),
    ],
)
def test_a_refusal_is_worded_as_aws_words_it(decision: Decision, expected: str) -> None:
    """The caller reads AWS's own sentence."""
    assert decision.sentence == expected


def test_an_allowed_use_names_both_statements() -> None:
    """Where the key policy delegates, the trace shows the delegation and the user's own statement."""
    decision = decide_key(ask(), ACCOUNT, DELEGATING, MAY_USE_KEYS)
    assert [(reason.policy, reason.statement, reason.effect) for reason in decision.reasons] == [
        ("key policy", 'statement "Enable IAM User Permissions"', "Allow"),
        ("identity policy", 'statement "Keys"', "Allow"),
    ]
    assert f"to account {ACCOUNT}" in decision.reasons[0].text
    assert "kms:GenerateDataKey" in decision.reasons[1].text


def test_a_refusal_names_the_denying_statements() -> None:
    """An explicit deny is a reason, from either side, and a statement without Sid goes by its number."""
    reasons = decide_key(ask(), ACCOUNT, ANN_DENIED, NO_KEYS).reasons
    assert [(reason.statement, reason.effect) for reason in reasons] == [
        ("statement 2", "Deny"),
        ('statement "Never"', "Deny"),
    ]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (statement("kms:Encrypt", KEY), "kms:Encrypt is granted, but this needs kms:GenerateDataKey"),
        (statement(["kms:Encrypt", "s3:*"], KEY), "kms:Encrypt is granted, but this needs kms:GenerateDataKey"),
        (statement(["kms:Encrypt", "kms:Decrypt"]), "kms:Encrypt, kms:Decrypt are granted, but this needs kms:Gener"),
        (statement("kms:*", KEY + "0"), f"its Resource is {KEY}0, not {KEY}"),
        (
            statement("kms:*", Condition={"StringEquals": {"kms:EncryptionContext:dept": "HR"}}),
            "its condition StringEquals kms:EncryptionContext:dept HR fails: the key is IT in the request",
        ),
        (
            statement("kms:*", Condition={"StringLike": {"kms:ViaService": ["s3.*", "ebs.*"]}}),
            "its condition StringLike kms:ViaService s3.*, ebs.* fails: the key is absent from the request",
        ),
    ],
)
def test_a_refusal_says_what_came_near(own: dict[str, Any], expected: str) -> None:
    """The commonest mistakes are named in the reasons, never in the sentence for the caller."""
    decision = decide_key(ask(kms__EncryptionContext__dept="IT"), ACCOUNT, DELEGATING, identity(own))
    assert expected in decision.reasons[-1].text
    assert decision.reasons[-1].effect == ""
    assert expected not in decision.sentence


def test_what_the_key_policy_grants_to_others_is_said() -> None:
    """A user whom the key policy passes over learns from the trace that somebody else is named."""
    texts = [reason.text for reason in decide_key(ask(), ACCOUNT, EVE_NAMED, NOTHING).reasons]
    assert any(f"does not name {ANN_ARN}" in text for text in texts)


def test_a_hundred_near_misses_stay_few() -> None:
    """Reasons go into the audit record of each refused request, so they are bounded."""
    own = identity(*[statement("kms:Encrypt", KEY, Sid=f"S{number}") for number in range(100)])
    reasons = decide_key(ask(), ACCOUNT, DELEGATING, own).reasons
    assert len(reasons) <= 10
    long = identity(statement(["kms:" + "A" * 5000] * 20, "*"))
    assert sum(len(reason.text) for reason in decide_key(ask(), ACCOUNT, DELEGATING, long).reasons) < 2000


def test_a_thousand_failing_conditions_stay_few() -> None:
    """A statement may have thousands of conditions; with all of them the record would not fit the keyholder's frame."""
    conditions = {"StringEquals": {f"kms:EncryptionContext:{number}": "x" for number in range(1000)}}
    own = identity(statement("kms:*", "*", Condition=conditions))
    assert sum(len(reason.text) for reason in decide_key(ask(), ACCOUNT, DELEGATING, own).reasons) < 4000


def test_only_the_statements_conditions_delegate() -> None:
    """A delegation that holds only through S3 gives nothing to a direct call."""
    only_s3 = key_policy(
        statement(
            "kms:*",
            Principal={"AWS": "*"},
            Condition={"StringEquals": {"kms:CallerAccount": ACCOUNT, "kms:ViaService": "s3.us-east-1.amazonaws.com"}},
        )
    )
    assert decide_key(ask(kms__ViaService="s3.us-east-1.amazonaws.com"), ACCOUNT, only_s3, NOTHING).allowed
    assert not decide_key(ask(), ACCOUNT, only_s3, MAY_USE_KEYS).allowed
    via = ask(EVE, kms__ViaService="s3.us-east-1.amazonaws.com")
    assert not decide_key(via, ACCOUNT, only_s3, MAY_USE_KEYS).allowed


def test_naming_a_user_beats_naming_its_account() -> None:
    """With both statements in a key policy the user needs no policy of its own, in either order."""
    both = [statement("kms:*", Principal={"AWS": ACCOUNT}), statement("kms:*", Principal={"AWS": ANN_ARN})]
    assert decide_key(ask(), ACCOUNT, key_policy(*both), NOTHING).allowed
    assert decide_key(ask(), ACCOUNT, key_policy(*reversed(both)), NOTHING).allowed


@pytest.mark.parametrize(
    "action", ["kms:generatedatakey", "KMS:GENERATEDATAKEY", "kms:Generate*", "kms:GenerateDataKe?"]
)
def test_actions_are_not_case_sensitive(action: str) -> None:
    """Actions of a policy match in any case; resources do not."""
    assert decide_key(ask(), ACCOUNT, DELEGATING, identity(statement(action, KEY))).allowed
    assert not decide_key(
        ask(), ACCOUNT, DELEGATING, identity(statement(action, KEY.upper().replace("ARN", "arn")))
    ).allowed
