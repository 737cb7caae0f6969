"""What a GenerateDataKey costs when one, two and three nodes of an installation answer at the same time.

`python -m bench.more_nodes` lets the first one, two and three of the nodes answer together, in turn, many times; and so
beside them with three embedded servers that know nothing of each other. More servers at work on few cores disturb each
other in the processor's caches and by changes of process; the embedded servers show that share, and what is left is
the price of being an installation. The figure is the CPU time of all processes of the servers that answer.
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

from tests.support import fake_s3
from tests.support.postgres import PostgresServer, missing

from bench import targets
from bench.rounds import Client, measure_round
from bench.targets import CREDENTIALS, ROOT, Target
from fuin.testing.kit.users import new_user

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "40"))
CONNECTIONS = 32  # to each server
NAMES = ("a", "b", "c")
RESULT = Path(__file__).parent / "results" / "more_nodes.json"


class Figure(NamedTuple):
    """CPU time for one request in µs, while some servers answer at the same time."""

    kind: str
    servers: int
    p10: float
    median: float


@contextlib.contextmanager
def installation(folder: Path, url: str, s3_port: int) -> Iterator[list[Target]]:
    """Run the nodes of one installation, with blobs on an S3."""
    user = new_user("s3")
    folder.mkdir()
    passphrase = folder / "passphrase"
    passphrase.write_text("of a benchmark")
    endpoint = f"http://127.0.0.1:{s3_port}"
    place = ["--database", url, "--passphrase-file", str(passphrase), "--blobs-endpoint", endpoint]
    environment = os.environ | user.variables | {
        "FUIN_ROOT_ACCESS_KEY_ID": CREDENTIALS.access_key, "FUIN_ROOT_SECRET_ACCESS_KEY": CREDENTIALS.secret_key,
    }  # fmt: skip
    first = ["--node", NAMES[0], "--data", str(folder / NAMES[0]), "--blobs", f"s3://{fake_s3.BUCKET}/main"]
    subprocess.run(
        [str(ROOT / ".venv/bin/fuin"), "init", *place, *first], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                targets.fuin(folder / name, more=["--node", name, *place, "--drain", "0"], variables=user.variables)
            )
            for name in NAMES
        ]


def compare(kinds: dict[str, Sequence[Target]]) -> list[Figure]:
    """Measure one, two and three servers of each kind in turn, forwards and backwards."""
    clients = {
        kind: [Client(kind, server, CONNECTIONS, server.pids()) for server in servers]
        for kind, servers in kinds.items()
    }
    turns = [(kind, count) for count in range(1, len(NAMES) + 1) for kind in kinds]
    costs: dict[tuple[str, int], list[float]] = {turn: [] for turn in turns}
    for number in range(ROUNDS + 2):
        for kind, count in turns if number % 2 else reversed(turns):
            cost = measure_round(clients[kind][:count])
            if number >= 2:  # the first ones fill memories
                costs[kind, count].append(cost)
    for group in clients.values():
        for client in group:
            client.close()
    return [
        Figure(kind, count, sorted(found)[len(found) // 10], statistics.median(found))
        for (kind, count), found in costs.items()
    ]


def show(figures: list[Figure]) -> None:
    """Print figures, each beside that of one server of its kind."""
    alone = {figure.kind: figure for figure in figures if figure.servers == 1}
    for figure in figures:
        one = alone[figure.kind]
        print(
            f"GenerateDataKey  {figure.servers} {figure.kind:8}  cpu_us={figure.p10:.1f} (p10)  {figure.median:.1f} "
            f"(median)  {figure.p10 / one.p10:.3f} (p10)  {figure.median / one.median:.3f} (median) of one", flush=True,
        )  # fmt: skip


def main() -> None:
    """Run six servers, and print what a request costs them."""
    if (reason := missing()) is not None:
        print(f"more nodes are not measured: {reason}")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuin-bench-more-")))
        bucket = stack.enter_context(fake_s3.running())
        postgres = PostgresServer()
        stack.callback(postgres.remove)
        postgres.start()
        nodes = installation(folder / "nodes", postgres.socket_url(postgres.create()), bucket.server_address[1])
        kinds: dict[str, Sequence[Target]] = {
            "embedded": [stack.enter_context(targets.fuin(folder / name)) for name in NAMES],
            "nodes": stack.enter_context(nodes),
        }
        figures = compare(kinds)
    show(figures)
    RESULT.write_text(json.dumps([figure._asdict() for figure in figures], indent=1) + "\n")


if __name__ == "__main__":
    main()
