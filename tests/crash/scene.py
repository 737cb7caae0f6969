"""A server with a key and an object, and a crash at a named point of whatever is done to it."""

import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
from botocore.exceptions import BotoCoreError, ClientError

from tests.crash import soundness
from tests.support.processes import is_alive, wait_until
from tests.support.server import Server

BUCKET = "crash"
OLD, NEW = b"old content " * 20_000, b"new content " * 30_000
TARGETS = ("worker", "keyholder", "server")
Act = Callable[[Server], object]


class Prepared:
    """The data folder that every scene starts from, made once."""

    def __init__(self, folder: Path) -> None:
        server = Server(folder, workers=1)
        try:
            server.start()
            self.key_id = _furnish(server)
            server.stop()
        finally:
            server.kill()
        self.data, self.root = server.data, server.root


def _furnish(server: Server) -> str:
    """Make a key and, under it, a bucket with an object; returns the key's id."""
    kms, s3 = server.client("kms"), server.client("s3")
    key_id: str = kms.create_key(Policy=soundness.policy("Old"))["KeyMetadata"]["KeyId"]
    s3.create_bucket(Bucket=BUCKET)
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_id}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=rules)
    s3.put_object(Bucket=BUCKET, Key="thing", Body=OLD)
    return key_id


class Scene:
    """A server on a copy of the prepared data; `acknowledged` says whether the act was answered with success."""

    def __init__(self, folder: Path, prepared: Prepared) -> None:
        self.server = Server(folder, workers=1)
        self.server.root = prepared.root
        self.key_id = prepared.key_id
        self.acknowledged = False
        self.target = ""
        shutil.copytree(prepared.data, self.server.data, ignore=shutil.ignore_patterns("run"))

    def crash(self, point: str, target: str, act: Act) -> Server:
        """Let `act` reach `point`, kill the target there and then the rest, and return the server started again."""
        self.target = target
        variable = "FUIN_CRASH_POINT" if target == "worker" else "FUIN_PAUSE_POINT"
        self.server.start({variable: point})
        [worker] = self.server.workers()
        acting = threading.Thread(target=self._act, args=(act,))
        acting.start()
        try:
            if target == "worker":
                wait_until(lambda: not is_alive(worker), 60, f"{point} ends the worker")
            else:
                wait_until(lambda: worker.status() == psutil.STATUS_STOPPED, 60, f"{point} holds the worker")
                self._kill(target, worker)
        finally:
            if target == "server":
                self.server.kill()
            acting.join(60)
            self.server.kill()
        assert not acting.is_alive()
        return self.server.start()

    def _kill(self, target: str, worker: psutil.Process) -> None:
        if target == "keyholder":
            gone = self.server.keyholder()
            gone.kill()
            wait_until(lambda: not is_alive(gone), 60, "the keyholder ends")
            worker.send_signal(signal.SIGCONT)

    def _act(self, act: Act) -> None:
        try:
            act(self.server)
            self.acknowledged = True
        except (BotoCoreError, ClientError):
            self.acknowledged = False

    def check(self, *, there: bool, expected: bool) -> None:
        """Assert that what the act did is there exactly if it must be, that all else is sound, and stop.

        `expected` is what the point alone decides. Where the keyholder was killed, the worker lived on and may have
        finished: then the acknowledgement decides.
        """
        if self.target == "keyholder":
            assert there or not (expected or self.acknowledged), "acknowledged or stored, and lost"
        else:
            assert not self.acknowledged, "the act was to be ended by the crash"
            assert there == expected, "the point does not stand where its name says"
        soundness.assert_sound(self.server, BUCKET)
        soundness.assert_no_orphans(self.server)
        self.server.stop()
