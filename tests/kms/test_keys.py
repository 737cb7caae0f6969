"""CreateKey, DescribeKey, ListKeys and UpdateKeyDescription over HTTP, with boto3."""

import datetime
import json
import re
import uuid
from typing import Any

import pytest

from tests.kms.asking import NewKey, arn_of, refusal
from tests.support.place import ACCOUNT, REGION, Place
from tests.support.policies import allow

UTC = datetime.UTC


def test_created_key_has_the_metadata_of_aws(kms: Any) -> None:
    """A new key shows exactly the members that AWS shows for a symmetric key."""
    before = datetime.datetime.now(UTC) - datetime.timedelta(seconds=1)
    created = kms.create_key(Description="first key")["KeyMetadata"]
    key_id = created["KeyId"]
    assert str(uuid.UUID(key_id)) == key_id
    assert re.fullmatch(r"[0-9a-f]{64}", created.pop("CurrentKeyMaterialId"))
    assert before < created.pop("CreationDate") < datetime.datetime.now(UTC) + datetime.timedelta(seconds=1)
    assert created == {
        "AWSAccountId": ACCOUNT,
        "KeyId": key_id,
        "Arn": arn_of(key_id),
        "Enabled": True,
        "Description": "first key",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
    }


def test_described_key_equals_created_key(kms: Any) -> None:
    """DescribeKey tells what CreateKey told, by id and by ARN."""
    created = kms.create_key(KeySpec="SYMMETRIC_DEFAULT", KeyUsage="ENCRYPT_DECRYPT", Origin="AWS_KMS")["KeyMetadata"]
    assert kms.describe_key(KeyId=created["KeyId"])["KeyMetadata"] == created
    assert kms.describe_key(KeyId=created["Arn"], GrantTokens=[])["KeyMetadata"] == created
    assert created["Description"] == ""


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [
        (
            {"KeySpec": "RSA_2048"},
            "ValidationException",
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
        ),
        (
            {"KeySpec": "SYMMETRIC_DEFAULT", "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT"},
            "ValidationException",
            (
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
                "CustomerMasterKeySpec is deprecated."
            ),
        ),
        (
            {"KeyUsage": "SIGN_VERIFY"},
            "ValidationException",
            "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT",
        ),
        (
            {"KeySpec": "RSA_2048", "KeyUsage": "KEY_AGREEMENT"},
            "ValidationException",
            "KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048",
        ),
        (
            {"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"},
            "UnsupportedOperationException",
            "KeySpec SM2 is not supported in this Region",
        ),
        (
            {"XksKeyId": "a"},
            "ValidationException",
            "XksKeyId is only valid for keys with an Origin of EXTERNAL_KEY_STORE.",
        ),
        (
            {"CustomKeyStoreId": "cks-1"},
            "CustomKeyStoreNotFoundException",
            "Custom key store cks-1 does not exist.",
        ),
        ({"Tags": [{"TagKey": "AWS:a", "TagValue": ""}]}, "TagException", "Tags beginning with aws: are reserved"),
        (
            {"Tags": [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}]},
            "TagException",
            "Duplicate tag keys",
        ),
        ({"Tags": [{"TagKey": f"t{n}", "TagValue": ""} for n in range(51)]}, "TagException", "Too many tags"),
        ({"Policy": "{"}, "MalformedPolicyDocumentException", None),
    ],
)
def test_create_refuses(kms: Any, members: dict[str, Any], code: str, message: str | None) -> None:
    """What AWS refuses is refused in its words, and what Fuin does not build says so; nothing is ignored."""
    found = refusal(kms.create_key, **members)
    assert found[0] == code
    assert message is None or found[1] == message


def test_created_key_has_the_default_policy(kms: Any, new_key: NewKey) -> None:
    """A key that is created without a policy has AWS's, which leaves the rights to the account."""
    policy = json.loads(kms.get_key_policy(KeyId=new_key())["Policy"])
    assert policy == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }


