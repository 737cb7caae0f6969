"""A node that is paused for the whole move out goes on afterwards: it answers nothing, and acknowledges no write."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.move.conftest import Move
from tests.nodes.conftest import Installation, get_json
from tests.support.processes import descendants, wait_until
from tests.support.server import Server

pytestmark = pytest.mark.real

SECONDS = 4.0  # several leases


def test_paused_node_writes_nothing_after_the_move(tmp_path: Path, installation: Installation, move_out: Move) -> None:
    """It has neither gate nor row any longer and gets no new ones, until somebody takes the database back."""
    installation.init()
    node = installation.start("a")
    s3, kms = (node.client(service, retry=False) for service in ("s3", "kms"))
    s3.create_bucket(Bucket="letters")
    s3.put_object(Bucket="letters", Key="before", Body=b"before")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    paused = [psutil.Process(node.pid), *descendants(node.pid)]
    for process in paused:
        process.suspend()
    try:
        said = move_out(tmp_path / "back" / "data")[1]
    finally:
        for process in paused:
            process.resume()
    assert "The move has finished" in said
    _refuse_all(node, key)
    with closing(sqlite3.connect(tmp_path / "back" / "data" / "fuin.db")) as conn:
        assert conn.execute("SELECT key FROM objects").fetchall() == [(b"before",)]
    assert "was moved to" in node.errors.read_text()
    installation.fuin("move", "--take-back", "--from-database", installation.url)
    wait_until(lambda: get_json(node.url + "/health/ready")[0] == 200, 60, "the node is back")
    s3.put_object(Bucket="letters", Key="after", Body=b"after")


def _refuse_all(node: Server, key: str) -> None:
    """Try for some leases to write, to use a key, and to find the node ready; nothing of that may succeed."""
    s3, kms = (node.client(service, retry=False) for service in ("s3", "kms"))
    asks: list[tuple[Callable[..., object], dict[str, object]]] = [
        (s3.put_object, {"Bucket": "letters", "Key": "late", "Body": b"late"}),
        (kms.create_key, {}),
        (kms.encrypt, {"KeyId": key, "Plaintext": b"late"}),
    ]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for ask, values in asks:
            with pytest.raises(ClientError) as refusal:
                ask(**values)
            assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert get_json(node.url + "/health/ready")[0] == 503
