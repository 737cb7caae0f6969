"""A crash at each named point: between the durable steps of CreateKey, PutKeyPolicy and PutObject."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.crash import soundness
from tests.support.processes import alive, wait_until
from tests.support.server import REPOSITORY, Server

pytestmark = pytest.mark.real
BUCKET = "crash"
OLD, NEW = b"old content " * 20_000, b"new content " * 30_000

# point -> whether what the operation did is there afterwards (it was not acknowledged, so both would be right in
# principle; but it must be exactly this, or the point does not stand where its name says).
CREATE_KEY = {"create_key.after_material": False, "create_key.after_store": True}
PUT_KEY_POLICY = {"put_key_policy.before_store": False, "put_key_policy.after_store": True}
PUT_OBJECT = {"put_object.after_data_key": False, "put_object.after_blob": False, "put_object.after_index": True}


class Scene:
    """A server with a key and an object, which is made to crash and then looked at."""

    def __init__(self, folder: Path) -> None:
        self.server = Server(folder, workers=1)
        self.server.start()
        kms, s3 = self.server.client("kms"), self.server.client("s3")
        self.key_id: str = kms.create_key(Policy=soundness.policy("Old"))["KeyMetadata"]["KeyId"]
        s3.create_bucket(Bucket=BUCKET)
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key_id}
        rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
        s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=rules)
        s3.put_object(Bucket=BUCKET, Key="thing", Body=OLD)
        self.server.stop()

    def crash(self, point: str, act: Callable[[Server], object]) -> None:
        """Start the server armed at `point`, act, see the act fail, and kill what is left of the server."""
        self.server.start({"FUIN_CRASH_POINT": point})
        [worker] = self.server.workers()
        with pytest.raises((BotoCoreError, ClientError)) as failure:
            act(self.server)
        wait_until(lambda: not alive(worker), 5, f"{point} ends the worker, which failed by {failure.value!r}")
        self.server.kill()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Give a scene of this test's own."""
    made = Scene(tmp_path)
    yield made
    made.server.kill()


@pytest.mark.parametrize(("point", "there"), CREATE_KEY.items())
def test_create_key_is_whole_or_absent(scene: Scene, point: str, there: bool) -> None:
    """A key that was being made is absent, or complete and usable."""
    scene.crash(point, lambda server: server.client("kms", retry=False).create_key(Description="new"))
    server = scene.server.start()
    keys = [key["KeyId"] for key in server.client("kms").list_keys()["Keys"]]
    assert len(keys) == (2 if there else 1)
    soundness.assert_sound(server, BUCKET)
    soundness.assert_no_orphans(server)
    server.stop()


@pytest.mark.parametrize(("point", "there"), PUT_KEY_POLICY.items())
def test_key_policy_is_old_or_new(scene: Scene, point: str, there: bool) -> None:
    """A policy that was being replaced is wholly the old one or wholly the new one."""
    new, old = soundness.policy("New"), soundness.policy("Old")

    def act(server: Server) -> None:
        server.client("kms", retry=False).put_key_policy(KeyId=scene.key_id, Policy=new)

    scene.crash(point, act)
    server = scene.server.start()
    assert server.client("kms").get_key_policy(KeyId=scene.key_id)["Policy"] == (new if there else old)
    soundness.assert_sound(server, BUCKET)
    soundness.assert_no_orphans(server)
    server.stop()


@pytest.mark.parametrize(("point", "there"), PUT_OBJECT.items())
def test_object_is_old_or_new(scene: Scene, point: str, there: bool) -> None:
    """An object that was being replaced is wholly the old one or wholly the new one, and no file is left over."""

    def act(server: Server) -> None:
        server.client("s3", retry=False).put_object(Bucket=BUCKET, Key="thing", Body=NEW)

    scene.crash(point, act)
    server = scene.server.start()
    assert soundness.read(server.client("s3"), BUCKET, "thing") == (NEW if there else OLD)
    soundness.assert_sound(server, BUCKET)
    soundness.assert_no_orphans(server)
    assert len(soundness.stored_blobs(server)) == 1
    server.stop()


def test_points_exist_in_the_source() -> None:
    """Every point of these tests stands in the source, and every point of the source for these operations is tested."""
    text = "\n".join(path.read_text() for path in (REPOSITORY / "src" / "fuin").rglob("*.py"))
    found = set(re.findall(r"crash\.point\(\"((?:create_key|put_key_policy|put_object)\.[a-z_]+)\"\)", text))
    assert found == set(CREATE_KEY) | set(PUT_KEY_POLICY) | set(PUT_OBJECT)
