"""The short form of the histories: two nodes on one PostgreSQL, blobs in a bucket that fails, and a few faults."""

import contextlib
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from fuin.testing.kit.users import new_user
from tests.cluster import histories
from tests.cluster.faults import BlobFaults, Lane, NodeFaults
from tests.cluster.history import History
from tests.cluster.machine.nodes import Engines, Nodes, client
from tests.cluster.machine.processes import machine
from tests.cluster.registers import BUCKET
from tests.cluster.rights import KeyPolicy
from tests.cluster.rules import check_revocations
from tests.support import fake_s3
from tests.support.fake_s3 import FakeS3
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_until

SECONDS, SEED = 10.0, 11


class Installation(NamedTuple):
    """Two nodes that run, and the bucket of their blobs."""

    nodes: Nodes
    bucket: FakeS3


@pytest.fixture(scope="module")
def leased(postgres: PostgresServer) -> Iterator[Installation]:
    """Give nodes with leases of a second."""
    with _running(postgres, 1.0) as made:
        yield made


@pytest.fixture
def exact(postgres: PostgresServer) -> Iterator[Installation]:
    """Give nodes that ask for the epoch in each turn."""
    with _running(postgres, 0.0) as made:
        yield made


@contextlib.contextmanager
def _running(postgres: PostgresServer, bound: float) -> Iterator[Installation]:
    with fake_s3.running() as bucket, postgres.database() as name, machine() as place:
        engines = Engines(
            lambda ports: postgres.url(name, port=ports[0]), [postgres.port], bucket.server_address[1],
            fake_s3.BUCKET, new_user("s3"),
        )  # fmt: skip
        made = Nodes(place, engines, ["node1", "node2"], bound=bound)
        made.init()
        made.start()
        yield Installation(made, bucket)


@pytest.mark.real
def test_silent_lease_keeper_delays_the_answer(leased: Installation) -> None:
    """While a node's lease keeper is stopped, PutKeyPolicy returns only when that node no longer honours the old one.

    The node goes on to use it meanwhile, as its lease allows.
    """
    nodes = leased.nodes
    history, done = History(), threading.Event()
    right = KeyPolicy("right", history, [node.url for node in nodes], SEED)
    first, second = nodes.nodes
    root = {service: client(service, first.url, nodes.root, attempts=5) for service in ("kms", "iam")}
    right.prepare(root)

    def use() -> None:
        while not done.wait(0.005):
            right.use_on(1, "user")

    user = threading.Thread(target=use)
    user.start()
    try:
        for _ in range(3):
            _record(history, "grant", right, root)
            wait_until(lambda: _succeeds(right), 60, "the right holds")
            (keeper,) = second.parts("fuin.server.lease_keeper")
            keeper.send_signal(signal.SIGSTOP)
            _record(history, "revoke", right, root)
            before = _uses(history)
            wait_until(partial(_has_uses, history, before + 4), 60, "uses after the answer")
            with contextlib.suppress(psutil.NoSuchProcess):  # the supervisor replaces one that is stopped for long
                keeper.send_signal(signal.SIGCONT)
            second.wait_ready()
    finally:
        done.set()
        user.join()
    assert not check_revocations(history.operations())


@pytest.mark.real
def test_no_client_sees_what_cannot_be(leased: Installation, tmp_path: Path) -> None:
    """Under pauses, kills, partitions and a failing blob store objects are linearizable registers, keys lag by no more
    than a lease, and no right outlives the answer to its revocation.
    """
    _run_and_check(leased, tmp_path)


@pytest.mark.real
def test_no_client_sees_what_cannot_be_with_the_exact_bound(exact: Installation, tmp_path: Path) -> None:
    """Keys are linearizable registers too."""
    _run_and_check(exact, tmp_path)


def _run_and_check(installation: Installation, tmp_path: Path) -> None:
    nodes, bucket = installation
    lanes = [
        Lane("nodes", NodeFaults(nodes, SEED, 1.5).all(), SEED, (0.2, 0.8)),
        Lane("blobs", BlobFaults(bucket, SEED, 1.0).all(), SEED, (1.0, 2.0)),
    ]
    findings, history = histories.run(nodes, lanes, SECONDS, SEED, clients=1)
    if findings.violations:
        history.write(tmp_path / "history.jsonl")
    assert not findings.violations, f"{findings}\nsee {tmp_path / 'history.jsonl'}"
    assert not findings.failures, str(findings)
    assert all(lane.done for lane in lanes)
    done = Counter(operation.kind for operation in history.operations() if operation.succeeded)
    assert {"read", "write", "compare-and-set", "list", "grant", "revoke", "use"} <= set(done), done


def test_checkers_are_asked() -> None:
    """A run with a lost write, a use of a revoked right and a list without a written object has three violations."""
    history = History()
    for kind, subject, value in (
        ("write", "registers/a", "1"), ("revoke", "right", None), ("use", "right", None), ("read", "registers/a", None),
        ("list", "registers", None),
    ):  # fmt: skip
        with history.record("client", kind, subject, value) as pending:
            pending.succeed(() if kind == "list" else None)
    assert len(histories.check(history.operations()).violations) == 3


def test_keys_may_lag_by_a_lease_and_objects_may_not() -> None:
    """Answers that are right for a key, and counted, are wrong for an object and with the exact bound."""
    history = History()
    with history.record("a", "write", "key", "new") as write:
        for value in ("new", None):
            with history.record("b", "read", "key") as read:
                read.succeed(value)
        write.succeed()
    of_key = history.operations()
    of_object = [replace(operation, subject=f"{BUCKET}/key") for operation in of_key]
    leased = histories.check(of_key, 1.0)
    assert (leased.violations, leased.lagging) == ([], 1)
    assert len(histories.check(of_key, 0.0).violations) == 1
    assert len(histories.check(of_object, 1.0).violations) == 1


def _record(history: History, kind: str, right: KeyPolicy, root: dict[str, object]) -> None:
    assert right.holding is not None
    with history.record("root", kind, right.holding.subject) as pending:
        (right.give if kind == "grant" else right.take)(root, right.holding)
        pending.succeed()


def _succeeds(right: KeyPolicy) -> bool:
    assert right.holding is not None
    try:
        right.use(right.holding.clients[1], right.holding)
    except Exception:
        return False
    return True


def _uses(history: History) -> int:
    return sum(operation.kind == "use" for operation in history.operations())


def _has_uses(history: History, number: int) -> bool:
    return _uses(history) >= number
