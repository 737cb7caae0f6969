"""A crash at each named point, between the durable steps of CreateKey, PutKeyPolicy, PutObject and a re-wrap.

At each point the worker, the keyholder or the whole server is killed; then the server starts again.
"""

import json
import re

import pytest

from tests.crash import soundness
from tests.crash.scene import BUCKET, NEW, OLD, TARGETS, Scene
from tests.support.server import REPOSITORY, Server

pytestmark = pytest.mark.real

# point -> whether what the operation did is there when all ends at that point.
CREATE_KEY = {"create_key.after_material": False, "create_key.after_store": True}
PUT_KEY_POLICY = {"put_key_policy.before_store": False, "put_key_policy.after_store": True}
PUT_OBJECT = {"put_object.after_data_key": False, "put_object.after_blob": False, "put_object.after_index": True}

REWRAP = {"update_object_encryption.after_keys": False, "update_object_encryption.after_index": True}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("point", "expected"), CREATE_KEY.items())
def test_create_key_is_whole_or_absent(scene: Scene, point: str, expected: bool, target: str) -> None:
    """A key that was being made is absent, or complete and usable."""
    server = scene.crash(point, target, lambda server: server.client("kms", retry=False).create_key(Description="new"))
    keys = [key["KeyId"] for key in server.client("kms").list_keys()["Keys"]]
    assert len(keys) in (1, 2)
    scene.check(there=len(keys) == 2, expected=expected)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("point", "expected"), PUT_KEY_POLICY.items())
def test_key_policy_is_old_or_new(scene: Scene, point: str, expected: bool, target: str) -> None:
    """A policy that was being replaced is wholly the old one or wholly the new one."""
    new, old = soundness.policy("New"), soundness.policy("Old")

    def act(server: Server) -> None:
        server.client("kms", retry=False).put_key_policy(KeyId=scene.key_id, Policy=new)

    server = scene.crash(point, target, act)
    seen = server.client("kms").get_key_policy(KeyId=scene.key_id)["Policy"]
    assert seen in (old, new)
    scene.check(there=seen == new, expected=expected)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("point", "expected"), PUT_OBJECT.items())
def test_object_is_old_or_new(scene: Scene, point: str, expected: bool, target: str) -> None:
    """An object that was being replaced is wholly the old one or wholly the new one, and no file is left over."""

    def act(server: Server) -> None:
        server.client("s3", retry=False).put_object(Bucket=BUCKET, Key="thing", Body=NEW)

    server = scene.crash(point, target, act)
    seen = soundness.read(server.client("s3"), BUCKET, "thing")
    assert seen in (OLD, NEW)
    scene.check(there=seen == NEW, expected=expected)
    assert len(soundness.stored_blobs(server)) == 1


@pytest.mark.parametrize("point", ["put_object.after_blob", "put_object.after_index"])
def test_small_object_is_old_or_new(scene: Scene, point: str) -> None:
    """A small object that takes the place of a blob is there wholly or not at all, and the blob goes with the row."""

    def act(server: Server) -> None:
        server.client("s3", retry=False).put_object(Bucket=BUCKET, Key="thing", Body=b"small")

    server = scene.crash(point, "server", act)
    seen = soundness.read(server.client("s3"), BUCKET, "thing")
    assert seen in (OLD, b"small")
    scene.check(there=seen == b"small", expected=PUT_OBJECT[point])
    assert len(soundness.stored_blobs(server)) == (seen == OLD)


@pytest.mark.parametrize(("point", "target"), tuple(zip(REWRAP, ("worker", "server"), strict=True)))
def test_rewrap_is_old_or_new(scene: Scene, point: str, target: str) -> None:
    """The object is under the old key or the new one, by what it says, by the ledger and by what opens it."""
    made: list[str] = []

    def act(server: Server) -> None:
        made.append(server.client("kms").create_key(Policy=soundness.policy("Old"))["KeyMetadata"]["Arn"])
        chosen = {"SSEKMS": {"KMSKeyArn": made[0]}}
        s3 = server.client("s3", retry=False)
        s3.update_object_encryption(Bucket=BUCKET, Key="thing", ObjectEncryption=chosen)

    server = scene.crash(point, target, act)
    s3, kms = server.client("s3"), server.client("kms")
    is_new = s3.head_object(Bucket=BUCKET, Key="thing")["SSEKMSKeyId"] == made[0]
    left = json.loads(server.fuin("key", "dependents", made[0], "--data", str(server.data), "--json").stdout)
    assert left["objects"]["number"] == int(is_new)
    kms.disable_key(KeyId=scene.key_id if is_new else made[0])
    assert soundness.read(s3, BUCKET, "thing") == OLD
    kms.enable_key(KeyId=scene.key_id if is_new else made[0])
    server.fuin("ledger", "check", "--data", str(server.data))
    scene.check(there=is_new, expected=REWRAP[point])


def test_points_exist_in_the_source() -> None:
    """Every point of these tests stands in the source, and every point of the source for these operations is tested."""
    text = "\n".join(path.read_text() for path in (REPOSITORY / "src" / "fuin").rglob("*.py"))
    found = set(
        re.findall(
            r"crash\.point\(\"((?:create_key|put_key_policy|put_object|update_object_encryption)\.[a-z_]+)\"\)", text
        )
    )
    assert found == set(CREATE_KEY) | set(PUT_KEY_POLICY) | set(PUT_OBJECT) | set(REWRAP)
