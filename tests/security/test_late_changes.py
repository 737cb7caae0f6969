"""A change that was decided before a revocation and would commit after it is refused: of every kind, in every service.

The writer of the store is held, so that the revocation and the late change wait for it in this order. The late one has
been allowed by then, since nothing of the revocation is committed yet.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.access.principal import ANONYMOUS
from fuin.gate import commit
from fuin.gate.call import Call
from fuin.settings import SMALL_OBJECT
from fuin.store.engine.effect import Effect
from fuin.store.engine.writer import Job
from fuin.store.errors import RightsMoved
from fuin.store.identity import access_keys
from tests.kms.granting import give
from tests.support.place import ACCOUNT, REGION, Place, wait
from tests.support.place import Place as KeyService
from tests.support.policies import allow
from tests.support.server import User

_ROOT = f"arn:aws:iam::{ACCOUNT}:root"
_NOTHING = allow("kms:ListKeys")
_Change = Callable[[], Any]


def _policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _naming(arn: str, *actions: str, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": list(actions), "Resource": resource}


def _key_policy(*users: User) -> str:
    named = [f"arn:aws:iam::{ACCOUNT}:user/{user.name}" for user in users]
    return _policy(_naming(_ROOT, "kms:*"), *[_naming(arn, "kms:*") for arn in named])


class _Queue:
    """What waits for the writer, as far as it changes rights or is made by rights."""

    def __init__(self, place: KeyService) -> None:
        self._writer = place.services.store._writer
        self._submit = self._writer.submit
        self.changes = 0

    def _count(self, job: Job) -> None:
        self._submit(job)
        self.changes += job.since is not None or job.effect is not Effect.NONE

    def wait(self, count: int) -> None:
        """Wait until so many have come."""
        deadline = time.monotonic() + 60
        while self.changes < count:
            assert time.monotonic() < deadline, f"{self.changes} of {count} changes came"
            time.sleep(0.002)

    def __enter__(self) -> "_Queue":
        self._writer.submit = self._count  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.submit = self._submit  # type: ignore[method-assign]


@contextmanager
def _held_writer(place: KeyService) -> Iterator[None]:
    """Hold the writer in a transaction of its own."""
    begun, done = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        begun.set()
        done.wait(120)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(place.run, wait(place.services.store.write(hold)))
        assert begun.wait(60)
        try:
            yield
        finally:
            done.set()
            holding.result(60)


def _late(place: KeyService, revoke: _Change, change: _Change) -> Future[Any]:
    """Let `change` be allowed before `revoke` is committed, and be committed after it; return what came of it."""
    with ThreadPoolExecutor(2) as pool:
        with _held_writer(place), _Queue(place) as queue:
            revoking = pool.submit(revoke)
            queue.wait(1)
            late = pool.submit(change)
            queue.wait(2)
        revoking.result(60)
        late.exception(60)
        return late


def _code(future: Future[Any]) -> str:
    error = future.exception()
    assert isinstance(error, ClientError), f"it was not refused: {error!r}"
    return str(error.response["Error"]["Code"])


_OF_KEYS: dict[str, Callable[[Any, str], Any]] = {
    "CreateGrant": lambda kms, key: kms.create_grant(KeyId=key, GranteePrincipal=_ROOT, Operations=["Decrypt"]),
    "PutKeyPolicy": lambda kms, key: kms.put_key_policy(KeyId=key, Policy=_policy(_naming("*", "kms:*"))),
    "DisableKey": lambda kms, key: kms.disable_key(KeyId=key),
    "ScheduleKeyDeletion": lambda kms, key: kms.schedule_key_deletion(KeyId=key),
    "TagResource": lambda kms, key: kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}]),
    "UpdateKeyDescription": lambda kms, key: kms.update_key_description(KeyId=key, Description="mine"),
    "EnableKeyRotation": lambda kms, key: kms.enable_key_rotation(KeyId=key),
    "RotateKeyOnDemand": lambda kms, key: kms.rotate_key_on_demand(KeyId=key),
}


@pytest.mark.parametrize("operation", _OF_KEYS)
def test_key_policy_that_was_replaced(place: Place, operation: str) -> None:
    """Whom the new key policy leaves out changes nothing any more by the old one."""
    root, user = place.kms(), place.add_user(_NOTHING)
    key_id = root.create_key(Policy=_key_policy(user))["KeyMetadata"]["KeyId"]
    late = _late(
        place,
        lambda: root.put_key_policy(KeyId=key_id, Policy=_key_policy()),
        lambda: _OF_KEYS[operation](place.kms(user), key_id),
    )
    assert _code(late) == "AccessDeniedException"
    assert root.get_key_policy(KeyId=key_id)["Policy"] == _key_policy()
    assert root.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Enabled"
    assert not root.list_grants(KeyId=key_id)["Grants"]
    assert not root.list_resource_tags(KeyId=key_id)["Tags"]


_LARGE = bytes(SMALL_OBJECT + 1)  # a blob
_BY_USER: dict[str, Callable[[Place, User, str], Any]] = {
    "CreateKey": lambda place, user, _: place.kms(user).create_key(),
    "CreateAlias": lambda place, user, key: place.kms(user).create_alias(AliasName="alias/late", TargetKeyId=key),
    "CreateGrant": lambda place, user, key: _OF_KEYS["CreateGrant"](place.kms(user), key),
    "CreateBucket": lambda place, user, _: place.s3(user).create_bucket(Bucket="late-bucket"),
    "PutObject": lambda place, user, _: place.s3(user).put_object(Bucket="kept", Key="late", Body=_LARGE),
    "DeleteObject": lambda place, user, _: place.s3(user).delete_object(Bucket="kept", Key="old"),
    "DeleteObjects": lambda place, user, _: place.s3(user).delete_objects(
        Bucket="kept", Delete={"Objects": [{"Key": "old"}]}
    ),
    "PutBucketPolicy": lambda place, user, _: place.s3(user).put_bucket_policy(
        Bucket="kept", Policy=_policy(_naming(_ROOT, "s3:*", resource="arn:aws:s3:::kept/*"))
    ),
    "CreateMultipartUpload": lambda place, user, _: place.s3(user).create_multipart_upload(Bucket="kept", Key="late"),
}


@pytest.fixture(scope="module")
def kept(place: Place) -> str:
    """Give a bucket with one object, and a key that names the account; return the key's id."""
    place.s3().create_bucket(Bucket="kept")
    place.s3().put_object(Bucket="kept", Key="old", Body=_LARGE)
    key_id: str = place.kms().create_key()["KeyMetadata"]["KeyId"]
    return key_id


