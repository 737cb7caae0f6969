"""What a GenerateDataKey and a PutKeyPolicy cost when one, two and three nodes of an installation answer together.

`python -m bench.more_nodes` lets the first one, two and three of the nodes answer together, in turn, many times; and so
beside them with three embedded servers that know nothing of each other. More servers at work on few cores disturb each
other in the processor's caches and by changes of process; the embedded servers show that share, and what is left is
the price of being an installation. The figure is the CPU time of all processes of the servers that answer.

Before that, while the nodes join one after the other, all that have joined change key policies: `make scale` compares
how long that takes with its model.
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
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.support import fake_s3
from tests.support.postgres import PostgresServer, missing

from bench import measure, requests, targets
from bench.rounds import Client, measure_round
from bench.targets import CREDENTIALS, ROOT, Target
from fuin.testing.kit.users import new_user

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "40"))
CONNECTIONS = 32  # to each server
NAMES = ("a", "b", "c")
CHANGE_SECONDS = 3.0
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*",
}]})  # fmt: skip
RESULT = Path(__file__).parent / "results" / "more_nodes.json"


class Figure(NamedTuple):
    """CPU time for one request in µs, while some servers answer at the same time."""

    kind: str
    servers: int
    p10: float
    median: float


class Changes(NamedTuple):
    """How long PutKeyPolicy takes, and how many return in a second, while some nodes change policies together."""

    nodes: int
    connections: int  # to each node
    per_second: float
    p50_ms: float


class Installation:
    """An installation with blobs on an S3; its nodes are started one after the other, and end with a stack."""

    def __init__(self, folder: Path, url: str, s3_port: int) -> None:
        folder.mkdir()
        self._folder = folder
        self._user = new_user("s3")
        passphrase = folder / "passphrase"
        passphrase.write_text("of a benchmark")
        endpoint = f"http://127.0.0.1:{s3_port}"
        self._options = ["--database", url, "--passphrase-file", str(passphrase), "--blobs-endpoint", endpoint]

    def init(self) -> None:
        """Make the installation, in the folder of its first node."""
        access = {"ACCESS_KEY_ID": CREDENTIALS.access_key, "SECRET_ACCESS_KEY": CREDENTIALS.secret_key}
        variables = self._user.variables | {f"FUIN_ROOT_{name}": value for name, value in access.items()}
        place = ["--node", NAMES[0], "--data", str(self._folder / NAMES[0]), "--blobs", f"s3://{fake_s3.BUCKET}/main"]
        subprocess.run(
            [str(ROOT / ".venv/bin/fuin"), "init", *self._options, *place],
            env=os.environ | variables, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self, name: str, stack: contextlib.ExitStack, options: Sequence[str] = ()) -> Target:
        """Start a node."""
        more = ["--node", name, *self._options, "--drain", "0", *options]
        return stack.enter_context(targets.fuin(self._folder / name, more=more, variables=self._user.variables))


def measure_changes(nodes: Sequence[Target], connections: int) -> Changes:
    """Let all nodes change key policies together, each of a key of its own."""
    loads = []
    for node in nodes:
        key = str(measure.client(node, "kms").create_key()["KeyMetadata"]["KeyId"])
        members: dict[str, object] = {"KeyId": key, "PolicyName": "default", "Policy": POLICY}
        request = requests.kms(node.url, CREDENTIALS, "PutKeyPolicy", members)
        loads.append(partial(measure.run_load, node, request, connections, CHANGE_SECONDS))
    with ThreadPoolExecutor(len(loads)) as threads:
        results = [thread.result() for thread in [threads.submit(load) for load in loads]]
    rate = sum(result["requests"] / result["seconds"] for result in results)
    return Changes(len(nodes), connections, rate, statistics.median(result["p50_ms"] for result in results))


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


def show_changes(changes: Changes) -> None:
    """Print how long changes take."""
    print(
        f"PutKeyPolicy  {changes.nodes} nodes  connections={changes.connections} each  p50={changes.p50_ms:.1f} ms  "
        f"{changes.per_second:.0f}/s in all", flush=True,
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
        made = Installation(folder / "nodes", postgres.socket_url(postgres.create()), bucket.server_address[1])
        made.init()
        nodes: list[Target] = []
        changes: list[Changes] = []
        for name in NAMES:
            nodes.append(made.start(name, stack))
            for connections in (1, 8):
                changes.append(measure_changes(nodes, connections))
                show_changes(changes[-1])
        embedded = [stack.enter_context(targets.fuin(folder / name)) for name in NAMES]
        figures = compare({"embedded": embedded, "nodes": nodes})
    show(figures)
    results = {"requests": [figure._asdict() for figure in figures], "changes": [row._asdict() for row in changes]}
    RESULT.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
