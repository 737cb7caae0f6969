"""The copier of a node's log as a process, with a real keyholder and a bucket: outages, ends, and what is lost."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fuin.audit.copies import CopiedLog, copies_of
from fuin.audit.reader import entries
from fuin.audit.segments import segments
from fuin.audit.verify import verify
from fuin.blobs.configuration import configured_copies
from fuin.errors import KeyholderFailed
from fuin.keyholder.offline import audit_checker
from fuin.keyholder.wire.client import Keyholder
from fuin.server.config import KeeperConfig, encode
from fuin.settings import Settings
from tests.keyholder.process import Holder, draft, play
from tests.support import fake_s3
from tests.support.fake_s3 import FakeS3
from tests.support.processes import wait_until

NODE = "a"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}


class Node:
    """A keyholder whose log is copied, and its copier."""

    def __init__(self, folder: Path, fake: FakeS3, *, waits: bool, limit: float = 60.0) -> None:
        self.settings = Settings(data=folder, node=NODE, blobs_url="s3://bucket/p", blobs_endpoint=fake.url)
        self.holder = Holder(folder, copy_limit=limit, waits_for_copies=waits)
        self.settings.run.mkdir()
        self.settings.keyholder_socket.symlink_to(self.holder.path)
        self.copier: subprocess.Popen[bytes] | None = None
        self.errors = folder / "copier.log"

    def start_copier(self) -> None:
        """Start the copier, and wait until it says ready."""
        read_end, write_end = os.pipe()
        config = KeeperConfig(self.settings, write_end, os.getpid())
        with self.errors.open("ab") as errors:
            self.copier = subprocess.Popen(
                [sys.executable, "-m", "fuin.server.log_copier"],
                stdin=subprocess.PIPE, pass_fds=[write_end], env={**os.environ, **CREDENTIALS}, stderr=errors,
            )  # fmt: skip
        assert self.copier.stdin is not None
        with self.copier.stdin as configuration:
            configuration.write(encode(config))
        os.close(write_end)
        self.signs = read_end
        assert os.read(read_end, 6) == b"ready\n"

    def end_copier(self, number: signal.Signals) -> int:
        """End the copier by a signal; return its status."""
        assert self.copier is not None
        self.copier.send_signal(number)
        status = self.copier.wait(60)
        self.copier = None
        os.close(self.signs)
        return status

    def record(self, count: int, *, name: int = 0) -> list[float]:
        """Have requests recorded, one after the other; return the seconds that each answer took."""

        async def story(keyholder: Keyholder) -> list[float]:
            times = []
            for number in range(count):
                began = time.monotonic()
                await keyholder.record(draft(name + number))
                times.append(time.monotonic() - began)
            return times

        return play(self.holder, story)

    def head(self) -> int:
        """Return the number of the log's last record."""
        return play(self.holder, lambda keyholder: keyholder.status()).sequence

    def is_taking(self) -> bool:
        """Return whether keys may be used."""
        return play(self.holder, lambda keyholder: keyholder.status()).taking

    def copied(self, folder: Path) -> CopiedLog:
        """Return the log that the bucket has."""
        folder.mkdir(exist_ok=True)
        return CopiedLog(configured_copies(self.settings), NODE, folder)

    def copied_requests(self, folder: Path) -> set[str]:
        """Return the requests whose records the bucket has; all of its copies must verify."""
        log = self.copied(folder)
        if not log.segments():
            return set()
        verify(log, audit_checker(self.settings.audit))
        return {str(entry.draft.get("request")) for entry in entries(log)}


