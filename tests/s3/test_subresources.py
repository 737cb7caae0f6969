"""Settings that are not set, answered as AWS answers them: rights first, then whether there is such a bucket."""

from typing import Any

import botocore.loaders
import pytest
from botocore.exceptions import ClientError

from fuin.access.vocabulary.missing_capabilities import BY_OPERATION
from fuin.s3.buckets.subresource_table import TABLE, Subresource
from fuin.s3.operations import OPERATIONS
from fuin.s3.request.operation import OBJECT
from tests.support.place import Place, error_of
from tests.support.policies import allow
from tests.support.server import User

MODEL: dict[str, Any] = botocore.loaders.Loader().load_service_model("s3", "service-2")
ALL_BLOCKED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)

# What a new bucket answers: an error's status and code, or the members of the answer.
ANSWERS: dict[str, tuple[int, str] | dict[str, Any]] = {
    "get_bucket_abac": {"AbacStatus": {"Status": "Disabled"}},
    "get_bucket_accelerate_configuration": {},
    "get_bucket_analytics_configuration": (404, "NoSuchConfiguration"),
    "get_bucket_cors": (404, "NoSuchCORSConfiguration"),
    "get_bucket_intelligent_tiering_configuration": (404, "NoSuchConfiguration"),
    "get_bucket_inventory_configuration": (404, "NoSuchConfiguration"),
    "get_bucket_lifecycle": (404, "NoSuchLifecycleConfiguration"),
    "get_bucket_lifecycle_configuration": (404, "NoSuchLifecycleConfiguration"),
    "get_bucket_logging": {},
    "get_bucket_metadata_configuration": (404, "MetadataConfigurationNotFound"),
    "get_bucket_metadata_table_configuration": (404, "MetadataConfigurationNotFound"),
    "get_bucket_metrics_configuration": (404, "NoSuchConfiguration"),
    "get_bucket_notification_configuration": {},
    "get_bucket_ownership_controls": {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
    "get_bucket_policy_status": (404, "NoSuchBucketPolicy"),
    "get_bucket_replication": (404, "ReplicationConfigurationNotFoundError"),
    "get_bucket_request_payment": {"Payer": "BucketOwner"},
    "get_bucket_tagging": (404, "NoSuchTagSet"),
    "get_bucket_versioning": {},
    "get_bucket_website": (404, "NoSuchWebsiteConfiguration"),
    "get_object_legal_hold": (400, "InvalidRequest"),
    "get_object_lock_configuration": (404, "ObjectLockConfigurationNotFoundError"),
    "get_object_retention": (400, "InvalidRequest"),
    "get_object_tagging": {"TagSet": []},
    "get_public_access_block": {"PublicAccessBlockConfiguration": ALL_BLOCKED},
    "list_bucket_analytics_configurations": {"IsTruncated": False},
    "list_bucket_intelligent_tiering_configurations": {"IsTruncated": False},
    "list_bucket_inventory_configurations": {"IsTruncated": False},
    "list_bucket_metrics_configurations": {"IsTruncated": False},
}
_OF_OBJECTS = ("get_object_legal_hold", "get_object_retention", "get_object_tagging")


def _asked(place: Place, name: str, bucket: str) -> dict[str, Any]:
    members = {"Bucket": bucket, **({"Key": "k"} if name in _OF_OBJECTS else {})}
    if ANSWERS[name] == (404, "NoSuchConfiguration"):
        members["Id"] = "none"
    answer: dict[str, Any] = getattr(place.s3(), name)(**members)
    del answer["ResponseMetadata"]
    return answer


@pytest.fixture(scope="module")
def untouched(place: Place) -> str:
    """Give a new bucket with one object, which tests only read."""
    bucket = place.bucket()
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    return bucket


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_not_set_is_answered_as_aws_does(place: Place, untouched: str, name: str) -> None:
    """Each setting of a new bucket and object, read by boto3."""
    expected = ANSWERS[name]
    if isinstance(expected, dict):
        assert _asked(place, name, untouched) == expected
        return
    with pytest.raises(ClientError) as error:
        _asked(place, name, untouched)
    assert error_of(error.value)[:2] == expected
    with pytest.raises(ClientError) as error:
        _asked(place, name, "no-such-bucket-of-this-test")
    assert error_of(error.value)[:2] == (404, "NoSuchBucket")


def test_an_object_that_is_not_there_has_no_tags_to_read(place: Place, bucket: str) -> None:
    """Tags and ACL of a missing object are NoSuchKey; an object without tags has no x-amz-tagging-count."""
    for method, name in (("GET", "tagging"), ("DELETE", "tagging"), ("GET", "acl")):
        reply = place.send(method, f"/{bucket}/none?{name}")
        assert (reply.status, reply.code) == (404, "NoSuchKey")
    body = b"<Tagging><TagSet/></Tagging>"
    assert place.send("PUT", f"/{bucket}/none?tagging", place.md5(body), body).code == "NoSuchKey"
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    assert "x-amz-tagging-count" not in place.send("HEAD", f"/{bucket}/k").headers
    assert place.send("GET", f"/{bucket}/k?tagging&versionId=x").code == "InvalidArgument"


def _requests() -> list[tuple[str, str, str]]:
    """Return each request of the table, and of policies and ACLs: method, sub-resource, action."""
    found = [("GET", _target(row), row.get) for row in TABLE]
    found += [("PUT", _target(row), row.put.operation) for row in TABLE if row.put]
    found += [("DELETE", _target(row), row.delete.operation) for row in TABLE if row.delete]
    found += [("GET", "?policyStatus", "GetBucketPolicyStatus"), ("GET", "?acl", "GetBucketAcl")]
    found += [("PUT", "?acl", "PutBucketAcl"), ("PUT", "/k?acl", "PutObjectAcl"), ("GET", "/k?acl", "GetObjectAcl")]
    return [(method, target, OPERATIONS[name].action) for method, target, name in found]


def _target(row: Subresource) -> str:
    return f"{'/k' if row.level == OBJECT else ''}?{row.name}"


@pytest.fixture(scope="module")
def guarded(place: Place) -> tuple[User, str]:
    """Give a user whose rights tests choose, and a bucket with one object."""
    bucket = place.bucket()
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    return place.add_user(), bucket


@pytest.mark.parametrize(("method", "target", "action"), _requests())
def test_each_needs_its_right_before_anything_else(
    place: Place, guarded: tuple[User, str], method: str, target: str, action: str
) -> None:
    """Without the one action it is 403, whether there is such a bucket or not; with it alone it is answered."""
    user, bucket = guarded
    policy = allow("s3:*")
    policy["Statement"].append({"Effect": "Deny", "Action": action, "Resource": "*"})
    place.set_policy(user, policy)
    for name in (bucket, "no-such-bucket-of-this-test"):
        assert place.send(method, f"/{name}{target}", user=user).status == 403
    assert place.raw(method, f"/{bucket}{target}", {}).status == 403
    place.set_policy(user, allow(action))
    assert place.send(method, f"/{bucket}{target}", user=user).status not in (403, 500, 501, 405)
    assert place.send(method, f"/no-such-bucket-of-this-test{target}", user=user).code == "NoSuchBucket"
    expected = {"x-amz-expected-bucket-owner": "999999999999"}
    assert place.send(method, f"/{bucket}{target}", expected, user=user).status == 403


@pytest.mark.parametrize("row", [row for row in TABLE if row.delete], ids=lambda row: row.delete.operation)
def test_removing_what_is_not_set(place: Place, bucket: str, row: Subresource) -> None:
    """It succeeds, as often as it is asked for; what goes by an id is not found."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    for _ in range(2):
        reply = place.send("DELETE", f"/{bucket}{_target(row)}")
        absent = row.delete.absent if row.delete else ""
        assert (reply.status, reply.code) == ((404, absent) if absent else (204, ""))
    assert place.s3().get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_every_setting_of_the_model_is_read() -> None:
    """No GET of a bucket's sub-resource is left out, but for what is no setting."""
    rows = [row for row in OPERATIONS.values() if (row.method, row.level) == ("GET", "bucket")]
    assert {row.name for row in rows if row.run is None} == {
        "CreateSession", "GetBucketLifecycle", "GetBucketNotification",
    }  # fmt: skip


@pytest.mark.parametrize("operation", sorted(BY_OPERATION))
def test_what_is_not_built_says_what(place: Place, bucket: str, operation: str) -> None:
    """501 with a sentence that names the capability, and nothing is kept."""
    row = OPERATIONS[operation]
    path = f"/{bucket}{'/k' if row.level == OBJECT else ''}?{'&'.join(row.query)}"
    reply = place.send(row.method, path, dict.fromkeys(row.headers, "x"), b"" if row.method == "GET" else b"<x/>")
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert f"{BY_OPERATION[operation].subject} not built." in reply.message