def test_create_with_tags_needs_the_right_to_tag(place: Place) -> None:
    """CreateKey with tags needs kms:TagResource besides kms:CreateKey, as in AWS."""
    client = place.kms(place.add_user(allow("kms:CreateKey")))
    client.create_key()
    code, message = refusal(client.create_key, Tags=[{"TagKey": "a", "TagValue": "b"}])
    assert code == "AccessDeniedException"
    assert message == "You don't have the kms:TagResource permission that is required to add tags during key creation."


def test_create_needs_its_right(place: Place) -> None:
    """A user without kms:CreateKey is refused in AWS's words."""
    user = place.add_user(allow("kms:DescribeKey"))
    assert refusal(place.kms(user).create_key) == (
        "AccessDeniedException",
        (
            f"User: arn:aws:iam::{ACCOUNT}:user/{user.name} is not authorized to perform: kms:CreateKey on resource: * "
            "because no identity-based policy allows the kms:CreateKey action"
        ),
    )


@pytest.mark.parametrize("text", ["fake-key-id", "134f2428cec14b25a1ae9048164dba47", "mrk-fake", "alias", "key/x"])
def test_identifiers_that_are_none(kms: Any, text: str) -> None:
    """What has no key id's form is told as an invalid keyId."""
    assert refusal(kms.describe_key, KeyId=text) == ("NotFoundException", f"Invalid keyId '{text}'")


@pytest.mark.parametrize("key_id", [str(uuid.uuid4()), f"mrk-{uuid.uuid4().hex}"], ids=["key", "multi-Region key"])
def test_keys_that_do_not_exist(kms: Any, key_id: str) -> None:
    """A well-formed id of no key is told by its ARN, however it was named."""
    missing = ("NotFoundException", f"Key '{arn_of(key_id)}' does not exist")
    assert refusal(kms.describe_key, KeyId=key_id) == missing
    assert refusal(kms.describe_key, KeyId=arn_of(key_id)) == missing


def test_arns_that_are_none(kms: Any) -> None:
    """An ARN of another service or form is InvalidArnException where the model has it, else NotFoundException."""
    for text in ("arn:aws:s3:::bucket", "arn:", "arn:aws:kms:us-east-1", "arn:aws-cn:kms:us-east-1:1:key/x"):
        assert refusal(kms.describe_key, KeyId=text) == ("InvalidArnException", f"Invalid arn {text}")
        assert refusal(kms.generate_data_key, KeyId=text, KeySpec="AES_256") == (
            "NotFoundException",
            f"Invalid arn {text}",
        )
    text = f"arn:aws:kms:{REGION}:{ACCOUNT}:store/x"
    assert refusal(kms.describe_key, KeyId=text) == ("NotFoundException", f"Invalid keyId '{text}'")


def test_keys_of_another_region(place: Place, kms: Any, new_key: NewKey) -> None:
    """A key of one region does not exist in another; its ARN is invalid there."""
    key_id = new_key()
    other = place.kms(region="eu-west-1")
    assert refusal(other.describe_key, KeyId=key_id) == (
        "NotFoundException",
        f"Key '{arn_of(key_id, region='eu-west-1')}' does not exist",
    )
    assert refusal(other.describe_key, KeyId=arn_of(key_id)) == ("NotFoundException", f"Invalid arn {REGION}")
    there = other.create_key()["KeyMetadata"]
    assert there["Arn"] == arn_of(there["KeyId"], region="eu-west-1")
    assert refusal(kms.describe_key, KeyId=there["KeyId"])[0] == "NotFoundException"
    assert there["KeyId"] not in {key["KeyId"] for key in kms.list_keys(Limit=1000)["Keys"]}


def test_rights_come_before_existence(place: Place, new_key: NewKey) -> None:
    """Whoever may not ask gets the same answer for a key that exists and one that does not."""
    client = place.kms(place.add_user(allow("kms:ListKeys")))
    for key_id in (new_key(), str(uuid.uuid4())):
        code, message = refusal(client.describe_key, KeyId=key_id)
        assert code == "AccessDeniedException"
        assert message.endswith(
            f"is not authorized to perform: kms:DescribeKey on resource: {arn_of(key_id)} "
            "because no identity-based policy allows the kms:DescribeKey action"
        )
        code, message = refusal(client.generate_data_key, KeyId=key_id, KeySpec="AES_256")
        assert code == "AccessDeniedException"
        assert f"kms:GenerateDataKey on resource: {arn_of(key_id)} because no identity-based policy" in message
    assert refusal(client.describe_key, KeyId="alias/none")[0] == "AccessDeniedException"
    assert refusal(client.generate_data_key, KeyId="alias/none", KeySpec="AES_256")[0] == "AccessDeniedException"