@contextmanager
def running(folder: Path, fake: FakeS3, *, waits: bool, limit: float = 60.0) -> Iterator[Node]:
    """Yield a node with its copier."""
    node = Node(folder, fake, waits=waits, limit=limit)
    with node.holder:
        node.start_copier()
        try:
            yield node
        finally:
            if node.copier is not None:
                node.end_copier(signal.SIGKILL)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    """Give a bucket, and let this process read it as well."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with fake_s3.running() as server:
        yield server


def names(count: int, first: int = 0) -> set[str]:
    """Return the requests of so many records."""
    return {f"r-{number}" for number in range(first, first + count)}


def test_killed_node_has_copies_of_all_that_was_acknowledged(tmp_path: Path, bucket: FakeS3) -> None:
    """With `--audit cluster`, whatever is killed when: each answered record is in the second place."""
    with running(tmp_path / "a", bucket, waits=True) as node:
        node.record(60)
        node.holder.end(signal.SIGKILL)
        node.end_copier(signal.SIGKILL)
        assert names(60) <= node.copied_requests(tmp_path / "t")


def test_tail_is_copied_each_second(tmp_path: Path, bucket: FakeS3) -> None:
    """Without it, a killed node lacks about the last second at most."""
    with running(tmp_path / "a", bucket, waits=False) as node:
        node.record(20)
        wait_until(lambda: names(20) <= node.copied_requests(tmp_path / "t"), 30, "the tail is copied")
        pieces = sum(".part/" in name for name in bucket.objects)
        node.record(40, name=20)
        node.holder.end(signal.SIGKILL)
        node.end_copier(signal.SIGKILL)
        assert sum(".part/" in name for name in bucket.objects) - pieces <= 8, "each record was copied alone"


def test_orderly_end_copies_the_rest(tmp_path: Path, bucket: FakeS3) -> None:
    """A server that ends leaves no record without a copy."""
    with running(tmp_path / "a", bucket, waits=False) as node:
        node.record(5)
        wait_until(lambda: names(5) <= node.copied_requests(tmp_path / "t"), 30, "the tail is copied")
        node.record(5, name=5)
        assert node.end_copier(signal.SIGTERM) == 0
        assert names(10) <= node.copied_requests(tmp_path / "t")


@pytest.mark.parametrize("how", [fake_s3.busy, fake_s3.cut])
def test_outage_stops_keys_and_ends(tmp_path: Path, bucket: FakeS3, how: object) -> None:
    """A place that is away stops key use after the limit, and nobody has to do anything when it is back."""
    with running(tmp_path / "a", bucket, waits=False, limit=5.0) as node:
        node.record(1)
        wait_until(lambda: names(1) <= node.copied_requests(tmp_path / "t"), 30, "the tail is copied")
        bucket.fail(lambda request: request.command == "PUT", how, times=1_000_000)  # type: ignore[arg-type]
        node.record(3, name=1)
        wait_until(lambda: not node.is_taking(), 30, "key use stops")
        with pytest.raises(KeyholderFailed, match="cannot be copied to its second place"):
            node.record(1, name=100)
        bucket.before = lambda _: False
        wait_until(node.is_taking, 30, "key use goes on")
        node.record(1, name=4)
        wait_until(lambda: names(5) <= node.copied_requests(tmp_path / "t"), 30, "all is copied")
        assert "cannot be copied" in node.errors.read_text()
        assert "is copied again" in node.errors.read_text()
        assert "r-100" not in node.copied_requests(tmp_path / "t")


def test_slow_place_slows_answers_only(tmp_path: Path, bucket: FakeS3) -> None:
    """With `--audit cluster` many answers wait for one slow copy together, and none is lost."""

    def slow(request: object) -> bool:
        if request.command == "PUT":  # type: ignore[attr-defined]
            time.sleep(0.3)
        return False

    with running(tmp_path / "a", bucket, waits=True) as node:
        node.record(1)
        bucket.before = slow

        async def story(keyholder: Keyholder) -> float:
            began = time.monotonic()
            await asyncio.gather(*(keyholder.record(draft(10 + number)) for number in range(60)))
            return time.monotonic() - began

        took = play(node.holder, story)
        assert 0.3 <= took < 60 * 0.3 / 2, "each record had a copy of its own"
        assert names(60, 10) <= node.copied_requests(tmp_path / "t")


def test_new_copier_goes_on(tmp_path: Path, bucket: FakeS3) -> None:
    """A copier that was killed is replaced, a keyholder too, and what was written meanwhile is copied."""
    with running(tmp_path / "a", bucket, waits=False) as node:
        node.record(5)
        node.end_copier(signal.SIGKILL)
        node.record(5, name=5)
        node.holder.end(signal.SIGKILL)
        node.holder.start()
        node.record(5, name=10)
        node.start_copier()
        wait_until(lambda: names(15) <= node.copied_requests(tmp_path / "t"), 30, "all is copied")
        assert verify(node.copied(tmp_path / "t"), audit_checker(node.settings.audit)).sequence == node.head()


def test_older_log_stops_keys(tmp_path: Path, bucket: FakeS3) -> None:
    """A log that lacks records of its copies is not used, and its copies stay as they are."""
    with running(tmp_path / "a", bucket, waits=False) as node:
        (segment,) = segments(node.settings.audit)
        old = segment.path.read_bytes()
        node.record(5)
        assert node.end_copier(signal.SIGTERM) == 0
        before = dict(bucket.objects)
        node.holder.end(signal.SIGKILL)
        segment.path.write_bytes(old)
        node.holder.start()
        node.start_copier()
        wait_until(lambda: not node.is_taking(), 30, "key use stops")
        with pytest.raises(KeyholderFailed):
            node.record(1)
        assert bucket.objects == before
        assert "an older log was put back" in node.errors.read_text()
        assert copies_of(configured_copies(node.settings), NODE).firsts == [1]


def test_nodes_of_one_root_key_have_one_public_key(tmp_path: Path) -> None:
    """So one public key verifies the logs of all nodes."""
    with Holder(tmp_path / "a") as first:
        one = play(first, lambda keyholder: keyholder.status()).public_key
    second = Holder(tmp_path / "b")
    second.root_key.write_bytes(first.root_key.read_bytes())
    second.root_key.chmod(0o600)
    with second:
        assert play(second, lambda keyholder: keyholder.status()).public_key == one
