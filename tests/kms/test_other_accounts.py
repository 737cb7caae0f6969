"""Keys of another account: reached by ARN, as far as their policy and the caller's own allow; else nothing is told."""

import json
import uuid
from typing import Any

import pytest

from tests.kms.asking import UNSEEN, NewKey, arn_of, refusal
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, REGION, Place
from tests.support.policies import allow

GUEST = f"arn:aws:iam::{OTHER_ACCOUNT}:root"


def unseen(action: str, noun: str = "this resource") -> tuple[str, str]:
    """Return how the other account's root is refused a key that it cannot see."""
    return "AccessDeniedException", f"User: {GUEST} is not authorized to perform: {action} on {noun} {UNSEEN}"


@pytest.fixture
def other(place: Place) -> Any:
    """Give the client of the other account's root."""
    return place.kms(place.other_root)


@pytest.fixture
def shared(kms: Any, new_key: NewKey) -> str:
    """Give the id of a key that its policy shares with the other account."""
    key_id = new_key()
    both = [f"arn:aws:iam::{ACCOUNT}:root", GUEST]
    statement = {"Effect": "Allow", "Principal": {"AWS": both}, "Action": "kms:*", "Resource": "*"}
    kms.put_key_policy(KeyId=key_id, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return key_id


def test_nothing_is_told(other: Any, kms: Any, new_key: NewKey) -> None:
    """A key, an alias and what does not exist are refused in the same words."""
    key_id = new_key()
    name = f"alias/{uuid.uuid4()}"
    kms.create_alias(AliasName=name, TargetKeyId=key_id)
    prefix = f"arn:aws:kms:{REGION}:{ACCOUNT}:"
    for arn in (arn_of(key_id), arn_of(str(uuid.uuid4())), prefix + name, f"{prefix}alias/none"):
        assert refusal(other.describe_key, KeyId=arn) == unseen("kms:DescribeKey")
        assert refusal(other.generate_data_key, KeyId=arn, KeySpec="AES_256") == unseen("kms:GenerateDataKey")
    assert refusal(other.get_key_policy, KeyId=arn_of(key_id)) == unseen("kms:GetKeyPolicy")
    missing = f"Key '{arn_of(key_id, OTHER_ACCOUNT)}' does not exist"
    assert refusal(other.describe_key, KeyId=key_id) == ("NotFoundException", missing)


def test_ciphertext_of_another_account(other: Any, kms: Any, new_key: NewKey) -> None:
    """A ciphertext alone does not tell its key either."""
    blob = kms.encrypt(KeyId=new_key(), Plaintext=b"x")["CiphertextBlob"]
    noun = "the resource associated with this ciphertext"
    assert refusal(other.decrypt, CiphertextBlob=blob) == unseen("kms:Decrypt", noun)
    mine = other.create_key()["KeyMetadata"]["KeyId"]
    assert refusal(other.re_encrypt, CiphertextBlob=blob, DestinationKeyId=mine) == unseen("kms:ReEncryptFrom", noun)


def test_shared_key(other: Any, shared: str) -> None:
    """What the key policy allows works by ARN."""
    assert other.describe_key(KeyId=arn_of(shared))["KeyMetadata"]["AWSAccountId"] == ACCOUNT
    assert other.get_key_rotation_status(KeyId=arn_of(shared))["KeyRotationEnabled"] is False
    data_key = other.generate_data_key(KeyId=arn_of(shared), KeySpec="AES_256")
    assert other.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]


def test_managing_stays_at_home(other: Any, shared: str) -> None:
    """Operations that AWS does not offer across accounts are refused, whatever the key policy allows."""
    arn = arn_of(shared)
    assert refusal(other.disable_key, KeyId=arn) == unseen("kms:DisableKey")
    assert refusal(other.schedule_key_deletion, KeyId=arn) == unseen("kms:ScheduleKeyDeletion")
    assert refusal(other.put_key_policy, KeyId=arn, Policy="{}") == unseen("kms:PutKeyPolicy")
    assert refusal(other.list_resource_tags, KeyId=arn) == unseen("kms:ListResourceTags")


