"""A database that was moved away, or is being filled: no node gets a gate there, and none that had one writes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from fuin.errors import StoreUnavailable
from fuin.move import finish
from fuin.move.databases import open_postgres, stopped_writes
from fuin.store.engine import epoch, installation
from fuin.store.engine.effect import Effect
from fuin.store.store import Store
from tests.store.postgres.conftest import NewNode
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_until

NUMBER = "SELECT value FROM meta WHERE name = 'number'"


def _write(store: Store, effect: Effect = Effect.NONE) -> int:
    async def story() -> int:
        return (await store.commit(_put, effect, None))[1]

    return asyncio.run(story())


def _put(conn: Connection) -> None:
    installation.put_values(conn, {"number": "1"})


@pytest.mark.parametrize("effect", list(Effect))
def test_closed_gates_let_nobody_write(
    new_node: NewNode, postgres: PostgresServer, database: str, effect: Effect
) -> None:
    """Neither a node that has written before nor a new one; taken back, a gate goes on with its serial."""
    known, new = new_node("a"), new_node("b")
    serial = _write(known)
    with open_postgres(postgres.socket_url(database)) as source:
        before = epoch.read_total(source.conn)
        with stopped_writes(source):
            finish.close_source(source, "there")
        assert epoch.read_total(source.conn) == before
        for store in (known, new, new_node("c")):
            with pytest.raises(StoreUnavailable, match="was moved to there"):
                _write(store, effect)
        assert epoch.read_total(source.conn) == before
        assert finish.take_back(source) == "there"
    assert _write(known, effect) == serial + 1
    assert _write(new, effect) == 1


def test_node_gets_no_gate_where_a_move_goes_to(new_node: NewNode, postgres: PostgresServer, database: str) -> None:
    """The database holds a part of an installation only."""
    postgres.execute("INSERT INTO meta VALUES ('moving', 'ours')", database)
    with pytest.raises(StoreUnavailable, match="being filled"):
        _write(new_node("a"))


@pytest.mark.parametrize("name", ["a", "new"], ids=["own-gate", "no-gate"])
def test_writer_that_waits_at_the_gate_is_refused(
    new_node: NewNode, postgres: PostgresServer, database: str, name: str
) -> None:
    """It has begun before the move was finished, and finds the gate closed when it gets there."""
    _write(new_node("a"))
    store, failures = new_node(name), list[BaseException]()
    postgres.execute("DELETE FROM meta WHERE name = 'number'", database)

    def write() -> None:
        try:
            _write(store, Effect.NONE)
        except StoreUnavailable as error:
            failures.append(error)

    with open_postgres(postgres.socket_url(database)) as source, stopped_writes(source):
        waiting = threading.Thread(target=write)
        waiting.start()
        _wait_for_a_lock(postgres, database)
        finish.close_source(source, "there")
        waiting.join(20)
        assert source.conn.execute(text(NUMBER)).all() == []
    assert "was moved to there" in str(failures[0])


def _wait_for_a_lock(postgres: PostgresServer, database: str) -> None:
    waits: Callable[[], object] = lambda: postgres.execute(  # noqa: E731 - one question
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()", database
    )
    wait_until(lambda: bool(waits()), 10, "the writer waits")
