"""The load: a process of its own with N connections, each sending the same signed request again and again.

`python -m bench.load HOST PORT CONNECTIONS SECONDS < request` prints JSON: requests, seconds, failures, latencies.
A server that closes after each answer, as moto's does, is connected to again.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import cast

import uvloop


@dataclass
class Run:
    """What all connections share."""

    host: str
    port: int
    request: bytes
    deadline: float
    latencies: list[float] = field(default_factory=list)
    failures: list[bytes] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One connection that sends a request as soon as the answer to the last one is whole."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._buffer = b""
        self._sent = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class does not inherit from it
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._run.request)

    def data_received(self, data: bytes) -> None:
        """Count an answer when its body is whole, then send again until the time is over."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        length = int(head[head.index(b"content-length:") + 15 :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        now = time.perf_counter()
        self._run.latencies.append(now - self._sent)
        if b" 200 " not in head[:13]:
            self._run.failures.append(self._buffer[:600])
        self._buffer, self._sent = b"", 0.0
        if now < self._run.deadline and not head.startswith(b"http/1.0") and b"connection: close" not in head:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """End; a loss while an answer is waited for is a failure."""
        if self._sent:
            self._run.failures.append(b"connection lost")
        self.ended.set_result(None)


async def keep_sending(run: Run) -> None:
    """Hold one connection after the other until the time is over."""
    loop = asyncio.get_running_loop()
    while time.perf_counter() < run.deadline:
        _, connection = await loop.create_connection(lambda: Connection(run), run.host, run.port)
        await connection.ended


async def measure(host: str, port: int, connections: int, seconds: float, request: bytes) -> dict[str, object]:
    """Send the request over all connections for so many seconds."""
    started = time.perf_counter()
    run = Run(host, port, request, started + seconds)
    await asyncio.gather(*(keep_sending(run) for _ in range(connections)))
    took = time.perf_counter() - started
    latencies = sorted(run.latencies) or [0.0]
    return {
        "requests": len(run.latencies),
        "seconds": took,
        "failures": len(run.failures),
        "failure": run.failures[0].decode("latin-1") if run.failures else None,
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[len(latencies) * 99 // 100],
    }


def main() -> None:
    """Read the request from standard input, run, print the figures."""
    host, port, connections, seconds = sys.argv[1:5]
    request = sys.stdin.buffer.read()
    print(json.dumps(uvloop.run(measure(host, int(port), int(connections), float(seconds), request))))


if __name__ == "__main__":
    main()
