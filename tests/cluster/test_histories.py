"""The short form of the histories: two nodes on one PostgreSQL, blobs in a bucket that fails, and a few faults."""

import contextlib
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from fuin.testing.kit.users import new_user
from tests.cluster import histories
from tests.cluster.faults import BlobFaults, Lane, NodeFaults
from tests.cluster.history import History
from tests.cluster.machine.nodes import Engines, Nodes, client
from tests.cluster.machine.processes import machine
from tests.cluster.rights import KeyPolicy
from tests.cluster.rules import check_revocations
from tests.support import fake_s3
from tests.support.fake_s3 import FakeS3
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_until

SECONDS, SEED = 10.0, 11


@pytest.fixture(scope="module")
def bucket() -> Iterator[FakeS3]:
    """Give the bucket of the blobs."""
    with fake_s3.running() as server:
        yield server


@pytest.fixture(scope="module")
def nodes(postgres: PostgresServer, bucket: FakeS3) -> Iterator[Nodes]:
    """Give two nodes that run."""
    with postgres.database() as name, machine() as place:
        engines = Engines(
            lambda ports: postgres.url(name, port=ports[0]), [postgres.port], bucket.server_address[1],
            fake_s3.BUCKET, new_user("s3"),
        )  # fmt: skip
        made = Nodes(place, engines, ["node1", "node2"])
        made.init()
        made.start()
        yield made


@pytest.mark.real
def test_silent_lease_keeper_delays_the_answer(nodes: Nodes) -> None:
    """While a node's lease keeper is stopped, PutKeyPolicy returns only when that node no longer honours the old one.

    The node goes on to use it meanwhile, as its lease allows.
    """
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
def test_no_client_sees_what_cannot_be(nodes: Nodes, bucket: FakeS3, tmp_path: Path) -> None:
    """Under pauses, kills, partitions and a failing blob store all registers are linearizable, and no right outlives
    the answer to its revocation.
    """
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
