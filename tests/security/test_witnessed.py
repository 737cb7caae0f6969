"""Every acknowledged change is witnessed: the log holds the serial of its commit before the answer leaves."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fuin.audit import witness
from fuin.store.engine import glance
from tests.support.place import ANYTHING, Place

POLICY = json.dumps(ANYTHING)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give all services in this process."""
    made = Place(tmp_path_factory.mktemp("witnessed") / "data")
    yield made
    made.close()


@pytest.fixture(scope="module")
def made(place: Place) -> dict[str, str]:
    """Give a key, a bucket with an object, a user and a role."""
    kms, s3, iam = (place.service(name) for name in ("kms", "s3", "iam"))
    s3.create_bucket(Bucket="witnessed")
    for key in ("a", "b", "c"):
        s3.put_object(Bucket="witnessed", Key=key, Body=b"x")
    iam.create_user(UserName="ann")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}  # fmt: skip
    iam.create_role(RoleName="role", AssumeRolePolicyDocument=json.dumps(trust))
    return {"key": kms.create_key()["KeyMetadata"]["KeyId"]}


def _multipart(place: Place) -> None:
    s3 = place.service("s3")
    upload = s3.create_multipart_upload(Bucket="witnessed", Key="m")["UploadId"]
    named = {"Bucket": "witnessed", "Key": "m", "UploadId": upload}
    part = s3.upload_part(PartNumber=1, Body=b"x", **named)
    s3.complete_multipart_upload(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}, **named)


def _aborted(place: Place) -> None:
    s3 = place.service("s3")
    upload = s3.create_multipart_upload(Bucket="witnessed", Key="m")["UploadId"]
    s3.abort_multipart_upload(Bucket="witnessed", Key="m", UploadId=upload)


CHANGES: dict[str, Callable[[Place, str], Any]] = {
    "PutObject": lambda p, _: p.service("s3").put_object(Bucket="witnessed", Key="new", Body=b"x"),
    "CopyObject": lambda p, _: p.service("s3").copy_object(Bucket="witnessed", Key="d", CopySource="witnessed/a"),
    "DeleteObject": lambda p, _: p.service("s3").delete_object(Bucket="witnessed", Key="b"),
    "DeleteObjects": lambda p, _: p.service("s3").delete_objects(
        Bucket="witnessed", Delete={"Objects": [{"Key": "c"}]}
    ),
    "CompleteMultipartUpload": lambda p, _: _multipart(p),
    "AbortMultipartUpload": lambda p, _: _aborted(p),
    "CreateBucket": lambda p, _: p.service("s3").create_bucket(Bucket="another"),
    "DeleteBucket": lambda p, _: p.service("s3").delete_bucket(Bucket="another"),
    "PutBucketPolicy": lambda p, _: p.service("s3").delete_bucket_policy(Bucket="witnessed"),
    "CreateKey": lambda p, _: p.service("kms").create_key(),
    "RotateKeyOnDemand": lambda p, key: p.service("kms").rotate_key_on_demand(KeyId=key),
    "CreateAlias": lambda p, key: p.service("kms").create_alias(AliasName="alias/w", TargetKeyId=key),
    "TagResource": lambda p, key: p.service("kms").tag_resource(KeyId=key, Tags=[{"TagKey": "t", "TagValue": "v"}]),
    "CreateGrant": lambda p, key: p.service("kms").create_grant(
        KeyId=key, GranteePrincipal="arn:aws:iam::123456789012:user/ann", Operations=["Decrypt"]
    ),
    "ScheduleKeyDeletion": lambda p, key: p.service("kms").schedule_key_deletion(KeyId=key),
    "CreateUser": lambda p, _: p.service("iam").create_user(UserName="bob"),
    "CreateAccessKey": lambda p, _: p.service("iam").create_access_key(UserName="ann"),
    "PutRolePolicy": lambda p, _: p.service("iam").put_role_policy(
        RoleName="role", PolicyName="p", PolicyDocument=POLICY
    ),
    "CreateAccountAlias": lambda p, _: p.service("iam").create_account_alias(AccountAlias="witnessed"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_acknowledged_change_is_witnessed(place: Place, made: dict[str, str], name: str) -> None:
    """When a change is answered, the log knows a serial that the database did not have before."""
    before = _serial(place.settings.database)
    CHANGES[name](place, made["key"])
    assert before < witness.highest_commit(place.settings.audit) <= _serial(place.settings.database)


def _serial(database: Path) -> int:
    found = glance.look(database)
    assert found is not None
    return found.serial


def test_key_made_on_first_use_is_witnessed(place: Place) -> None:
    """A key that AWS manages is made by a request that changes nothing else: its record has the serial as well."""
    before = _serial(place.settings.database)
    place.service("kms", region="eu-west-1").describe_key(KeyId="alias/aws/s3")
    assert before < witness.highest_commit(place.settings.audit)
