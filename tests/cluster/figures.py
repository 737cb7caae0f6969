"""Figures of three real nodes on three real database servers: `python -m tests.cluster.figures`.

`changes`, `requests` and `partition` as arguments choose some of them.

How long PutKeyPolicy takes with a synchronous standby, with all nodes in order and with one that is dead, paused or cut
off; and the CPU time of the workers for a GenerateDataKey with one, two and three nodes, alternated.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench import requests
from botocore.credentials import Credentials

from fuin.testing.kit.users import new_user
from tests.cluster.machine.database import Database
from tests.cluster.machine.nodes import Engines, Nodes, allow, client
from tests.cluster.machine.processes import machine
from tests.support import fake_s3
from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.machine.nodes import Node

CONNECTIONS, ROUNDS, SECONDS = 8, 4, 3.0
FAULT_SECONDS = 4.0  # the row of a silent node is struck after two leases


@contextmanager
def three_nodes(*, straight: bool) -> Iterator[Nodes]:
    """Give three nodes that run, and go to the database straight or by ways that can be cut."""
    with fake_s3.running() as bucket, machine() as place:
        database = Database(place)
        database.start()
        assert database.run("CREATE DATABASE fuin TEMPLATE template0", 30) is not None, place.logs()
        engines = Engines(
            lambda ports: database.address("fuin", ports), [server.port for server in database.servers],
            bucket.server_address[1], fake_s3.BUCKET, new_user("s3"),
        )  # fmt: skip
        nodes = Nodes(place, engines, ["node1", "node2", "node3"], straight=straight)
        nodes.init()
        nodes.start()
        time.sleep(3)
        yield nodes


def measure_changes(nodes: Nodes) -> None:
    """Print how long PutKeyPolicy at node1 takes, also while node3 is dead or paused."""
    change, third = _change(nodes), nodes.nodes[2]
    _show("three nodes in order", [_timed(change) for _ in range(200)])
    _with_silent("node3 killed", change, third.process.kill, third.start)
    _with_silent("node3 paused", change, third.process.pause, third.process.go_on)
    _with_paused_writer(nodes, change, third)


def measure_partition(nodes: Nodes) -> None:
    """Print how long PutKeyPolicy at node1 takes while node3 is cut off from the database."""
    third = nodes.nodes[2]
    _with_silent("node3 cut off in silence", _change(nodes), third.database.hold, third.database.heal)


def _change(nodes: Nodes) -> Callable[[], None]:
    kms = client("kms", nodes.nodes[0].url, nodes.root, seconds=30)
    key = kms.create_key()["KeyMetadata"]["KeyId"]

    def change() -> None:
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=allow("arn:aws:iam::123456789012:root", "kms:*"))

    for _ in range(20):
        change()
    return change


def _with_paused_writer(nodes: Nodes, change: Callable[[], None], third: Node) -> None:
    """Pause node3 again and again while it writes, so that some pauses find it with a lock."""
    other = client("kms", third.url, nodes.root, seconds=30)
    key, times = other.create_key()["KeyMetadata"]["KeyId"], list[float]()
    command = [sys.executable, "-m", "bench.load", "127.0.0.1", str(third.port), "8", "12"]
    request = _request(nodes, third, "UpdateKeyDescription", {"KeyId": key, "Description": "a"})
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=REPOSITORY) as load:
        assert load.stdin is not None
        load.stdin.write(request)
        load.stdin.close()
        time.sleep(1)
        for _ in range(5):
            third.process.pause()
            times.append(_timed(change))
            third.process.go_on()
            time.sleep(0.7)
    third.wait_ready()
    _show("node3 paused while it writes, the first change of each of 5 pauses", times)


def _with_silent(what: str, change: Callable[[], None], begin: Callable[[], object], end: Callable[[], object]) -> None:
    begin()
    began, times = time.monotonic(), list[float]()
    while time.monotonic() - began < FAULT_SECONDS:
        times.append(_timed(change))
    end()
    _show(f"{what}, changes in the first {FAULT_SECONDS} s", times)
    time.sleep(3)


def _timed(call: Callable[[], None]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _show(what: str, times: list[float]) -> None:
    ordered = sorted(times)
    p50, p99 = statistics.median(ordered), ordered[len(ordered) * 99 // 100]
    figures = f"p50 {1000 * p50:.1f} ms, p99 {1000 * p99:.1f}, longest {1000 * ordered[-1]:.1f}, {len(times)} changes"
    print(f"PutKeyPolicy, {what}: {figures}", flush=True)


def measure_requests(nodes: Nodes) -> None:
    """Print the CPU time of the workers for a GenerateDataKey, when one, two and three nodes get requests."""
    kms = client("kms", nodes.nodes[0].url, nodes.root)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    costs: dict[int, list[float]] = {1: [], 2: [], 3: []}
    rates: dict[int, list[float]] = {1: [], 2: [], 3: []}
    for _ in range(ROUNDS):
        for count, found in costs.items():
            cost, rate = _cost(nodes, nodes.nodes[:count], key)
            found.append(cost)
            rates[count].append(rate)
    for count, found in costs.items():
        cost, rate = statistics.median(found), statistics.median(rates[count])
        print(
            f"GenerateDataKey, {count} nodes, {CONNECTIONS} connections each: {cost:.1f} µs of CPU in a worker, "
            f"{rate:.0f}/s in all, {100 * (cost / statistics.median(costs[1]) - 1):+.1f} % against one", flush=True,
        )  # fmt: skip


def _cost(nodes: Nodes, used: list[Node], key: str) -> tuple[float, float]:
    workers = [process for node in used for process in node.parts("fuin.server.worker")]
    before = sum(sum(worker.cpu_times()[:2]) for worker in workers)
    loads = []
    for node in used:
        command = [sys.executable, "-m", "bench.load", "127.0.0.1", str(node.port), str(CONNECTIONS), str(SECONDS)]
        load = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY)
        assert load.stdin is not None
        load.stdin.write(_request(nodes, node, "GenerateDataKey", {"KeyId": key, "KeySpec": "AES_256"}))
        load.stdin.close()
        loads.append(load)
    answers = []
    for load in loads:
        assert load.stdout is not None
        answers.append(json.loads(load.stdout.read()))
        load.stdout.close()
        load.wait()
    assert not any(answer["failures"] for answer in answers), answers
    done = sum(answer["requests"] for answer in answers)
    after = sum(sum(worker.cpu_times()[:2]) for worker in workers)
    return 1e6 * (after - before) / done, done / SECONDS


def _request(nodes: Nodes, node: Node, operation: str, members: dict[str, Any]) -> bytes:
    credentials = Credentials(nodes.root.access_key_id, nodes.root.secret_access_key)
    return requests.kms(node.url, credentials, operation, members)


def main() -> None:
    """Measure what the arguments name, by default all."""
    asked = sys.argv[1:] or ["changes", "requests", "partition"]
    if {"changes", "requests"} & set(asked):
        with three_nodes(straight=True) as nodes:
            if "changes" in asked:
                measure_changes(nodes)
            if "requests" in asked:
                measure_requests(nodes)
    if "partition" in asked:
        with three_nodes(straight=False) as nodes:
            measure_partition(nodes)


if __name__ == "__main__":
    main()
