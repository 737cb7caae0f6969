"""What a worker sets for its whole process."""

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
