"""What a worker sets for its whole process."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from fuin.server import children, worker
from fuin.server.config import WorkerConfig, encode
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
    settings = Settings(data=tmp_path, node="a", database_url="postgresql://postgres@127.0.0.1:1/nowhere")
    settings.prepare()

    async def start(listener: int) -> None:
        def configuration(ready: int) -> bytes:
            return encode(WorkerConfig(settings, listener, ready, os.getpid(), jobs=False))

        await children.spawn("a worker", "fuin.server.worker", descriptors=[listener], configuration=configuration)

    why = r"^postgresql://127.0.0.1:1/nowhere cannot be opened"
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(children.ChildWaits, match=why):
        asyncio.run(start(listener.fileno()))
