"""Histories, checked: clients on all nodes, faults from a seed, and whether what the clients saw can have been.

`python -m tests.cluster.histories SECONDS [SEED [BOUND]]` is the long form: three database servers, three nodes with a
revocation bound of 1 or BOUND seconds, all faults, in a network namespace of its own if it may have one. It prints
operations, faults, violations and the longest honoured time, and leaves the history file where one was found.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuin.testing.kit.users import new_user
from tests.cluster.faults import BlobFaults, DatabaseFaults, Lane, NodeFaults
from tests.cluster.history import History
from tests.cluster.linearizability import UndecidedError, check_register
from tests.cluster.machine.database import Database
from tests.cluster.machine.nodes import Engines, Nodes, client
from tests.cluster.machine.packets import enter_namespace
from tests.cluster.machine.processes import machine
from tests.cluster.registers import BUCKET, KeyClient, ObjectClient, Register, Registers, new_key, object_names
from tests.cluster.rights import BUCKET as RIGHTS
from tests.cluster.rights import KeyGrant, KeyPolicy, KeyState, Right, UserPolicy
from tests.cluster.rules import Honoured, check_lists, check_revocations, measure_honoured
from tests.support import fake_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.cluster.history import Operation

SLOWEST = 180.0  # seconds
READ_LIMIT = 120.0  # seconds after the faults in which everything has to be readable again
CLOCKS = 1.002  # a lease counts so much longer for others: 0020
TOGETHER = 3  # registers of a kind in use at a time
RIGHTS_OF = (KeyPolicy, UserPolicy, KeyState, KeyGrant)


@dataclass
class Findings:
    """What a run has found."""

    operations: int
    outcomes: Counter[str]
    registers: int
    honoured: Honoured
    lagging: int = 0  # registers that are right only since nodes may differ for the length of a lease
    violations: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)  # what does not go on when all faults are over

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        return "\n".join([
            f"operations: {self.operations} ({counts}) on {self.registers} registers",
            (f"longest honoured: {self.honoured.since_sent} s since a revocation was sent, "
            f"{self.honoured.since_answered} s since it was answered"),
            f"registers where nodes differed while a change was under way: {self.lagging}",
            f"undecided registers: {len(self.undecided)}",
            f"violations: {len(self.violations)}",
            *self.violations,
            f"failures: {len(self.failures)}",
            *self.failures,
        ])  # fmt: skip


class Workload:
    """All clients of a run."""

    def __init__(self, nodes: Nodes, seed: int, clients: int) -> None:
        self.history, self.failures = History(), list[str]()
        self._roots = [
            {service: client(service, node.url, nodes.root) for service in ("kms", "s3", "iam")} for node in nodes
        ]
        self._objects = Registers(object_names(TOGETHER), TOGETHER)
        self._keys = Registers(new_key([root["kms"] for root in self._roots]), TOGETHER)
        self._rights = [
            kind(kind.__name__, self.history, [node.url for node in nodes], seed + place)
            for place, kind in enumerate(RIGHTS_OF)
        ]
        self._setting = {name: client(name, nodes.nodes[0].url, nodes.root, attempts=5) for name in ("kms", "s3")}
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []
        self._choice = random.Random(seed)
        self._clients = clients

    def start(self) -> None:
        """Make the buckets, and let all clients begin."""
        root = self._setting
        key = root["kms"].create_key()["KeyMetadata"]["Arn"]
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
        for bucket in (BUCKET, RIGHTS):
            root["s3"].create_bucket(Bucket=bucket)
        root["s3"].put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
        for number in range(self._clients):
            objects = ObjectClient(f"objects {number}", self.history, self._objects, self._choice.getrandbits(32))
            keys = KeyClient(f"keys {number}", self.history, self._keys, self._choice.getrandbits(32))
            self._begin(objects.ask, "s3")
            self._begin(keys.ask, "kms")
        for right in self._rights:
            self._begin_right(right)

    def _begin_right(self, right: Right) -> None:
        self._loop(lambda _: right.change(self._roots, self._ending.wait), 0.0)
        for node in range(len(self._roots)):
            self._loop(partial(self._use, right, node), 0.015)

    def _use(self, right: Right, node: int, _: random.Random) -> None:
        right.use_on(node, f"{right.name} on {node}")

    def _begin(self, ask: Callable[[Any], None], service: str) -> None:
        self._loop(lambda choice: ask(choice.choice(self._roots)[service]), 0.01)

    def _loop(self, step: Callable[[random.Random], object], pause: float) -> None:
        choice = random.Random(self._choice.getrandbits(32))

        def run() -> None:
            try:
                while not self._ending.wait(pause):
                    step(choice)
            except Exception:
                self.failures.append(traceback.format_exc())

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait_for_changes(self) -> None:
        """Wait until each right was taken away twice, and conditional writes have succeeded: also on a slow machine."""

        def has_seen_all() -> bool:
            done = [operation for operation in self.history.operations() if operation.succeeded]
            taken = Counter(operation.client for operation in done if operation.kind == "revoke")
            kinds = {operation.kind for operation in done}
            return all(taken[right.name] >= 2 for right in self._rights) and {"compare-and-set", "list"} <= kinds

        deadline = time.monotonic() + SLOWEST
        while not has_seen_all() and time.monotonic() < deadline:
            time.sleep(0.5)

    def stop(self) -> None:
        """End all clients."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def read_all(self) -> list[str]:
        """Read every register once more, when all faults are over, on one node or another; return the unreadable."""
        objects = ObjectClient("objects at the end", self.history, self._objects, 0)
        keys = KeyClient("keys at the end", self.history, self._keys, 0)
        kinds: Sequence[tuple[str, list[Register], Callable[[Any, Register], bool]]] = (
            ("s3", self._objects.all, objects.read), ("kms", self._keys.all, keys.read),
        )  # fmt: skip
        left = [(service, register, read) for service, registers, read in kinds for register in registers]
        deadline = float("inf")  # until each has been tried once, which takes long after a long run
        while left and time.monotonic() < deadline:
            left = [
                (service, register, read)
                for place, (service, register, read) in enumerate(left)
                if not read(self._roots[place % len(self._roots)][service], register)
            ]
            deadline = min(deadline, time.monotonic() + READ_LIMIT)
        return [f"{register.name} cannot be read" for _, register, _ in left]


