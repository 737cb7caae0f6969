"""Keys and their life, policies, aliases and tags."""

import json
from collections.abc import Callable

import pytest

from tests.interop.families.callers import Caller, code_of

pytestmark = pytest.mark.real


def test_key_lives_and_ends(kms: Caller) -> None:
    """Create, describe, update, disable, enable, schedule for deletion, and back."""
    made = kms("CreateKey", Description="first")["KeyMetadata"]
    key = made["KeyId"]
    assert (made["KeyState"], made["KeySpec"], made["KeyUsage"]) == ("Enabled", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    kms("UpdateKeyDescription", KeyId=key, Description="second")
    assert kms("DescribeKey", KeyId=key)["KeyMetadata"]["Description"] == "second"
    kms("DisableKey", KeyId=key)
    assert code_of(kms, "Encrypt", KeyId=key, Plaintext=b"text") == "DisabledException"
    kms("EnableKey", KeyId=key)
    assert kms("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)["KeyState"] == "PendingDeletion"
    assert code_of(kms, "EnableKey", KeyId=key) == "KMSInvalidStateException"
    assert kms("CancelKeyDeletion", KeyId=key)["KeyId"] == made["Arn"]
    assert kms("DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    assert code_of(kms, "DescribeKey", KeyId="0" * 8 + key[8:]) == "NotFoundException"
    assert code_of(kms, "GenerateRandom", NumberOfBytes=2000) == "ValidationException"


def test_policy_is_read_and_put(kms: Caller, somebody: tuple[str, Caller]) -> None:
    """A key's policy comes back as it was put, and gives its principal what it says."""
    arn, other = somebody
    key = kms("CreateKey")["KeyMetadata"]["Arn"]
    assert kms("ListKeyPolicies", KeyId=key)["PolicyNames"] == ["default"]
    policy = json.loads(kms("GetKeyPolicy", KeyId=key, PolicyName="default")["Policy"])
    assert code_of(other, "DescribeKey", KeyId=key) == "AccessDeniedException"
    policy["Statement"].append(
        {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:DescribeKey", "Resource": "*"}
    )
    kms("PutKeyPolicy", KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    assert json.loads(kms("GetKeyPolicy", KeyId=key)["Policy"]) == policy
    assert other("DescribeKey", KeyId=key)["KeyMetadata"]["Arn"] == key


def test_alias_moves_from_key_to_key(kms: Caller, unique: Callable[[str], str]) -> None:
    """Create, use, update, list and delete an alias."""
    first, second = (kms("CreateKey")["KeyMetadata"] for _ in range(2))
    alias = f"alias/{unique('family')}"
    kms("CreateAlias", AliasName=alias, TargetKeyId=first["KeyId"])
    assert code_of(kms, "CreateAlias", AliasName=alias, TargetKeyId=second["KeyId"]) == "AlreadyExistsException"
    sealed = kms("Encrypt", KeyId=alias, Plaintext=b"text")
    assert sealed["KeyId"] == first["Arn"]
    kms("UpdateAlias", AliasName=alias, TargetKeyId=second["KeyId"])
    [listed] = kms("ListAliases", KeyId=second["KeyId"])["Aliases"]
    assert (listed["AliasName"], listed["TargetKeyId"]) == (alias, second["KeyId"])
    assert kms("Encrypt", KeyId=listed["AliasArn"], Plaintext=b"text")["KeyId"] == second["Arn"]
    assert kms("Decrypt", CiphertextBlob=sealed["CiphertextBlob"])["KeyId"] == first["Arn"]
    kms("DeleteAlias", AliasName=alias)
    assert code_of(kms, "DescribeKey", KeyId=alias) == "NotFoundException"


def test_tags_come_and_go(kms: Caller) -> None:
    """Tags of creation, added and removed."""
    asked = [{"TagKey": "team", "TagValue": "red"}, {"TagKey": "größe", "TagValue": "日本"}]
    key = kms("CreateKey", Tags=asked)["KeyMetadata"]["KeyId"]
    kms("TagResource", KeyId=key, Tags=[{"TagKey": "team", "TagValue": "blue"}, {"TagKey": "cost", "TagValue": ""}])
    listed = {tag["TagKey"]: tag["TagValue"] for tag in kms("ListResourceTags", KeyId=key)["Tags"]}
    assert listed == {"team": "blue", "größe": "日本", "cost": ""}
    kms("UntagResource", KeyId=key, TagKeys=["team", "cost"])
    assert kms("ListResourceTags", KeyId=key)["Tags"] == [asked[1]]
    assert code_of(kms, "TagResource", KeyId=key, Tags=[{"TagKey": "aws:x", "TagValue": ""}]) == "TagException"
