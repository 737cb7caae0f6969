"""What a request about a small object costs: PUT, GET and HEAD of 4 KiB, and a LIST of 1,000 keys, under SSE-KMS.

`python -m bench.objects [OLD_FUIN]` lets the server answer a few hundred requests of each kind in turn, many times;
with OLD_FUIN, the `fuin` command of another version's environment, both servers in turn. The machine's other work comes
and goes; so the figure is the CPU time of all processes of a server, from the scheduler's own count in nanoseconds, and
of all rounds the tenth percentile. Each PUT writes a key of its own, and each GET reads another one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import selectors
import socket
import statistics
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench import measure, requests, targets
from bench.rounds import cpu_nanoseconds
from bench.targets import CREDENTIALS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.targets import Target

SIZE = int(os.environ.get("BENCH_OBJECT_BYTES", "4096"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "20"))
REQUESTS = 200  # of a kind in each round
CONNECTIONS = int(os.environ.get("BENCH_CONNECTIONS", "16"))
LISTED = 1000  # keys, with one page
RESULT = Path(__file__).parent / "results" / "objects.json"
KINDS = ("PUT", "GET", "HEAD", "PUT, bucket key", "GET, bucket key", "LIST")


class Figure(NamedTuple):
    """CPU time of all processes of a server for one request, in µs, and how long an answer took."""

    server: str
    kind: str
    p10: float
    median: float
    p50_ms: float


class Client:
    """Connections to one server with its buckets; `name` tells the server."""

    def __init__(self, name: str, target: Target) -> None:
        self.name, self.pids = name, target.pids()
        self._target = target
        self.sockets = [socket.create_connection(target.address) for _ in range(CONNECTIONS)]
        self._body = os.urandom(SIZE)
        self._digest = hashlib.sha256(self._body).hexdigest()
        self._written: dict[str, int] = {"plain": 0, "keyed": 0}
        key = measure.client(target, "kms").create_key()["KeyMetadata"]["Arn"]
        s3 = measure.client(target, "s3")
        for bucket, keyed in (("plain", False), ("keyed", True), ("listed", False)):
            s3.create_bucket(Bucket=bucket)
            default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
            rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": keyed}
            s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        for _ in range(0, LISTED, REQUESTS):
            self.exchange(self._put("listed") for _ in range(REQUESTS))

    def requests_of(self, kind: str) -> list[bytes]:
        """Return signed requests of a kind, a round of them; a GET asks for what the PUT before it has written."""
        bucket = "keyed" if "bucket key" in kind else "plain"
        method = kind.split(",", maxsplit=1)[0]
        if method == "PUT":
            return [self._put(bucket) for _ in range(REQUESTS)]
        if method == "LIST":
            query = f"/listed?list-type=2&max-keys={LISTED}"
            return [requests.s3_head(self._target.url, CREDENTIALS, "GET", query, requests.empty_hash(), {})] * (
                REQUESTS // 10
            )
        last = self._written[bucket]
        paths = [f"/{bucket}/objects/of/round/{number:08d}" for number in range(last - REQUESTS, last)]
        return [
            requests.s3_head(self._target.url, CREDENTIALS, method, path, requests.empty_hash(), {}) for path in paths
        ]

    def _put(self, bucket: str) -> bytes:
        number = self._written.setdefault(bucket, 0)
        self._written[bucket] = number + 1
        path = f"/{bucket}/objects/of/round/{number:08d}"
        more = {"Content-Length": str(SIZE), "Content-Type": "application/octet-stream"}
        return requests.s3_head(self._target.url, CREDENTIALS, "PUT", path, self._digest, more) + self._body

    def exchange(self, wanted: Iterator[bytes] | Sequence[bytes]) -> list[float]:
        """Send all requests, the next one on a connection when its last answer is whole; return the seconds of each."""
        left, took = deque(wanted), list[float]()
        with selectors.DefaultSelector() as selector:
            for one in self.sockets[: len(left)]:
                selector.register(one, selectors.EVENT_READ, _Exchange(one))
            waiting = [key.data for key in selector.get_map().values()]
            for exchange in waiting:
                exchange.send(left.popleft())
            under_way = len(waiting)
            while under_way:
                for key, _ in selector.select():
                    seconds = key.data.receive()
                    if seconds is None:
                        continue
                    took.append(seconds)
                    if left:
                        key.data.send(left.popleft())
                    else:
                        under_way -= 1
        return took

    def close(self) -> None:
        """Close the connections."""
        for one in self.sockets:
            one.close()


class _Exchange:
    """A request and its answer on one connection."""

    def __init__(self, one: socket.socket) -> None:
        self._socket, self._received, self._sent, self._is_head = one, b"", 0.0, False

    def send(self, request: bytes) -> None:
        self._received, self._is_head, self._sent = b"", request.startswith(b"HEAD"), time.perf_counter()
        self._socket.sendall(request)

    def receive(self) -> float | None:
        """Read what has come; return the seconds since the request when its answer is whole, which must be a 200."""
        self._received += self._socket.recv(1 << 20)
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return None
        if b" 200 " not in head[:13]:
            raise SystemExit(self._received[:600].decode("latin-1"))
        lower = head.lower()
        length = int(lower[lower.index(b"content-length:") + 15 :].split(b"\r\n", 1)[0])
        return None if len(body) < length and not self._is_head else time.perf_counter() - self._sent


def compare(clients: Sequence[Client]) -> list[Figure]:
    """Measure each kind of request at all servers in turn, in both orders."""
    costs: dict[tuple[str, str], list[float]] = {}
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(ROUNDS + 2):
        for kind in KINDS:
            for client in clients if number % 2 else reversed(clients):
                wanted = client.requests_of(kind)
                before = cpu_nanoseconds(client.pids)
                took = client.exchange(wanted)
                used = (cpu_nanoseconds(client.pids) - before) / len(wanted) / 1000
                if number >= 2:  # the first ones fill memories
                    costs.setdefault((client.name, kind), []).append(used)
                    times.setdefault((client.name, kind), []).extend(took)
    return [
        Figure(
            client.name, kind, sorted(found)[len(found) // 10], statistics.median(found),
            1000 * statistics.median(times[client.name, kind]),
        )
        for kind in KINDS for client in clients for found in [costs[client.name, kind]]
    ]  # fmt: skip


def show(figures: Sequence[Figure]) -> None:
    """Print figures, each beside that of the first server."""
    first: dict[str, float] = {}
    for figure in figures:
        first.setdefault(figure.kind, figure.p10)
        print(
            f"{figure.kind:16} {figure.server:5} cpu_us={figure.p10:8.1f} (p10) {figure.median:8.1f} (median)  "
            f"p50_ms={figure.p50_ms:6.2f}  {figure.p10 / first[figure.kind]:.3f}",
            flush=True,
        )


def main() -> None:
    """Run the servers, measure, and print what each request costs."""
    commands = {"old": Path(sys.argv[1])} if len(sys.argv) > 1 else {}
    commands["new"] = ROOT / ".venv/bin/fuin"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuin-bench-objects-")))
        clients = []
        for name, command in commands.items():
            target = stack.enter_context(targets.fuin(folder / name, command=command))
            clients.append(Client(name, target))
            stack.callback(clients[-1].close)
        figures = compare(clients)
    show(figures)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps([figure._asdict() for figure in figures], indent=1) + "\n")


if __name__ == "__main__":
    main()
