"""KMS, S3 and IAM over PostgreSQL: each operation finds its rows without stopping the event loop."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.store.engine.postgres.reader import PostgresReader
from tests.security.test_held_bodies import finish, held
from tests.support.place import ANYTHING, Place
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def place(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give a whole Fuin on a PostgreSQL database of its own."""
    with postgres.database() as name:
        place = Place(tmp_path_factory.mktemp("place"), postgres.socket_url(name))
        assert not place.services.store.reads_at_once
        with place:
            yield place


@pytest.fixture(autouse=True)
def _read_beside_the_loop(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test if a read has run in the thread of the event loop, whatever has caught the error."""
    loop_thread = place.run(_thread())
    inline: list[object] = []
    read = PostgresReader._read

    def watch(reader: PostgresReader, fn: Any, args: tuple[Any, ...]) -> Any:
        if threading.get_ident() == loop_thread:
            inline.append(fn)
        return read(reader, fn, args)

    monkeypatch.setattr(PostgresReader, "_read", watch)
    yield
    assert inline == []


async def _thread() -> int:
    return threading.get_ident()


def _code(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_a_key_encrypts_rotates_and_ends(place: Place) -> None:
    """The life of a KMS key: made, named, used, rotated, disabled, scheduled for deletion."""
    kms = place.kms()
    key = place.new_key(Description="first", Tags=[{"TagKey": "a", "TagValue": "1"}])
    kms.create_alias(AliasName="alias/first", TargetKeyId=key)
    blob = kms.encrypt(KeyId="alias/first", Plaintext=b"secret")["CiphertextBlob"]
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={"a": "b"})
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"
    opened = kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert opened["Plaintext"] == data_key["Plaintext"]
    kms.rotate_key_on_demand(KeyId=key)
    assert len(kms.list_key_rotations(KeyId=key)["Rotations"]) == 1
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "first"
    assert key in {one["KeyArn"] for one in kms.list_keys()["Keys"]}
    assert kms.list_aliases(KeyId=key)["Aliases"][0]["AliasName"] == "alias/first"
    kms.disable_key(KeyId=key)
    with pytest.raises(ClientError) as refused:
        kms.encrypt(KeyId=key, Plaintext=b"secret")
    assert _code(refused) == "DisabledException"
    kms.enable_key(KeyId=key)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    kms.cancel_key_deletion(KeyId=key)
    place.expire(key.rpartition("/")[2])


def test_a_key_that_is_needed_is_kept(place: Place) -> None:
    """Its deletion is refused with the numbers, and an object that comes behind an allowed one is refused."""
    kms, key, bucket = place.kms(), place.new_key(), place.bucket()
    scheme = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    headers = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key}
    with held(place, f"/{bucket}/k", place.signed("PUT", f"/{bucket}/k", headers, b"body"), b"body") as connection:
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        assert b" 400 " in finish(connection, b"body")
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"body", **scheme)
    with pytest.raises(ClientError, match=r"objects: 1, .* in all 4 bytes") as refused:
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert _code(refused) == "ConflictException"
    kms.disable_key(KeyId=key)
    assert place.last_record().draft["facts"]["dependents"]["objects"] == 1


def test_a_grant_and_a_key_policy_are_honoured_and_taken(place: Place) -> None:
    """A right that comes and goes is seen by the next request."""
    kms, key = place.kms(), place.new_key()
    user = place.new_user()
    identity = f"arn:aws:iam::{place.settings.account}:user/{user.name}"
    with pytest.raises(ClientError) as refused:
        place.kms(user).generate_data_key(KeyId=key, KeySpec="AES_256")
    assert _code(refused) == "AccessDeniedException"
    grant = kms.create_grant(KeyId=key, GranteePrincipal=identity, Operations=["GenerateDataKey"])["GrantId"]
    place.kms(user).generate_data_key(KeyId=key, KeySpec="AES_256")
    kms.revoke_grant(KeyId=key, GrantId=grant)
    with pytest.raises(ClientError):
        place.kms(user).generate_data_key(KeyId=key, KeySpec="AES_256")
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    allow = {"Effect": "Allow", "Principal": {"AWS": identity}, "Action": "kms:*", "Resource": "*"}
    changed = json.dumps({**policy, "Statement": [*policy["Statement"], allow]})
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=changed)
    place.kms(user).generate_data_key(KeyId=key, KeySpec="AES_256")


def test_a_text_with_nul_is_refused(place: Place) -> None:
    """PostgreSQL cannot store it; the client learns that its request was wrong, in whatever service."""
    kms, key, iam, user = place.kms(), place.new_key(), place.service("iam"), place.new_user()
    bucket = place.bucket()
    asked: dict[str, Any] = {
        "ValidationException": [
            lambda: kms.create_key(Description="a\0b"),
            lambda: kms.update_key_description(KeyId=key, Description="\0"),
            lambda: kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "\0"}]),
        ],
        "ValidationError": [
            lambda: iam.tag_user(UserName=user.name, Tags=[{"Key": "a", "Value": "\0"}]),
            lambda: iam.create_policy(PolicyName="p", Description="\0", PolicyDocument=json.dumps(ANYTHING)),
        ],
        "InvalidRequest": [lambda: place.s3().list_parts(Bucket=bucket, Key="a", UploadId="\0")],
    }
    for code, calls in asked.items():
        for call in calls:
            with pytest.raises(ClientError) as refused:
                call()
            assert (_code(refused), refused.value.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, 400)
    with pytest.raises(ClientError) as unknown:
        kms.describe_key(KeyId="alias/\0")
    assert unknown.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    s3 = place.s3()
    s3.put_object(Bucket=bucket, Key="a\0b", Body=b"kept")
    assert s3.get_object(Bucket=bucket, Key="a\0b")["Body"].read() == b"kept"


def test_objects_are_put_listed_and_deleted(place: Place) -> None:
    """The main operations of S3, under SSE-S3 and under a KMS key, with conditions and in parts."""
    s3, bucket, key = place.s3(), place.bucket(), place.new_key()
    s3.put_object(Bucket=bucket, Key="a/1", Body=b"one")
    s3.put_object(Bucket=bucket, Key="a/2", Body=b"two", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    s3.put_object(Bucket=bucket, Key="ü", Body=b"three", IfNoneMatch="*")
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="ü", Body=b"four", IfNoneMatch="*")
    assert _code(refused) == "PreconditionFailed"
    assert s3.get_object(Bucket=bucket, Key="a/2")["Body"].read() == b"two"
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [one["Prefix"] for one in page["CommonPrefixes"]] == ["a/"]
    assert [one["Key"] for one in page["Contents"]] == ["ü"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    done = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=done)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/parts")
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"part"
    assert bucket in {one["Name"] for one in s3.list_buckets()["Buckets"]}
    with pytest.raises(ClientError) as kept:
        s3.delete_bucket(Bucket=bucket)
    assert _code(kept) == "BucketNotEmpty"
    keys = [{"Key": one["Key"]} for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})
    s3.delete_bucket(Bucket=bucket)


def test_identities_and_sessions(place: Place) -> None:
    """Users, groups, policies and roles of IAM, and a session of STS that uses them."""
    iam, user = place.service("iam"), place.new_user()
    iam.create_group(GroupName="group")
    iam.add_user_to_group(GroupName="group", UserName=user.name)
    document = json.dumps(ANYTHING)
    arn = iam.create_policy(PolicyName="anything", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_group_policy(GroupName="group", PolicyArn=arn)
    assert place.service("iam", user).get_user()["User"]["UserName"] == user.name
    trust = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
    }
    role = iam.create_role(RoleName="role", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="role", PolicyName="own", PolicyDocument=document)
    session = place.service("sts", user).assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    assert session["AccessKeyId"].startswith("ASIA")
    assert {"role"} <= {one["RoleName"] for one in iam.list_roles()["Roles"]}
    iam.detach_group_policy(GroupName="group", PolicyArn=arn)
    with pytest.raises(ClientError) as refused:
        place.service("iam", user).get_user()
    assert _code(refused) == "AccessDenied"