def run(nodes: Nodes, lanes: Sequence[Lane], seconds: float, seed: int, *, clients: int) -> tuple[Findings, History]:
    """Let clients and faults run for some seconds, wait until all nodes are ready, and check what was seen."""
    workload = Workload(nodes, seed, clients)
    workload.start()
    for lane in lanes:
        lane.start()
    _report_until(time.monotonic() + seconds, workload.history, lanes)
    workload.wait_for_changes()
    for lane in lanes:
        lane.stop()
    failures = [lane.failure for lane in lanes if lane.failure]
    try:
        for node in nodes:
            node.wait_ready()
    except AssertionError as error:
        failures.append(str(error))
    workload.stop()
    failures += workload.read_all()
    findings = check(workload.history.operations(), nodes.bound)
    findings.failures += failures + workload.failures
    return findings, workload.history


def _report_until(deadline: float, history: History, lanes: Sequence[Lane]) -> None:
    """Wait, and say each minute how far the run is."""
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, 60.0))
        counts = ", ".join(f"{len(lane.done)} faults of {lane.name}" for lane in lanes)
        print(f"{time.strftime('%H:%M:%S')} {len(history)} operations, {counts}", flush=True)


def check(operations: Sequence[Operation], bound: float = 0.0) -> Findings:
    """Return what the checkers find in a history of nodes with a revocation bound.

    Objects are read from the database, and are linearizable whatever the bound is. Keys are read from memory.
    """
    kinds = ("read", "write", "compare-and-set")
    registers: dict[str, list[Operation]] = {}
    for operation in operations:
        if operation.kind in kinds:
            registers.setdefault(operation.subject, []).append(operation)
    outcomes = Counter(operation.outcome.value for operation in operations)
    findings = Findings(len(operations), outcomes, len(registers), measure_honoured(operations))
    for name, group in registers.items():
        try:
            found = check_register(name, group)
            if found and bound and not name.startswith(f"{BUCKET}/"):
                found = check_register(name, group, lag=bound * CLOCKS)
                findings.lagging += not found
        except UndecidedError as error:
            findings.undecided.append(str(error))
            continue
        findings.violations += [str(found)] if found else []
    findings.violations += [str(broken) for broken in check_revocations(operations)]
    findings.violations += [str(broken) for broken in check_lists(operations)]
    return findings


def _list_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def main(seconds: float, seed: int, bound: float) -> int:
    """Run the long form; return the exit status."""
    with fake_s3.running() as bucket, machine() as place:
        database = Database(place)
        database.start()
        assert database.run("CREATE DATABASE fuin TEMPLATE template0") is not None, place.logs()
        engines = Engines(
            lambda ports: database.address("fuin", ports), [server.port for server in database.servers],
            bucket.server_address[1], fake_s3.BUCKET, new_user("s3"),
        )  # fmt: skip
        nodes = Nodes(place, engines, ["node1", "node2", "node3"], bound=bound)
        nodes.init()
        nodes.start()
        servers = DatabaseFaults(database, seed)
        lanes = [
            Lane("nodes", NodeFaults(nodes, seed, 5.0).all(), seed, (0.3, 2.0)),
            Lane("blobs", BlobFaults(bucket, seed, 3.0).all(), seed, (2.0, 10.0)),
            Lane("the database", servers.all(), seed, (0.5, 2.0)),
        ]
        print(
            f"seed {seed}: three nodes with a bound of {bound:g} s and three database servers run; "
            f"faults and clients for {seconds:.0f} s",
            flush=True,
        )
        findings, history = run(nodes, lanes, seconds, seed, clients=3)
        for lane in lanes:
            print(f"faults of {lane.name}: {len(lane.done)} ({_list_counts(lane.counts)})")
        print(f"failovers: {servers.failovers}")
        if findings.violations:
            file = Path(tempfile.gettempdir()) / f"fuin-history-{seed}.jsonl"
            history.write(file)
            print(f"the history is in {file}")
        if findings.violations or findings.failures:
            print(place.logs(40))
        print(findings)
    return 1 if findings.violations or findings.failures else 0


if __name__ == "__main__":
    enter_namespace(["tests.cluster.histories", *sys.argv[1:]])
    given = dict(enumerate(sys.argv))
    sys.exit(main(float(given[1]), int(given.get(2, random.randrange(1 << 16))), float(given.get(3, 1.0))))
