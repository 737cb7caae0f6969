"""Whether a caller hears that an object is missing: the right to list the bucket, with the key as the prefix.

Source: reports of terraform's and Iceberg's users, whose policies let them list under a prefix only.
"""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.place import Place, error_of
from tests.support.server import User

Ask = Callable[[Any, str], Any]

KEY = "env/state"
ASKED: dict[str, Ask] = {
    "GetObject": lambda s3, bucket: s3.get_object(Bucket=bucket, Key=KEY),
    "HeadObject": lambda s3, bucket: s3.head_object(Bucket=bucket, Key=KEY),
    "GetObjectAttributes": lambda s3, bucket: s3.get_object_attributes(
        Bucket=bucket, Key=KEY, ObjectAttributes=["ETag"]
    ),
    "CopyObject": lambda s3, bucket: s3.copy_object(
        Bucket=bucket, Key="elsewhere", CopySource={"Bucket": bucket, "Key": KEY}
    ),
}


def _listing(effect: str, operator: str, value: str, key: str = "s3:prefix") -> dict[str, Any]:
    return {
        "Effect": effect, "Action": "s3:ListBucket", "Resource": "*", "Condition": {operator: {key: value}},
    }  # fmt: skip


ALL = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
# statements on s3:ListBucket, and whether the caller hears of the missing object
RIGHTS: tuple[tuple[list[dict[str, Any]], bool], ...] = (
    ([ALL], True),
    ([_listing("Allow", "StringEquals", KEY)], True),
    ([_listing("Allow", "StringLike", "env/*")], True),
    ([_listing("Allow", "StringLike", "other/*")], False),
    ([_listing("Allow", "StringEquals", "elsewhere")], False),
    ([ALL, _listing("Deny", "StringNotLike", "env/*")], True),
    ([ALL, _listing("Deny", "StringLike", "env/*")], False),
    ([ALL, _listing("Deny", "Null", "true")], True),
    ([ALL, _listing("Deny", "Null", "false", "s3:delimiter")], True),
    ([ALL, _listing("Deny", "Null", "false", "s3:max-keys")], True),
)


@pytest.fixture(scope="module")
def bucket(place: Place) -> str:
    """Give an empty bucket."""
    return place.bucket()


@pytest.fixture(scope="module")
def user(place: Place) -> User:
    """Give a user whose policy the tests replace."""
    return place.add_user()


@pytest.mark.parametrize("operation", ASKED)
@pytest.mark.parametrize(("rights", "heard"), RIGHTS)
def test_prefix_of_a_missing_object(
    place: Place, user: User, bucket: str, operation: str, rights: list[dict[str, Any]], heard: bool
) -> None:
    """The key of the object that is missing, of a copy its source, is the prefix; the listing's other keys are not."""
    objects = {"Effect": "Allow", "Action": ["s3:Get*", "s3:PutObject"], "Resource": "*"}
    place.set_policy(user, {"Version": "2012-10-17", "Statement": [objects, *rights]})
    status = refused_status(lambda: ASKED[operation](place.s3(user), bucket))
    assert status == (404 if heard else 403)


def refused_status(ask: Callable[[], Any]) -> int:
    """Return the status of a refusal."""
    with pytest.raises(ClientError) as error:
        ask()
    return error_of(error.value)[0]


def test_query_of_another_operation_is_no_fact(place: Place, user: User, bucket: str) -> None:
    """Parameters of a listing change nothing in a GetObject or a HeadBucket, so policies do not see them there."""
    objects = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    place.set_policy(
        user, {"Version": "2012-10-17", "Statement": [objects, _listing("Allow", "StringEquals", "chosen")]}
    )
    for method, path in (("GET", f"/{bucket}/{KEY}?prefix=chosen"), ("HEAD", f"/{bucket}?prefix=chosen")):
        assert place.send(method, path, user=user).status == 403
    assert place.send("GET", f"/{bucket}?prefix=chosen", user=user).status == 200


def test_if_match_of_a_request_to_delete_many_is_no_fact(place: Place, user: User, bucket: str) -> None:
    """DeleteObjects does not look at the If-Match header, so it does not meet a policy that wants a condition."""
    statement = {
        "Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "*", "Condition": {"Null": {"s3:if-match": "false"}}
    }  # fmt: skip
    place.set_policy(user, {"Version": "2012-10-17", "Statement": [statement]})
    body = b"<Delete><Object><Key>gone</Key></Object></Delete>"
    answer = place.send("POST", f"/{bucket}?delete", {"if-match": '"x"', **place.md5(body)}, body, user=user)
    assert b"<Code>AccessDenied</Code>" in answer.body
    assert place.send("DELETE", f"/{bucket}/gone", {"if-match": '"x"'}, user=user).status == 404
