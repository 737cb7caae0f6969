"""The load: a process of its own with N connections, each sending the same signed request again and again.

`python -m bench.load HOST PORT CONNECTIONS SECONDS < request` prints JSON: requests, seconds, failures, latencies.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

import uvloop


class Connection(asyncio.Protocol):
    """One keep-alive connection that sends a request as soon as the answer to the last one is whole."""

    def __init__(self, request: bytes, deadline: list[float], latencies: list[float], failures: list[bytes]) -> None:
        self._request = request
        self._deadline = deadline
        self._latencies = latencies
        self._failures = failures
        self._buffer = b""
        self._sent = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class does not inherit from it
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count an answer when its body is whole, then send again until the time is over."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.index(b"content-length:") + 15
        length = int(head[at:].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        now = time.perf_counter()
        self._latencies.append(now - self._sent)
        if not head.startswith(b"http/1.1 200"):
            self._failures.append(self._buffer[:600])
        self._buffer = b""
        if now < self._deadline[0]:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """End; a loss before the deadline is a failure."""
        if time.perf_counter() < self._deadline[0]:
            self._failures.append(b"connection lost")
        if not self.done.done():
            self.done.set_result(None)


async def run(host: str, port: int, connections: int, seconds: float, request: bytes) -> dict[str, object]:
    """Send the request over all connections for so many seconds."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    failures: list[bytes] = []
    started = time.perf_counter()
    deadline = [started + seconds]
    made = [
        await loop.create_connection(lambda: Connection(request, deadline, latencies, failures), host, port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in made))
    took = time.perf_counter() - started
    latencies.sort()
    return {
        "requests": len(latencies),
        "seconds": took,
        "failures": len(failures),
        "failure": failures[0].decode("latin-1") if failures else None,
        "p50_ms": 1000 * latencies[len(latencies) // 2] if latencies else None,
        "p99_ms": 1000 * latencies[len(latencies) * 99 // 100] if latencies else None,
    }


def main() -> None:
    """Read the request from standard input, run, print the figures."""
    host, port, connections, seconds = sys.argv[1:5]
    request = sys.stdin.buffer.read()
    print(json.dumps(uvloop.run(run(host, int(port), int(connections), float(seconds), request))))


if __name__ == "__main__":
    main()