def test_users_need_their_own_account_too(place: Place, kms: Any, shared: str) -> None:
    """A user of the other account is told which right of its own is missing."""
    user = place.add_user(allow("kms:Encrypt"), OTHER_ACCOUNT)
    client = place.kms(user)
    blob = client.encrypt(KeyId=arn_of(shared), Plaintext=b"x")["CiphertextBlob"]
    assert refusal(client.decrypt, CiphertextBlob=blob) == (
        "AccessDeniedException",
        (
            f"User: arn:aws:iam::{OTHER_ACCOUNT}:user/{user.name} is not authorized to perform: kms:Decrypt on the "
            "resource associated with this ciphertext because no identity-based policy allows the kms:Decrypt action"
        ),
    )
    name = f"alias/{uuid.uuid4()}"
    kms.create_alias(AliasName=name, TargetKeyId=shared)
    _, message = refusal(client.describe_key, KeyId=f"arn:aws:kms:{REGION}:{ACCOUNT}:{name}")
    assert "kms:DescribeKey on this resource because no identity-based policy" in message
    assert refusal(client.describe_key, KeyId=arn_of(shared)) == (
        "AccessDeniedException",
        (
            f"User: arn:aws:iam::{OTHER_ACCOUNT}:user/{user.name} is not authorized to perform: kms:DescribeKey on "
            f"resource: {arn_of(shared)} because no identity-based policy allows the kms:DescribeKey action"
        ),
    )


def test_own_denials_ask_nothing_of_a_key(place: Place, kms: Any, new_key: NewKey) -> None:
    """A Deny that depends on a key's tags, aliases or ARN does not tell the stranger who has it what they are."""
    key_id, name = new_key(), f"alias/{uuid.uuid4()}"
    kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "team", "TagValue": "blue"}])
    kms.create_alias(AliasName=name, TargetKeyId=key_id)
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    prefix = f"arn:aws:kms:{REGION}:{ACCOUNT}:"
    conditions = (
        {"StringEquals": {"aws:ResourceTag/team": "blue"}}, {"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}},
        {"ForAnyValue:StringEquals": {"kms:ResourceAliases": name}},
    )  # fmt: skip
    for condition in conditions:
        client = place.kms(place.add_user(_denying(Condition=condition), OTHER_ACCOUNT))
        texts = {refusal(client.describe_key, KeyId=arn) for arn in (arn_of(key_id), arn_of(str(uuid.uuid4())))}
        assert len(texts) == 1
        assert UNSEEN in texts.pop()[1]
    client = place.kms(place.add_user(_denying(Resource=arn_of(key_id)), OTHER_ACCOUNT))
    assert UNSEEN in refusal(client.describe_key, KeyId=prefix + name)[1]
    assert UNSEEN in refusal(client.decrypt, CiphertextBlob=blob)[1]
    known = refusal(client.describe_key, KeyId=arn_of(key_id))[1]  # and what it has itself written, it may know
    assert known.endswith(f"on resource: {arn_of(key_id)} with an explicit deny in an identity-based policy")


@pytest.mark.parametrize(
    "condition",
    [{}, {"StringNotEquals": {"aws:ResourceTag/team": "blue"}}, {"Null": {"kms:KeySpec": "true"}}],
)
def test_a_denial_that_holds_without_a_key_is_told_with_one(
    place: Place, kms: Any, new_key: NewKey, condition: dict[str, Any]
) -> None:
    """A Deny of the stranger's own sounds the same at any key, also where that denies, or its tags spare."""
    key_id, other = new_key(), new_key()
    kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "team", "TagValue": "blue"}])
    policy = json.loads(kms.get_key_policy(KeyId=other)["Policy"])
    foreign = {"StringNotEquals": {"kms:CallerAccount": ACCOUNT}}
    denial = {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": foreign}
    policy["Statement"].append(denial)
    kms.put_key_policy(KeyId=other, Policy=json.dumps(policy))
    client = place.kms(place.add_user(_denying(Condition=condition), OTHER_ACCOUNT))
    names = (key_id, other, str(uuid.uuid4()))
    texts = {refusal(client.describe_key, KeyId=arn_of(name))[1].replace(name, "") for name in names}
    assert len(texts) == 1
    assert texts.pop().endswith("with an explicit deny in an identity-based policy")


def _denying(**more: Any) -> dict[str, Any]:
    statements = [{"Effect": effect, "Action": "kms:*", "Resource": "*"} for effect in ("Allow", "Deny")]
    return {"Version": "2012-10-17", "Statement": [statements[0], statements[1] | more]}
