"""A log disk that fails, hangs or is away: the server stays up, refuses, and comes back by itself."""

import http.client
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.failing_disk import FailingDisk
from tests.support.processes import command, descendants, wait_until
from tests.support.server import Server

LONG = os.environ.get("FUIN_LONG") == "1"

pytestmark = pytest.mark.real


@pytest.fixture
def disk(tmp_path: Path) -> FailingDisk:
    """Give a disk that can be made to fail."""
    return FailingDisk(tmp_path / "disk")


def health(server: Server, path: str = "/health") -> tuple[int, Any]:
    """Return the status and the document of a health path."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    document = json.loads(answer.read())
    connection.close()
    return answer.status, document


def keyholders(server: Server) -> set[int]:
    """Return the process ids of the keyholders that run."""
    return {child.pid for child in descendants(server.pid) if "fuin.keyholder" in command(child)}


def status_of(call: Callable[[], object]) -> int:
    """Return the status of a request that must be refused."""
    with pytest.raises(ClientError) as caught:
        call()
    return int(caught.value.response["ResponseMetadata"]["HTTPStatusCode"])


@pytest.mark.parametrize("faults", [("sync",), ("write", "sync")][: 2 if LONG else 1], ids=lambda faults: faults[0])
def test_failing_log_disk(new_server: Callable[..., Server], disk: FailingDisk, faults: tuple[str, ...]) -> None:
    """While the disk fails every use of a key is a 5xx, also with a keyholder that starts then; later all goes on.

    Nothing that was acknowledged is lost, nothing was ended for good, and health says what is wrong.
    """
    server = new_server("eio", workers=1).start(disk.variables)
    kms = server.client("kms", retry=False)
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    made = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    disk.fail(*faults)
    assert status_of(lambda: kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")) >= 500
    wait_until(lambda: health(server)[0] == 503, 60, "health says so")
    assert health(server) == (503, {"status": "not ready", "audit log": "takes no records"})
    before = server.keyholder()
    before.kill()
    wait_until(lambda: "the keyholder is gone" in server.errors.read_text(), 60, "its end is noticed")
    wait_until(lambda: keyholders(server) not in (set(), {before.pid}), 60, "its successor starts")
    wait_until(lambda: health(server)[1].get("audit log") == "takes no records", 60, "its successor answers")
    assert status_of(lambda: kms.decrypt(CiphertextBlob=made["CiphertextBlob"])) >= 500
    assert health(server, "/health/live") == (200, {"status": "ok"})
    disk.fail()
    wait_until(lambda: health(server) == (200, {"status": "ok"}), 60, "it goes on without being asked")
    assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
    server.stop()
    assert server.errors.read_text().count("the audit log cannot be written: Input/output error") >= 2  # by each
    assert "the audit log takes records again" in server.errors.read_text()
    server.verify_audit()


@pytest.mark.skipif(not LONG, reason="takes fifteen seconds: only in the long form")
def test_hanging_keyholder_is_replaced(new_server: Callable[..., Server], disk: FailingDisk) -> None:
    """A keyholder that runs and does not answer is killed; requests to it end in a 5xx within 15 s, retries succeed."""
    server = new_server("hang", workers=1).start(disk.variables)
    kms, before = server.client("kms", retry=False), server.keyholder()
    disk.fail("hang")
    started = time.monotonic()
    assert status_of(lambda: kms.generate_random(NumberOfBytes=1)) >= 500
    assert 8 < time.monotonic() - started < 15
    disk.fail()
    wait_until(lambda: keyholders(server) not in (set(), {before.pid}), 60, "its successor starts")
    server.client("kms").generate_random(NumberOfBytes=1)
    assert "the keyholder has given no sign of life for 10 s; starting again" in server.errors.read_text()
    server.stop()
