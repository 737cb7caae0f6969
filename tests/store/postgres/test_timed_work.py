"""Timed work runs on one node: who holds it, when it changes hands, and that the clock goes on across machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fuin import clock
from fuin.clock import Kept, Reading
from fuin.errors import StoreUnavailable
from fuin.store.engine import node_rows, steady_time, timed_work

if TYPE_CHECKING:
    from fuin.store.store import Store
    from tests.store.postgres.conftest import NewNode
    from tests.support.postgres import PostgresServer

A, B = b"a" * 16, b"b" * 16


def _list(postgres: PostgresServer, database: str, name: str, incarnation: bytes) -> None:
    postgres.execute(
        f"INSERT INTO nodes VALUES ('{name}', '\\x{incarnation.hex()}', 0, 0, 0, 0, 1, '0.4', '', '', '')", database
    )


@pytest.fixture
def nodes(new_node: NewNode, postgres: PostgresServer, database: str) -> tuple[Store, Store]:
    """Give the stores of two nodes in the list."""
    made = new_node("a"), new_node("b")
    _list(postgres, database, "a", A)
    _list(postgres, database, "b", B)
    return made


def test_one_node_holds_the_work_until_it_is_removed(
    nodes: tuple[Store, Store], postgres: PostgresServer, database: str
) -> None:
    """Whoever comes first keeps the work; when its row is gone another one takes it, and the first is refused."""
    a, b = nodes
    for _ in range(2):
        assert a.write_sync(timed_work.take, "a", A)
        assert not b.write_sync(timed_work.take, "b", B)
    assert b.read_sync(node_rows.look).holder == "a"
    postgres.execute("DELETE FROM nodes WHERE name = 'a'", database)
    a.write_sync(timed_work.require, "a", A)  # nobody has taken it yet
    assert b.read_sync(node_rows.look).holder == ""
    assert b.write_sync(timed_work.take, "b", B)
    with pytest.raises(StoreUnavailable, match="another node"):
        a.write_sync(timed_work.require, "a", A)
    _list(postgres, database, "a", A)
    assert not a.write_sync(timed_work.take, "a", A)


def test_another_start_of_the_holder_takes_over(
    nodes: tuple[Store, Store], postgres: PostgresServer, database: str
) -> None:
    """A node that starts again has another incarnation: the former one holds nothing any longer."""
    a, b = nodes
    assert a.write_sync(timed_work.take, "a", A)
    postgres.execute(f"UPDATE nodes SET incarnation = '\\x{(b'c' * 16).hex()}' WHERE name = 'a'", database)
    assert b.write_sync(timed_work.take, "b", B)
    assert not a.write_sync(timed_work.take, "a", b"c" * 16)


def test_node_without_a_row_takes_nothing(nodes: tuple[Store, Store]) -> None:
    """A node that has not joined, or was removed, does no timed work even if nobody does."""
    assert not nodes[0].write_sync(timed_work.take, "a", B)


def test_another_machine_counts_on(nodes: tuple[Store, Store]) -> None:
    """The next holder counts from its first look at what was saved: no time is invented, and none after it is lost."""
    a, b = nodes
    a.write_sync(steady_time.save, clock.begin(Reading(1000.0, "boot a", 50.0, 50.0, 5.0), 1000.0, 3600.0, 9999.0))
    saved = a.write_sync(steady_time.advance, Reading(1015.0, "boot a", 65.0, 65.0, 20.0), 3600.0, None, None)
    assert saved.steady == 1015.0
    first = Reading(1020.0, "boot b", 7000.0, 7000.0, 3.0)  # five seconds after the save
    assert clock.on_this_machine(saved, first).boottime == 7000.0
    seen = Reading(1080.0, "boot b", 7060.0, 7060.0, 63.0)
    kept: Kept = b.write_sync(steady_time.advance, seen, 3600.0, (saved, first), None)
    assert 1075.0 <= kept.steady <= 1075.0 + 60 * clock.PULL
    assert kept.boot == "boot b"
    # A state that this machine has not seen before counts from now; the wall clock alone moves nothing.
    alone = clock.on_this_machine(saved, seen)
    assert clock.advance(alone, seen).steady == saved.steady
    far = Reading(1080.0 + 9000, "boot b", 7061.0, 7061.0, 64.0)
    assert b.write_sync(steady_time.advance, far, 3600.0, None, None).held == clock.AHEAD


def test_fence_keeps_a_removed_holder_from_saving(nodes: tuple[Store, Store]) -> None:
    """The check runs in the transaction that saves: nothing is saved when it raises."""
    a, _ = nodes
    before = clock.begin(clock.read(), 1000.0, 3600.0)
    a.write_sync(steady_time.save, before)
    with pytest.raises(StoreUnavailable):
        a.write_sync(steady_time.advance, clock.read(), 3600.0, None, lambda conn: timed_work.require(conn, "a", A))
    assert a.read_sync(steady_time.get) == before
