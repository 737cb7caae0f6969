"""An engine that does not answer at once: the same operations, answers and records, and no read holds up the loop.

The story below is told twice, to the services on SQLite and to the same services on an engine whose every read has to
be waited for. What differs by chance (ids, times, ciphertext) is left out of the comparison.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.settings import Settings
from fuin.store.engine import migrate
from fuin.store.store import Store
from tests.support.place import ACCOUNT, ANYTHING, Place
from tests.support.server import User
from tests.support.slow_engine import SlowEngine

pytestmark = pytest.mark.sqlite_only("the slow engine is SQLite")

ADMIN = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}


class Told:
    """What a place answers to a story, step by step, and what stands in its records."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.answers: list[Any] = []
        self.requests: list[str] = []
        self.names: dict[str, str] = {}

    def name(self, value: str, label: str) -> str:
        """Let a value that differs by chance be written as its label."""
        self.names[value] = label
        return value

    def ask(self, call: Callable[..., Any], **members: Any) -> Any:
        """Ask for something, and note the answer or the refusal."""
        try:
            answer = call(**members)
        except ClientError as error:
            answer = error.response
        meta = answer["ResponseMetadata"]
        self.requests.append(meta["RequestId"])
        self.answers.append((call.__name__, meta["HTTPStatusCode"], sorted(answer), answer.get("Error", {})))
        return answer

    def records(self) -> list[Any]:
        """Return what is on the record of each request, in the order of asking."""
        return [[record.draft for record in self.place.record(request)] for request in self.requests]

    def plain(self, value: Any) -> str:
        """Return a value as JSON without what differs by chance."""
        text = json.dumps(value, sort_keys=True, default=str)
        for found, label in sorted(self.names.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(found, label)
        for pattern in _BY_CHANCE:
            text = re.sub(pattern, "…", text)
        return text


_BY_CHANCE = (
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", r"\b[0-9a-f]{32,64}\b", r"\b[0-9a-f]{16}\b",
    r"\b(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{12,}\b", r"127\.0\.0\.1:\d+", r"\d{4}-\d\d-\d\d[T ][0-9:.+Z]+",
    r'"commit": \d+', r"\b\d{10}\.\d+\b", r"\b17\d{8}\b", r'"(?:storedBytes|encryptedDataKeyBytes)": \d+',
)  # fmt: skip


def _kms(told: Told) -> str:
    """Make a key, use it, name it, lend it."""
    kms, place = told.place.service("kms"), told.place
    made = told.ask(kms.create_key, Tags=[{"TagKey": "team", "TagValue": "blue"}])
    arn: str = told.name(made["KeyMetadata"]["Arn"], "ARN")
    told.ask(kms.create_alias, AliasName="alias/mine", TargetKeyId=arn)
    blob = told.ask(kms.encrypt, KeyId="alias/mine", Plaintext=b"hello", EncryptionContext={"a": "b"})["CiphertextBlob"]
    assert told.ask(kms.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"hello"
    told.ask(kms.list_keys)
    told.ask(kms.describe_key, KeyId="alias/mine")
    told.ask(kms.describe_key, KeyId="alias/nothing")
    stranger = place.new_user(None, "stranger")
    told.ask(place.service("kms", stranger).decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b"})
    told.ask(
        kms.create_grant, KeyId=arn, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/stranger", Operations=["Decrypt"]
    )
    lent = told.ask(place.service("kms", stranger).decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b"})
    assert lent["Plaintext"] == b"hello"
    told.ask(kms.list_grants, KeyId=arn)
    by_alias = {
        "Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": "*",
        "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/mine"}},
    }  # fmt: skip
    named = place.new_user({"Version": "2012-10-17", "Statement": by_alias}, "named")
    told.ask(place.service("kms", named).generate_data_key, KeyId=arn, KeySpec="AES_256")
    told.ask(kms.delete_alias, AliasName="alias/mine")
    told.ask(place.service("kms", named).generate_data_key, KeyId=arn, KeySpec="AES_256")
    told.ask(kms.disable_key, KeyId=arn)
    told.ask(kms.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b"})
    told.ask(kms.enable_key, KeyId=arn)
    return arn


def _s3(told: Told, arn: str) -> None:
    """Put and get objects, by bucket policy, under both encryptions, in parts."""
    s3, place = told.place.service("s3"), told.place
    told.ask(s3.create_bucket, Bucket="kept")
    told.ask(s3.put_object, Bucket="kept", Key="plain", Body=b"body")
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": arn}
    told.ask(s3.put_object, Bucket="kept", Key="sealed", Body=b"body", **sealed)
    told.ask(s3.put_object, Bucket="kept", Key="sealed", Body=b"body", IfNoneMatch="*")
    assert told.ask(s3.get_object, Bucket="kept", Key="sealed")["Body"].read() == b"body"
    keyed = {**sealed, "BucketKeyEnabled": True}
    for _ in range(2):
        told.ask(s3.put_object, Bucket="kept", Key="keyed", Body=b"body", **keyed)
    told.ask(s3.get_object, Bucket="kept", Key="keyed")
    told.ask(s3.put_object, Bucket="kept", Key="twice", Body=b"body", ServerSideEncryption="aws:kms:dsse")
    told.ask(s3.head_object, Bucket="kept", Key="plain")
    told.ask(s3.get_object, Bucket="kept", Key="nothing")
    told.ask(s3.list_objects_v2, Bucket="kept")
    guest = place.new_user(None, "guest")
    told.ask(place.service("s3", guest).put_object, Bucket="kept", Key="theirs", Body=b"guest")
    statement = {
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/guest"},
        "Action": ["s3:PutObject", "s3:GetObject"], "Resource": "arn:aws:s3:::kept/*",
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    told.ask(s3.put_bucket_policy, Bucket="kept", Policy=policy)
    told.ask(place.service("s3", guest).put_object, Bucket="kept", Key="theirs", Body=b"guest")
    told.ask(place.service("s3", guest).get_object, Bucket="kept", Key="sealed")  # without the key
    told.ask(s3.copy_object, Bucket="kept", Key="copy", CopySource="kept/sealed", **sealed)
    assert told.ask(s3.get_object, Bucket="kept", Key="keyed")["Body"].read() == b"body"
    told.ask(s3.copy_object, Bucket="kept", Key="keyed", CopySource="kept/twice", **keyed)
    upload = told.ask(s3.create_multipart_upload, Bucket="kept", Key="parts", **sealed)["UploadId"]
    told.name(upload, "UPLOAD")
    part = told.ask(s3.upload_part, Bucket="kept", Key="parts", UploadId=upload, PartNumber=1, Body=b"part")
    chosen = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    told.ask(s3.complete_multipart_upload, Bucket="kept", Key="parts", UploadId=upload, MultipartUpload=chosen)
    for key in ("plain", "sealed", "theirs", "copy", "parts", "keyed", "twice"):
        told.ask(s3.delete_object, Bucket="kept", Key=key)
    told.ask(s3.delete_bucket, Bucket="kept")


def _identity(told: Told, arn: str) -> None:
    """Make users, groups and roles, and take a role."""
    iam, place = told.place.service("iam"), told.place
    told.ask(iam.create_user, UserName="ann", Tags=[{"Key": "team", "Value": "blue"}])
    told.ask(iam.put_user_policy, UserName="ann", PolicyName="own", PolicyDocument=json.dumps(ANYTHING))
    told.ask(iam.create_group, GroupName="readers")
    told.ask(iam.add_user_to_group, UserName="ann", GroupName="readers")
    told.ask(iam.list_groups_for_user, UserName="ann")
    told.ask(iam.get_user, UserName="nobody")
    told.ask(iam.create_role, RoleName="taken", AssumeRolePolicyDocument=json.dumps(ADMIN))
    told.ask(iam.put_role_policy, RoleName="taken", PolicyName="own", PolicyDocument=json.dumps(ANYTHING))
    role = f"arn:aws:iam::{ACCOUNT}:role/taken"
    ann = place.new_user(ANYTHING, "bea")
    taken = told.ask(place.service("sts", ann).assume_role, RoleArn=role, RoleSessionName="now")["Credentials"]
    session = User("session", taken["AccessKeyId"], taken["SecretAccessKey"])
    told.ask(place.service("sts", session, token=taken["SessionToken"]).get_caller_identity)
    told.ask(place.service("kms", session, token=taken["SessionToken"]).describe_key, KeyId=arn)
    told.ask(iam.delete_role_policy, RoleName="taken", PolicyName="own")
    told.ask(place.service("kms", session, token=taken["SessionToken"]).list_keys)
    told.ask(iam.delete_role, RoleName="taken")
    told.ask(place.service("sts", session, token=taken["SessionToken"]).get_caller_identity)


def _story(place: Place) -> Told:
    told = Told(place)
    arn = _kms(told)
    _s3(told, arn)
    _identity(told, arn)
    return told


@pytest.fixture
def at_once(tmp_path: Path) -> Iterator[Place]:
    """Give all services on SQLite."""
    place = Place(tmp_path / "at-once")
    yield place
    place.close()


@pytest.fixture
def engine(tmp_path: Path) -> SlowEngine:
    """Give the engine of the other services."""
    return SlowEngine(Settings(data=tmp_path / "slow").database)


@pytest.fixture
def slow(tmp_path: Path, engine: SlowEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Give all services on the engine that has to be waited for."""

    def open_slowly(settings: Settings, **_: object) -> Store:
        migrate.prepare(settings.database, create=True)
        return Store(engine)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "open", open_slowly)
        place = Place(tmp_path / "slow")
    yield place
    place.close()


def test_the_same_story_whatever_the_engine(at_once: Place, slow: Place, engine: SlowEngine) -> None:
    """Answers, refusals and records are the same; nothing is read while the event loop stands still."""
    first, second = _story(at_once), _story(slow)
    assert engine.inline == []
    assert engine.fetches > 100
    for one, other in zip(first.answers, second.answers, strict=True):
        assert second.plain(other) == first.plain(one)
    for one, other, answer in zip(first.records(), second.records(), first.answers, strict=True):
        assert second.plain(other) == first.plain(one), answer
