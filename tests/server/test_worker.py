"""What a worker sets for its whole process."""

import os
import socket
import sys
from pathlib import Path

import pytest

from fuin.server import worker
from fuin.server.config import WorkerConfig
from fuin.settings import Settings


def test_threads_give_the_event_loop_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a worker serves, no thread runs on for longer than a millisecond when the event loop waits for it."""
    found: list[float] = []

    def note(_server: worker.WorkerServer, sockets: list[socket.socket]) -> None:
        found.append(sys.getswitchinterval())
        for one in sockets:
            one.close()

    monkeypatch.setattr(worker.WorkerServer, "run", note)
    before = sys.getswitchinterval()
    try:
        listener = socket.socket().detach()
        worker.serve(WorkerConfig(Settings(data=tmp_path), listener, -1, 0, jobs=False))
    finally:
        sys.setswitchinterval(before)
    assert found == [pytest.approx(0.001)]


def test_a_worker_without_a_database_says_that_it_waits(tmp_path: Path) -> None:
    """So the supervisor begins the start again, instead of ending the server."""
    read_end, write_end = os.pipe()
    before = sys.getswitchinterval()
    settings = Settings(data=tmp_path, node="a", database_url="postgresql://postgres@127.0.0.1:1/nowhere")
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(SystemExit):
        worker.serve(WorkerConfig(settings, listener.detach(), write_end, 0, jobs=False))
    sys.setswitchinterval(before)
    os.close(write_end)
    with open(read_end, "rb") as said:
        assert said.readline().startswith(b"waits: postgresql://127.0.0.1:1/nowhere cannot be reached")
