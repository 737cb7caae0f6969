"""A user who ends while a policy or grant that names it is being stored: the name is not kept for a successor."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import Connection

from fuin import ids
from fuin.store.identity import users
from tests.security.test_late_changes import _late
from tests.support.place import ACCOUNT, Place, wait

Names = Callable[[str], str]


def _naming(arn: str, resource: str = "*") -> str:
    root = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "*", "Resource": resource}
    named = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "*", "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [root, named]})


_CHANGES: dict[str, tuple[Callable[[Place, str, str, str], Any], str]] = {
    "CreateKey": (
        lambda place, arn, _key, _bucket: place.kms().create_key(Policy=_naming(arn)),
        "MalformedPolicyDocumentException",
    ),
    "PutKeyPolicy": (
        lambda place, arn, key, _bucket: place.kms().put_key_policy(KeyId=key, Policy=_naming(arn)),
        "MalformedPolicyDocumentException",
    ),
    "CreateGrant": (
        lambda place, arn, key, _bucket: place.kms().create_grant(
            KeyId=key, GranteePrincipal=arn, Operations=["Decrypt"]
        ),
        "InvalidArnException",
    ),
    "PutBucketPolicy": (
        lambda place, arn, _key, bucket: place.s3().put_bucket_policy(
            Bucket=bucket, Policy=_naming(arn, f"arn:aws:s3:::{bucket}")
        ),
        "MalformedPolicy",
    ),
}


@pytest.mark.parametrize("operation", _CHANGES)
def test_user_who_ends_meanwhile_is_not_named(place: Place, unique: Names, operation: str) -> None:
    """The user was there when the policy or grant was checked, and not any more when it would be stored."""
    change, code = _CHANGES[operation]
    name, bucket = unique("ending"), place.bucket(unique("late"))
    key = place.kms().create_key()["KeyMetadata"]["KeyId"]
    before = len(place.kms().list_keys()["Keys"])
    store = place.services.store

    def insert(conn: Connection) -> None:
        users.insert_user(conn, users.User(ACCOUNT, name, ids.new_user_id(), time.time()))

    place.run(wait(store.change(insert)))
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    late = _late(
        place,
        lambda: place.run(wait(store.change(users.delete_user, ACCOUNT, name))),
        lambda: change(place, arn, key, bucket),
    )
    error = late.exception()
    assert isinstance(error, ClientError), f"it was not refused: {error!r}"
    assert error.response["Error"]["Code"] == code
    assert name not in place.kms().get_key_policy(KeyId=key)["Policy"]
    assert place.kms().list_grants(KeyId=key)["Grants"] == []
    assert len(place.kms().list_keys()["Keys"]) == before
    with pytest.raises(ClientError):
        place.s3().get_bucket_policy(Bucket=bucket)
