"""The database's disk is full: re-wrap and lifecycle rules change nothing, and go on when there is room again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import ServerFactory
from tests.crash import soundness
from tests.server.test_wrong_clock import operations
from tests.support.failing_disk import FailingDisk
from tests.support.processes import wait_until
from tests.support.server import Server

pytestmark = pytest.mark.real
BUCKET = "full"
KEYS = ("a", "b", "c")
BODY = bytes(range(256)) * 80  # more than a row holds


@pytest.fixture
def disk(tmp_path: Path) -> FailingDisk:
    """Give a disk that can be made to fail."""
    return FailingDisk(tmp_path / "disk")


def furnish(server: Server) -> str:
    """Make a bucket with some objects under a new key; returns its ARN."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    arn: str = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    for key in KEYS:
        s3.put_object(Bucket=BUCKET, Key=key, Body=BODY, ServerSideEncryption="aws:kms", SSEKMSKeyId=arn)
    return arn


def assert_whole(server: Server) -> None:
    """Fail unless each object is there, and index and files name the same blobs."""
    s3 = server.client("s3")
    assert [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == BODY for key in KEYS] == [True] * len(KEYS)
    assert soundness.stored_blobs(server) == soundness.named_blobs(server)


def test_rewrap_on_a_full_disk(new_server: ServerFactory, disk: FailingDisk) -> None:
    """Each object is refused and stays under its key; the next run brings all of them to the other one."""
    server = new_server(workers=1).start(disk.variables)
    arn = furnish(server)
    other = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    words = ("rewrap", f"s3://{BUCKET}", "--to", other, "--data", str(server.data), "--endpoint-url", server.url)
    variables: dict[str, Any] = server.client_environment()
    disk.fail("full")
    refused = server.fuin(*words, check=False, **variables)
    assert refused.returncode == 1
    assert "re-wrapped: 0 (0 bytes" in refused.stdout
    assert f"refused: {len(KEYS)}; changed meanwhile: 0" in refused.stdout
    disk.fail()
    assert_whole(server)
    done = server.fuin(*words, **variables)
    assert f"re-wrapped: {len(KEYS)} (" in done.stdout
    server.client("kms").disable_key(KeyId=arn)
    assert_whole(server)
    server.stop()
    soundness.assert_audit_holds(server)


def held_worker(server: Server) -> psutil.Process:
    """Wait for a worker that has stopped at a point, and return it."""

    def stopped() -> list[psutil.Process]:
        return [worker for worker in server.workers() if worker.status() == psutil.STATUS_STOPPED]

    wait_until(lambda: bool(stopped()), 60, "a worker is held")
    return stopped()[0]


def test_lifecycle_rules_on_a_full_disk(new_server: ServerFactory, disk: FailingDisk) -> None:
    """Nothing goes while the deletion cannot be written down, and no blob before its row; then the walk goes on."""
    server = new_server(workers=1).start()
    furnish(server)
    rule = {
        "ID": "past", "Filter": {"Prefix": "a"}, "Status": "Enabled",
        "Expiration": {"Date": datetime(2020, 1, 1, tzinfo=UTC)},
    }  # fmt: skip
    server.client("s3").put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})
    server.stop()
    server.start({**disk.variables, "FUIN_PAUSE_POINT": "lifecycle.before_commit"})
    worker = held_worker(server)
    disk.fail("full")
    worker.resume()
    worker = held_worker(server)
    assert operations(server).count("s3:ExpireObjects") == 4, "named and announced once more, by the next try"
    assert len(soundness.named_blobs(server)) == len(KEYS)
    assert soundness.stored_blobs(server) == soundness.named_blobs(server)
    disk.fail()
    worker.resume()
    wait_until(lambda: len(soundness.named_blobs(server)) == len(KEYS) - 1, 60, "the object of the past is gone")
    wait_until(lambda: soundness.stored_blobs(server) == soundness.named_blobs(server), 60, "its blob is gone")
    server.stop()
    soundness.assert_audit_holds(server)
