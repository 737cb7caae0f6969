"""A move out takes row and lease from every node, and none of them joins anew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuin.move import finish
from fuin.move.databases import open_postgres, stopped_writes
from fuin.store.engine.leases import rows
from fuin.store.engine.leases.line import Line
from fuin.store.engine.postgres.address import Address
from fuin.store.errors import MovedAway, UnfinishedMove
from tests.store.leases.nodes import Nodes
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_until


@pytest.fixture(params=[1.0, 0.0], ids=["leased", "exact"])
def nodes(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer, postgres_template: str
) -> Iterator[Nodes]:
    """Give three nodes with each kind of bound."""
    with postgres.database(postgres_template) as database:
        made = Nodes(tmp_path, postgres, database, request.param)
        try:
            made.wait_for_leases()
            yield made
        finally:
            made.close()


def test_no_lease_lives_while_writes_are_stopped(nodes: Nodes) -> None:
    """All have ended after the seconds that the block gets; undone, all nodes go on."""
    with open_postgres(nodes.postgres.socket_url(nodes.database)) as source:
        with stopped_writes(source) as seconds:
            assert 1.0 <= seconds < 1.1
            time.sleep(seconds)
            for _ in range(20):
                assert not any(node.has_lease() for node in nodes.all)
                time.sleep(0.05)
        nodes.wait_for_leases()


def test_no_node_joins_after_the_move(nodes: Nodes) -> None:
    """Each keeper ends with a sentence; taken back, it starts again."""
    with open_postgres(nodes.postgres.socket_url(nodes.database)) as source:
        with stopped_writes(source):
            finish.close_source(source, "there")
        for node in nodes.all:
            wait_until(node.has_ended, 20, "the keeper has ended")
            assert not node.has_lease()
        assert nodes.rows() == {}
        node = nodes[0]
        node.launch()
        with pytest.raises(AssertionError, match="was moved to there"):
            node.wait_until_ready()
        wait_until(node.has_ended, 20, "the keeper has ended")
        finish.take_back(source)
    node.launch()
    node.wait_until_ready()
    assert list(nodes.rows()) == [node.name]


@pytest.mark.parametrize(("name", "error"), [("moved", MovedAway), ("moving", UnfinishedMove)], ids=["moved", "moving"])
def test_join_is_refused(postgres: PostgresServer, postgres_template: str, name: str, error: type[Exception]) -> None:
    """The transaction of the join has ended then, and holds nothing."""
    with postgres.database(postgres_template) as database:
        postgres.execute(f"INSERT INTO meta VALUES ('{name}', 'there')", database)
        line = Line.connect(Address.parse(postgres.socket_url(database)).hosts[0], 5.0)
        try:
            with pytest.raises(error):
                rows.begin_join(line, 5.0)
            postgres.execute("SELECT 1 FROM epoch WHERE id = 1 FOR UPDATE NOWAIT", database)
            postgres.execute("DELETE FROM meta WHERE name IN ('moved', 'moving')", database)
            assert rows.begin_join(line, 5.0) == {}
        finally:
            line.close()
