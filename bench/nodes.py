"""What many nodes cost the hot path: GenerateDataKey with the embedded store, and on PostgreSQL leased and exact.

`python -m bench.nodes` runs the three servers beside each other, with one worker each, and lets each of them answer a
few hundred requests in turn, many times. The machine's other work comes and goes; so the figure is the CPU time of the
worker's threads, from the scheduler's own count in nanoseconds, and of all rounds the tenth percentile.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
from tests.support.postgres import PostgresServer, missing

from bench import targets
from bench.rounds import Client, measure_round
from bench.targets import CREDENTIALS, ROOT, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "40"))
RESULT = Path(__file__).parent / "results" / "nodes.json"


class Figure(NamedTuple):
    """CPU time of a worker for one request, in µs."""

    server: str
    connections: int
    p10: float
    median: float


@contextlib.contextmanager
def node(folder: Path, url: str, bound: str) -> Iterator[Target]:
    """Run one node of an installation of its own, in an empty database."""
    passphrase = folder / "passphrase"
    folder.mkdir()
    passphrase.write_text("of a benchmark")
    place = ["--database", url, "--node", "a", "--data", str(folder / "data"), "--passphrase-file", str(passphrase)]
    environment = os.environ | {
        "FUIN_ROOT_ACCESS_KEY_ID": CREDENTIALS.access_key,
        "FUIN_ROOT_SECRET_ACCESS_KEY": CREDENTIALS.secret_key,
    }
    subprocess.run(
        [str(ROOT / ".venv/bin/fuin"), "init", *place], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    options = [*place[:4], *place[6:], "--revocation-bound", bound, "--drain", "0"]
    with targets.fuin(folder / "data", more=options) as target:
        yield target


def worker(target: Target) -> int:
    """Return the process id of the only worker of a server."""
    [found] = [pid for pid in target.pids() if "fuin.server.worker" in psutil.Process(pid).cmdline()]
    return found


def compare(servers: dict[str, Target], connections: int) -> list[Figure]:
    """Measure the servers in turn, in both orders."""
    clients = [Client(name, target, connections, [worker(target)]) for name, target in servers.items()]
    costs: dict[str, list[float]] = {client.name: [] for client in clients}
    for number in range(ROUNDS + 2):
        for client in clients if number % 2 else reversed(clients):
            cost = measure_round([client])
            if number >= 2:  # the first ones fill memories
                costs[client.name].append(cost)
    for client in clients:
        client.close()
    return [Figure(name, connections, _tenth(found), statistics.median(found)) for name, found in costs.items()]


def _tenth(values: list[float]) -> float:
    return sorted(values)[len(values) // 10]


def show(figures: list[Figure]) -> None:
    """Print figures, each beside that of the first server."""
    for figure in figures:
        print(
            f"GenerateDataKey  {figure.server:8}  connections={figure.connections}  cpu_us={figure.p10:.1f} (p10)  "
            f"{figure.median:.1f} (median)  {figure.p10 / figures[0].p10:.3f} of {figures[0].server}",
            flush=True,
        )


def main() -> None:
    """Run the three servers, and print what a request costs each of them."""
    if (reason := missing()) is not None:
        print(f"many nodes are not measured: {reason}")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    figures = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuin-bench-nodes-")))
        postgres = PostgresServer()
        stack.callback(postgres.remove)
        postgres.start()
        servers = {"embedded": stack.enter_context(targets.fuin(folder / "embedded"))}
        for name, bound in (("leased", "1"), ("exact", "0")):
            url = postgres.socket_url(postgres.create())
            servers[name] = stack.enter_context(node(folder / name, url, bound))
        for connections in (32, 1):
            found = compare(servers, connections)
            show(found)
            figures += found
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps([figure._asdict() for figure in figures], indent=1) + "\n")


if __name__ == "__main__":
    main()
