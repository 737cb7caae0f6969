"""Access keys: two a user, shown once, switched on and off, and when they were last used."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.place import ANYTHING, Place, error_of
from tests.support.processes import wait_until
from tests.support.server import User

Names = Callable[[str], str]


def test_secret_is_shown_once(place: Place, iam: Any, unique: Names) -> None:
    """The secret is in CreateAccessKey's answer, and neither in lists nor in the audit record."""
    name = unique("once")
    iam.create_user(UserName=name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    record = place.last_record()
    assert record.draft["facts"]["accessKeyCreated"] == made["AccessKeyId"]
    assert made["SecretAccessKey"] not in str(record.draft)
    assert (made["UserName"], made["Status"], len(made["SecretAccessKey"])) == (name, "Active", 40)
    (listed,) = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    assert listed.keys() == {"UserName", "AccessKeyId", "Status", "CreateDate"}
    who = place.service("sts", User(name, made["AccessKeyId"], made["SecretAccessKey"])).get_caller_identity()
    assert who["Arn"].endswith(f"user/{name}")


def test_user_has_two_access_keys_at_most(iam: Any, unique: Names) -> None:
    """AWS: the quota of access keys per user, switched off ones included."""
    name = unique("two")
    iam.create_user(UserName=name)
    first = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName=name, AccessKeyId=first, Status="Inactive")
    second = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    with pytest.raises(ClientError) as refused:
        iam.create_access_key(UserName=name)
    assert error_of(refused.value) == (409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
    page = iam.list_access_keys(UserName=name, MaxItems=1)
    rest = iam.list_access_keys(UserName=name, Marker=page["Marker"])["AccessKeyMetadata"]
    assert {key["AccessKeyId"] for key in (*page["AccessKeyMetadata"], *rest)} == {first, second}


def test_key_that_is_off_signs_nothing(place: Place, iam: Any) -> None:
    """Off holds when UpdateAccessKey returns, and on again too; a deleted key never comes back."""
    user = place.new_user()
    sts, ask = place.service("sts", user), {"UserName": user.name, "AccessKeyId": user.access_key_id}
    iam.update_access_key(**ask, Status="Inactive")
    with pytest.raises(ClientError) as refused:
        sts.get_caller_identity()
    assert error_of(refused.value)[:2] == (403, "InvalidClientTokenId")
    iam.update_access_key(**ask, Status="Active")
    sts.get_caller_identity()
    iam.delete_access_key(**ask)
    with pytest.raises(ClientError):
        sts.get_caller_identity()
    with pytest.raises(ClientError) as refused:
        iam.delete_access_key(**ask)
    text = f"The Access Key with id {user.access_key_id} cannot be found."
    assert error_of(refused.value) == (404, "NoSuchEntity", text)
    with pytest.raises(ClientError) as refused:
        iam.update_access_key(**ask, Status="Expired")
    assert error_of(refused.value)[1] == "ValidationError"


def test_another_users_key_is_not_found(place: Place, iam: Any) -> None:
    """A key is looked for among the named user's own."""
    one, other = place.new_user(), place.new_user()
    with pytest.raises(ClientError) as refused:
        iam.delete_access_key(UserName=one.name, AccessKeyId=other.access_key_id)
    assert error_of(refused.value)[1] == "NoSuchEntity"


def test_own_keys_need_no_name(place: Place) -> None:
    """Without a user's name the caller's own keys are meant, the root's too."""
    user = place.new_user(ANYTHING)
    (own,) = place.service("iam", user).list_access_keys()["AccessKeyMetadata"]
    assert own["AccessKeyId"] == user.access_key_id
    made = place.service("iam").create_access_key()["AccessKey"]
    assert "UserName" not in made
    keys = [key["AccessKeyId"] for key in place.service("iam").list_access_keys()["AccessKeyMetadata"]]
    assert sorted(keys) == sorted([place.root.access_key_id, made["AccessKeyId"]])
    place.service("iam").delete_access_key(AccessKeyId=made["AccessKeyId"])


def test_last_use_is_known(place: Place, iam: Any) -> None:
    """When, for which service and in which Region; of an unused key nothing; a use within a minute is not noted."""
    user = place.new_user(ANYTHING)
    ask = {"AccessKeyId": user.access_key_id}
    unused = iam.get_access_key_last_used(**ask)
    assert unused["UserName"] == user.name
    assert unused["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    place.service("kms", user, region="eu-west-1").list_keys()
    place.service("sts", user).get_caller_identity()

    def used_of() -> Any:
        return iam.get_access_key_last_used(**ask)["AccessKeyLastUsed"]

    wait_until(lambda: "LastUsedDate" in used_of(), 60, "the use is written")
    used = used_of()
    assert (used["ServiceName"], used["Region"]) == ("kms", "eu-west-1")
    assert abs((datetime.datetime.now(datetime.UTC) - used["LastUsedDate"]).total_seconds()) < 60


def test_last_use_of_a_stranger_s_key(place: Place, iam: Any) -> None:
    """Another account's key is not there; a key that nobody has, too."""
    for key in (place.other_root.access_key_id, "AKIA" + "X" * 16):
        with pytest.raises(ClientError) as refused:
            iam.get_access_key_last_used(AccessKeyId=key)
        assert error_of(refused.value)[:2] == (404, "NoSuchEntity")
