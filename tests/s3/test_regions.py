"""Where a bucket is, is not for the client to say: any Region may be signed for, and conditions see the bucket's."""

from typing import Any

import pytest

from tests.support.place import REGION, Place
from tests.support.server import User

IRELAND = "eu-west-1"


def _only_in(
    region: str, effect: str = "Allow", operator: str = "StringEquals", key: str = "aws:RequestedRegion"
) -> dict[str, Any]:
    condition = {operator: {key: region}}
    statement = {"Effect": effect, "Action": "s3:*", "Resource": "*", "Condition": condition}
    allowed = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}] if effect == "Deny" else []
    return {"Version": "2012-10-17", "Statement": [statement, *allowed]}


@pytest.fixture(scope="module")
def bucket(place: Place) -> str:
    """Give a bucket of us-east-1 with one object."""
    name = place.bucket("somewhere")
    place.s3().put_object(Bucket=name, Key="k", Body=b"x")
    return name


@pytest.fixture
def user(place: Place) -> User:
    """Give a user without rights."""
    return place.add_user()


@pytest.mark.parametrize("policy", [_only_in(IRELAND), _only_in(IRELAND, "Deny", "StringNotEquals")])
@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/k"), ("PUT", "/new"), ("DELETE", "/gone"), ("GET", ""), ("HEAD", ""), ("GET", "?policy")],
)
def test_a_limit_to_a_region_is_about_where_the_bucket_is(
    place: Place, user: User, bucket: str, policy: dict[str, Any], method: str, target: str
) -> None:
    """A signature for another Region, which AWS would refuse for its bucket, opens nothing."""
    place.set_policy(user, policy)
    for region in (IRELAND, REGION):
        assert place.send(method, f"/{bucket}{target}", user=user, region=region).status == 403


def test_whoever_may_in_a_region_may_whatever_was_signed_for(place: Place, user: User, bucket: str) -> None:
    """The bucket's Region counts, in policies of users and of buckets, for what one request does to each bucket."""
    place.set_policy(user, _only_in(REGION))
    for region in (IRELAND, REGION):
        assert place.send("GET", f"/{bucket}/k", user=user, region=region).status == 200
    there = place.bucket("also-there")
    copy = {"x-amz-copy-source": f"/{bucket}/k"}
    assert place.send("PUT", f"/{there}/copy", copy, user=user, region=IRELAND).status == 200
    condition = {"StringNotEquals": {"aws:RequestedRegion": REGION}}
    resource = f"arn:aws:s3:::{there}/*"
    place.put_policy(
        there,
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resource, "Condition": condition},
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource},
    )
    assert place.raw("GET", f"/{there}/copy", {}).status == 200  # nobody has signed for any Region


def test_keys_to_delete_together_are_in_the_buckets_region(place: Place, user: User, bucket: str) -> None:
    """DeleteObjects asks for each key with the bucket's Region."""
    place.set_policy(user, _only_in(IRELAND))
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    reply = place.send("POST", f"/{bucket}?delete", Place.md5(body), body, user=user, region=IRELAND)
    assert (reply.status, reply.text("Code"), reply.text("Key")) == (200, "AccessDenied", "k")
    assert place.send("GET", f"/{bucket}/k").status == 200


def constraint(region: str) -> bytes:
    """Return the body of a CreateBucket for a Region."""
    return (
        b"<CreateBucketConfiguration><LocationConstraint>%b</LocationConstraint></CreateBucketConfiguration>"
        % region.encode()
    )


def test_a_bucket_is_made_where_was_signed_for(place: Place, user: User) -> None:
    """AWS: but for us-east-1, a Region's endpoint makes buckets of that Region only."""
    place.set_policy(user, _only_in(IRELAND))
    reply = place.send("PUT", "/not-in-tokyo", {}, constraint("ap-northeast-1"), user=user, region=IRELAND)
    assert (reply.status, reply.code) == (400, "IllegalLocationConstraintException")
    assert reply.message == (
        "The ap-northeast-1 location constraint is incompatible for the region specific endpoint this request was "
        "sent to."
    )
    assert place.send("HEAD", "/not-in-tokyo").status == 404
    assert place.send("PUT", "/in-ireland", {}, constraint("EU"), user=user, region=IRELAND).status == 200
    assert place.send("PUT", "/in-ireland-too", user=user, region=IRELAND).status == 200
    assert place.s3().head_bucket(Bucket="in-ireland-too")["BucketRegion"] == IRELAND
    assert place.send("PUT", "/not-there", {}, constraint(IRELAND), user=user, region=REGION).status == 403


def test_the_location_constraint_is_a_condition_of_making_a_bucket(place: Place, user: User) -> None:
    """s3:LocationConstraint is what the body says; what is wrong with a body is told to who may make buckets only."""
    broken = b"<CreateBucketConfiguration>"
    place.set_policy(user, _only_in(IRELAND, key="s3:LocationConstraint"))
    for body, status in ((b"", 403), (constraint("eu-west-2"), 403), (broken, 403), (constraint("EU"), 200)):
        assert place.send("PUT", "/constrained-1", {}, body, user=user).status == status
    place.set_policy(user, _only_in(IRELAND, "Deny", key="s3:LocationConstraint"))
    for body, status in ((constraint(IRELAND), 403), (constraint("EU"), 403), (broken, 400), (b"", 200)):
        assert place.send("PUT", "/constrained-2", {}, body, user=user).status == status
    assert place.raw("PUT", "/constrained-3", {}, constraint("eu-west-2")).status == 403