def test_rights_of_one_key_tell_nothing_of_others(place: Place, new_key: NewKey) -> None:
    """A right on one key gives no answer about another, be it there or not."""
    mine, other = new_key(), new_key()
    client = place.kms(place.add_user(allow("kms:DescribeKey", resource=arn_of(mine))))
    client.describe_key(KeyId=mine)
    assert refusal(client.describe_key, KeyId=other)[0] == "AccessDeniedException"
    assert refusal(client.describe_key, KeyId=str(uuid.uuid4()))[0] == "AccessDeniedException"


def test_list_keys_in_pages(place: Place) -> None:
    """All pages together hold every key once; only the last has no marker."""
    region = "ap-northeast-3"
    client = place.kms(region=region)
    made = {client.create_key()["KeyMetadata"]["KeyId"] for _ in range(5)}
    seen: list[str] = []
    page = client.list_keys(Limit=2)
    while page["Truncated"]:
        assert len(page["Keys"]) == 2
        seen += [key["KeyId"] for key in page["Keys"]]
        page = client.list_keys(Limit=2, Marker=page["NextMarker"])
    assert "NextMarker" not in page
    seen += [key["KeyId"] for key in page["Keys"]]
    assert len(seen) == 5
    assert set(seen) == made
    assert page["Keys"][0]["KeyArn"] == arn_of(seen[-1], region=region)
    whole = client.list_keys()
    assert whole["Truncated"] is False
    assert [key["KeyId"] for key in whole["Keys"]] == seen


@pytest.mark.parametrize("marker", ["x", "!!", "YWxpYXNlczphbGlhcy94", "a2V5czo=", "ÿ"])
def test_wrong_markers(kms: Any, marker: str) -> None:
    """A marker of another list, or of none, is InvalidMarkerException."""
    assert refusal(kms.list_keys, Marker=marker)[0] == "InvalidMarkerException"


def test_list_keys_of_others_is_empty(kms: Any, new_key: NewKey) -> None:
    """Nobody shares keys by RAM, so that list is empty; the caller's own is not."""
    new_key()
    assert kms.list_keys(ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM"])["Keys"] == []
    assert kms.list_keys(ResourceOwners=["SELF"])["Keys"] != []
    assert refusal(kms.list_keys, ResourceOwners=["NOBODY"])[0] == "ValidationException"


def test_lists_need_their_right(place: Place) -> None:
    """A user without the right lists nothing."""
    client = place.kms(place.add_user(allow("kms:CreateKey")))
    assert refusal(client.list_keys)[0] == "AccessDeniedException"
    assert refusal(client.list_aliases)[0] == "AccessDeniedException"


def test_update_description(kms: Any, new_key: NewKey) -> None:
    """The description can be replaced, also by an empty one."""
    key_id = new_key(Description="old")
    for text in ("new, ü", "", "d" * 8192):
        kms.update_key_description(KeyId=key_id, Description=text)
        assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["Description"] == text
    assert refusal(kms.update_key_description, KeyId=key_id, Description="d" * 8193)[0] == "ValidationException"
    assert refusal(kms.update_key_description, KeyId=key_id)[0] == "ValidationException"
    assert refusal(kms.update_key_description, KeyId="alias/x", Description="") == (
        "InvalidArnException",
        "Key Aliases are not supported for this operation.",
    )


def test_rotation_status(kms: Any, new_key: NewKey) -> None:
    """GetKeyRotationStatus says that the key does not rotate."""
    key_id = new_key()
    status = kms.get_key_rotation_status(KeyId=key_id)
    assert (status["KeyId"], status["KeyRotationEnabled"]) == (arn_of(key_id), False)
    assert status.keys() == {"KeyId", "KeyRotationEnabled", "ResponseMetadata"}
