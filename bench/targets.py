"""The servers under measurement: Fuin as users start it, and the moto server beside it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from botocore.credentials import Credentials

from bench.processes import tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
CREDENTIALS = Credentials("AKIABENCHBENCHBENCH1", "bench-secret-access-key-0123456789abcdef")


@dataclass(frozen=True)
class Target:
    """A running server."""

    name: str
    url: str
    pid: int

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port."""
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    def pids(self) -> list[int]:
        """Return all its processes."""
        return tree(self.pid)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def fuin(
    folder: Path, workers: int = 1, more: Sequence[str] = (), variables: Mapping[str, str] = MappingProxyType({}),
    command: Path = ROOT / ".venv/bin/fuin",
) -> Iterator[Target]:  # fmt: skip
    """Run `fuin serve` on fresh data; `command` is another version's, for a comparison."""
    environment = (
        os.environ
        | variables
        | {
            "FUIN_ROOT_ACCESS_KEY_ID": CREDENTIALS.access_key,
            "FUIN_ROOT_SECRET_ACCESS_KEY": CREDENTIALS.secret_key,
        }
    )
    words = [
        str(command), "serve", "--data", str(folder), "--port", "0", "--workers", str(workers), *more,
    ]  # fmt: skip
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    assert server.stdout is not None
    try:
        url = next(line.split()[1] for line in server.stdout if line.startswith("ready "))
        yield Target("fuin", url, server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


@contextlib.contextmanager
def moto() -> Iterator[Target]:
    """Run the moto server, as its documentation starts it."""
    port = free_port()
    command = [str(ROOT / ".venv-bench/bin/moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield Target("moto", f"http://127.0.0.1:{port}", server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
