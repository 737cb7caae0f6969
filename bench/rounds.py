"""Rounds of requests to servers under measurement, and the CPU time that they take of the servers' processes."""

from __future__ import annotations

import selectors
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench import measure, requests
from bench.targets import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.targets import Target

REQUESTS = 160  # of a server in each round
SIGNED_SECONDS = 120.0  # a signature is good for five minutes


class Client:
    """Connections to one server, on which the same signed request goes out again and again."""

    def __init__(self, name: str, target: Target, connections: int, pids: Sequence[int]) -> None:
        self.name, self.pids, self._target = name, pids, target
        self.sockets = [socket.create_connection(target.address) for _ in range(connections)]
        self._key = str(measure.client(target, "kms").create_key()["KeyMetadata"]["KeyId"])
        self._signed = -SIGNED_SECONDS
        self._request = b""

    def request(self) -> bytes:
        """Return the request, with a signature that is fresh enough."""
        if time.monotonic() - self._signed > SIGNED_SECONDS:
            self._signed = time.monotonic()
            members: dict[str, object] = {"KeyId": self._key, "KeySpec": "AES_256", "EncryptionContext": {"a": "b"}}
            self._request = requests.kms(self._target.url, CREDENTIALS, "GenerateDataKey", members)
        return self._request

    def close(self) -> None:
        """Close the connections."""
        for one in self.sockets:
            one.close()


def measure_round(clients: Sequence[Client]) -> float:
    """Return the CPU time of the servers' processes for a request in µs, in a round of requests to all at once."""
    pids = [pid for client in clients for pid in client.pids]
    waiting = [(client, client.request()) for client in clients]
    before = cpu_nanoseconds(pids)
    _send_all(waiting)
    return (cpu_nanoseconds(pids) - before) / (REQUESTS * len(clients)) / 1000


def cpu_nanoseconds(pids: Sequence[int]) -> int:
    """Return the CPU time of the threads of processes so far, by the scheduler's count."""
    tasks = [path for pid in pids for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(path.read_text().split()[0]) for path in tasks)


def _send_all(clients: Sequence[tuple[Client, bytes]]) -> None:
    """Send on each connection as soon as its last answer is there, until all requests were answered."""
    received = {one: b"" for client, _ in clients for one in client.sockets}
    left = {client: REQUESTS for client, _ in clients}
    under_way = 0
    with selectors.DefaultSelector() as selector:
        for client, request in clients:
            for one in client.sockets:
                selector.register(one, selectors.EVENT_READ, (one, client, request))
                one.sendall(request)
                left[client] -= 1
                under_way += 1
        while under_way:
            for event, _ in selector.select():
                one, client, request = event.data
                received[one] += one.recv(65536)
                if not is_whole(received[one]):
                    continue
                received[one] = b""
                under_way -= 1
                if left[client] > 0:
                    one.sendall(request)
                    left[client] -= 1
                    under_way += 1


def is_whole(answer: bytes) -> bool:
    """Return whether an answer is whole, which must be a success."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    if b" 200 " not in head[:13]:
        raise RuntimeError(answer.decode("latin-1"))
    lower = head.lower()
    return len(body) >= int(lower[lower.index(b"content-length:") + 15 :].split(b"\r\n", 1)[0])