@pytest.mark.parametrize("operation", _BY_USER)
def test_user_policy_that_was_replaced(place: Place, kept: str, operation: str) -> None:
    """Who has lost the right in its own policy makes no key, grant, bucket or object by it, and removes none."""
    user = place.add_user(allow("kms:*", "s3:*"))
    late = _late(
        place, lambda: place.set_policy(user, _NOTHING), lambda: _BY_USER[operation](place, user, kept)
    )  # fmt: skip
    assert _code(late) in {"AccessDenied", "AccessDeniedException"}
    assert "because no identity-based policy allows" in str(late.exception())
    assert [found["Key"] for found in place.s3().list_objects_v2(Bucket="kept")["Contents"]] == ["old"]
    assert "late-bucket" not in [bucket["Name"] for bucket in place.s3().list_buckets()["Buckets"]]
    assert not place.kms().list_grants(KeyId=kept)["Grants"]
    assert "Uploads" not in place.s3().list_multipart_uploads(Bucket="kept")
    assert len(place.blobs()) == 1


@pytest.mark.parametrize("operation", ["CreateGrant", "CreateKey", "PutObject", "DeleteObject"])
def test_access_key_that_was_switched_off(place: Place, kept: str, operation: str) -> None:
    """An access key that has been switched off signs no change any more, although its signature was good."""
    user = place.add_user(allow("kms:*", "s3:*"))
    change = place.services.store.change
    off = access_keys.set_access_key_active
    late = _late(
        place,
        lambda: place.run(wait(change(off, user.access_key_id, False))),
        lambda: _BY_USER[operation](place, user, kept),
    )
    assert _code(late) in {"UnrecognizedClientException", "InvalidAccessKeyId"}
    assert [found["Key"] for found in place.s3().list_objects_v2(Bucket="kept")["Contents"]] == ["old"]
    assert not place.kms().list_grants(KeyId=kept)["Grants"]


