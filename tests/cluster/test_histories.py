"""The short form of the histories: two nodes on one PostgreSQL, blobs in a bucket that fails, and a few faults."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuin.testing.kit.users import new_user
from tests.cluster import histories
from tests.cluster.faults import BlobFaults, Lane, NodeFaults
from tests.cluster.history import History
from tests.cluster.machine.nodes import Engines, Nodes
from tests.cluster.machine.processes import Machine, machine
from tests.support import fake_s3
from tests.support.fake_s3 import FakeS3
from tests.support.postgres import PostgresServer

SECONDS, SEED = 12.0, 11


@contextlib.contextmanager
def _two_nodes(place: Machine, postgres: PostgresServer, bucket: FakeS3) -> Iterator[Nodes]:
    with postgres.database() as name:
        engines = Engines(
            lambda ports: postgres.url(name, port=ports[0]), [postgres.port], bucket.server_address[1],
            fake_s3.BUCKET, new_user("s3"),
        )  # fmt: skip
        nodes = Nodes(place, engines, ["node1", "node2"])
        nodes.init()
        nodes.start()
        try:
            yield nodes
        finally:
            for node in nodes:
                node.process.kill()


@pytest.mark.real
def test_no_client_sees_what_cannot_be(postgres: PostgresServer, tmp_path: Path) -> None:
    """Under pauses, kills, partitions and a failing blob store all registers are linearizable, and no right outlives
    the answer to its revocation.
    """
    with fake_s3.running() as bucket, machine() as place, _two_nodes(place, postgres, bucket) as nodes:
        lanes = [
            Lane("nodes", NodeFaults(nodes, SEED, 1.5).all(), SEED, (0.2, 0.8)),
            Lane("blobs", BlobFaults(bucket, SEED, 1.0).all(), SEED, (1.0, 2.0)),
        ]
        findings, history = histories.run(nodes, lanes, SECONDS, SEED, clients=1)
    print(findings, *(line for lane in lanes for line in lane.done), sep="\n")
    if findings.violations:
        history.write(tmp_path / "history.jsonl")
    assert not findings.violations, f"{findings}\nsee {tmp_path / 'history.jsonl'}"
    assert not findings.failures, f"{findings}"
    assert all(lane.done for lane in lanes)
    assert findings.outcomes["ok"] > 200
    assert findings.honoured.since_answered is not None


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
