"""Buckets of another account: whoever may not use them learns neither why not nor whose they are."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.place import ACCOUNT, OTHER_ACCOUNT, Place, error_of
from tests.support.policies import EVERYTHING, allow


def told(call: Any, **members: Any) -> tuple[int, str, str]:
    """Return status, code and message of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    return error_of(caught.value)


GENERIC = (403, "AccessDenied", "Access Denied")


def test_own_denials_tell_nothing_of_a_bucket(place: Place, bucket: str) -> None:
    """AWS gives its sentence for buckets of the same account only; a Deny of one's own would tell whose this is."""
    for owner in (ACCOUNT, OTHER_ACCOUNT):
        policy = allow("s3:*")
        condition = {"StringEquals": {"s3:ResourceAccount": owner}}
        policy["Statement"].append({"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": condition})
        stranger = place.s3(place.add_user(policy, OTHER_ACCOUNT))
        assert told(stranger.get_object, Bucket=bucket, Key="a") == GENERIC
        assert told(stranger.list_objects_v2, Bucket=bucket) == GENERIC
        assert told(stranger.put_object, Bucket=bucket, Key="a", Body=b"") == GENERIC


def test_a_bucket_policy_is_not_told(place: Place, bucket: str) -> None:
    """Neither that it denies, nor that it says nothing; in its own account a caller gets AWS's sentence."""
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    place.put_policy(bucket, deny)
    stranger, member = place.s3(place.add_user(EVERYTHING, OTHER_ACCOUNT)), place.s3(place.add_user(EVERYTHING))
    assert told(stranger.get_object, Bucket=bucket, Key="a") == GENERIC
    assert told(member.get_object, Bucket=bucket, Key="a")[2].endswith("an explicit deny in a resource-based policy")
    reply = place.raw("GET", f"/{bucket}/a", {})
    assert (reply.status, reply.message) == (403, "Access Denied")