def test_grant_that_was_revoked(place: Place) -> None:
    """A grant that has ended makes no other grant any more."""
    root, user = place.kms(), place.add_user(_NOTHING)
    key_id = root.create_key()["KeyMetadata"]["KeyId"]
    grant_id = give(root, key_id, f"arn:aws:iam::{ACCOUNT}:user/{user.name}", "CreateGrant", "Decrypt")
    late = _late(
        place,
        lambda: root.revoke_grant(KeyId=key_id, GrantId=grant_id),
        lambda: _OF_KEYS["CreateGrant"](place.kms(user), key_id),
    )
    assert _code(late) == "AccessDeniedException"
    assert not root.list_grants(KeyId=key_id)["Grants"]


def test_bucket_policy_that_was_replaced(place: Place) -> None:
    """Whom the bucket policy does not name any more puts no object that it was allowed to put before."""
    bucket, user = place.bucket("late"), place.add_user(_NOTHING)
    arn = f"arn:aws:iam::{ACCOUNT}:user/{user.name}"
    named = _policy(_naming(arn, "s3:PutObject", resource=f"arn:aws:s3:::{bucket}/*"))
    place.s3().put_bucket_policy(Bucket=bucket, Policy=named)
    late = _late(
        place,
        lambda: place.s3().delete_bucket_policy(Bucket=bucket),
        lambda: place.s3(user).put_object(Bucket=bucket, Key="late", Body=_LARGE),
    )
    assert _code(late) == "AccessDenied"
    assert place.s3().list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_tag_that_was_taken_away(place: Place) -> None:
    """A right that a key's tag gave is gone with the tag, also for a change that waits."""
    root, user = place.kms(), place.add_user(_NOTHING)
    tagged = {"StringEquals": {"aws:ResourceTag/open": "yes"}}
    arn = f"arn:aws:iam::{ACCOUNT}:user/{user.name}"
    policy = _policy(_naming(_ROOT, "kms:*"), {**_naming(arn, "kms:CreateGrant"), "Condition": tagged})
    tags = [{"TagKey": "open", "TagValue": "yes"}]
    key_id = root.create_key(Policy=policy, Tags=tags)["KeyMetadata"]["KeyId"]
    late = _late(
        place,
        lambda: root.untag_resource(KeyId=key_id, TagKeys=["open"]),
        lambda: _OF_KEYS["CreateGrant"](place.kms(user), key_id),
    )
    assert _code(late) == "AccessDeniedException"


def test_who_has_lost_nothing_is_not_disturbed(place: Place) -> None:
    """A change by somebody else's rights goes through, asked for twice; its record shows both answers."""
    root, user, other = place.kms(), place.add_user(allow("kms:CreateKey")), place.add_user(allow("kms:*"))
    late = _late(place, lambda: place.set_policy(other, _NOTHING), lambda: place.kms(user).create_key())
    made = late.result()
    assert root.describe_key(KeyId=made["KeyMetadata"]["KeyId"])["KeyMetadata"]["Enabled"]
    records = place.record(made["ResponseMetadata"]["RequestId"])
    assert [each["allowed"] for each in records[-1].draft["decisions"]] == [True, True]


def test_changes_that_take_nothing_disturb_nobody(place: Place) -> None:
    """A new key or grant takes no right from anybody, so that changes beside it are asked for once."""
    root, user = place.kms(), place.add_user(allow("kms:CreateKey"))
    late = _late(place, root.create_key, lambda: place.kms(user).create_key())
    records = place.record(late.result()["ResponseMetadata"]["RequestId"])
    assert len(records[-1].draft["decisions"]) == 1


def test_rights_that_never_rest(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change whose rights move each time is given up, as an error after which clients try again."""
    tries: list[int] = []

    async def moved(*_: object) -> None:
        tries.append(1)
        raise RightsMoved

    monkeypatch.setattr(place.services.store, "commit", moved)
    monkeypatch.setattr(commit, "PATIENCE", 0.2)
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        place.kms().create_key()
    assert len(tries) >= 2


def test_change_that_nobody_was_asked_for(place: Place) -> None:
    """A mistake in an operation, a change before any right is asked for, ends in an error and not in a change."""
    call = Call(place.services, "request", "kms", "Mistake", ANONYMOUS, "", REGION, 0.0)
    with pytest.raises(RuntimeError, match="asked for no right"):
        place.run(call.commit(lambda _: None))
