"""Lifecycle rules on a real server: a wrong clock ends nothing, a person's word does, and a crash loses nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from tests.conftest import ServerFactory
from tests.crash import soundness
from tests.server.test_wrong_clock import in_python, operations
from tests.support.processes import wait_until
from tests.support.server import REPOSITORY, Server

pytestmark = pytest.mark.real
BUCKET = "expired"
EXPIRE = "s3:ExpireObjects"
DAYS = 365


def furnish(server: Server) -> None:
    """Make a bucket with an object that a date has ended, and one that ends after thirty days."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    rules = [
        {"ID": "month", "Filter": {"Prefix": "month"}, "Status": "Enabled", "Expiration": {"Days": 30}},
        {
            "ID": "past", "Filter": {"Prefix": "past"}, "Status": "Enabled",
            "Expiration": {"Date": datetime(2020, 1, 1, tzinfo=UTC)},
        },
    ]  # fmt: skip
    for key in ("month", "past"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=bytes(20_000))
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})


def is_held(server: Server) -> bool:
    """Return whether a worker has stopped at a point."""
    return any(worker.status() == psutil.STATUS_STOPPED for worker in server.workers())


def test_the_time_comes_by_both_clocks_and_a_crash_loses_nothing(new_server: ServerFactory) -> None:
    """What a date has ended goes although the clock is a year ahead; what the days would end waits for a person.

    The worker is killed after the commit, and the whole server between record and commit. The log holds, and files and
    index name the same blobs.
    """
    server = new_server(workers=1).start()
    furnish(server)
    server.stop()
    turn = in_python(server)

    wrong = turn(DAYS)
    server.start({**wrong, "FUIN_CRASH_POINT": "lifecycle.after_commit"})
    wait_until(lambda: len(soundness.named_blobs(server)) == 1, 60, "the object of the past is gone")
    wait_until(lambda: soundness.stored_blobs(server) == soundness.named_blobs(server), 60, "the next worker sweeps")
    server.stop()
    said = operations(server)
    assert said.count("fuin:HoldClock") == 1
    assert said.count(EXPIRE) == 2, "named, announced, and killed before it was concluded"

    confirmed = server.fuin("clock", "confirm", "--yes", "--data", str(server.data), **wrong).stdout
    assert f"whose lifecycle rules rest; what they end by the wall clock is not counted here:\n  {BUCKET}" in confirmed
    server.start({**wrong, "FUIN_PAUSE_POINT": "lifecycle.before_commit"})
    wait_until(lambda: is_held(server), 60, "the walk is held")
    assert len(soundness.named_blobs(server)) == 1
    server.kill()
    assert operations(server).count(EXPIRE) == 4

    server.start(turn(DAYS))
    wait_until(lambda: operations(server).count(EXPIRE) == 7, 60, "the object of the month is gone, on the record")
    wait_until(lambda: not soundness.stored_blobs(server), 60, "its blob is gone")
    assert soundness.named_blobs(server) == set()
    server.stop()
    soundness.assert_audit_holds(server)


def test_points_are_tested() -> None:
    """Every point of the work is in this test, or in the one of each point in one process."""
    text = Path(__file__).read_text() + (REPOSITORY / "tests" / "s3" / "test_lifecycle_work.py").read_text()
    source = (REPOSITORY / "src" / "fuin" / "s3" / "lifecycle" / "work.py").read_text()
    found = re.findall(r"crash\.point\(\"lifecycle\.([a-z_]+)\"\)", source)
    assert len(found) == 3
    assert all(point in text for point in found)
