"""A process without a lease: its changes wait for the nodes, its first write on a later timeline for older leases."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fuin.store.engine.leases.page import Page, boot_time
from fuin.store.engine.leases.protocol import SECOND, Lease
from fuin.store.engine.postgres.address import Address
from fuin.store.engine.postgres.alone import Alone
from fuin.store.engine.postgres.connections import Connector, Link, disconnect, link_of
from fuin.store.s3 import buckets
from fuin.store.store import Store
from tests.store.postgres.conftest import NewNode
from tests.support.postgres import PostgresServer

LEASE = 0.6


def _add_row(postgres: PostgresServer, database: str, name: str, lease: float, acked: int = -1) -> None:
    postgres.execute(
        "INSERT INTO nodes (name, incarnation, beat, acked, joined, renewed, lease, version, address, load, log_head) "
        f"VALUES ('{name}', decode('{name.encode().hex()}', 'hex'), 0, {acked}, 0, 0, {lease}, '', '', '', '')",
        database,
    )


def _change(store: Store) -> float:
    began = time.monotonic()
    store.change_sync(buckets.set_policy, "bucket", "1")
    return time.monotonic() - began


def test_a_change_returns_at_once_where_no_node_has_a_lease(
    new_node: NewNode, postgres: PostgresServer, database: str
) -> None:
    """There is nobody, or the nodes ask for the epoch in each turn."""
    store = new_node("command")
    _change(store)
    _add_row(postgres, database, "exact", 0)
    assert min(_change(store) for _ in range(5)) < LEASE


def test_a_change_waits_for_the_lease_of_a_silent_node(
    new_node: NewNode, postgres: PostgresServer, database: str
) -> None:
    """The longest lease counts, from the commit on; what takes no right from memory does not wait."""
    store = new_node("command")
    _add_row(postgres, database, "short", 0.1)
    _add_row(postgres, database, "silent", LEASE)
    assert _change(store) >= LEASE * 1.002
    waits = []
    for _ in range(5):
        began = time.monotonic()
        store.write_sync(buckets.set_policy, "bucket", "2")
        waits.append(time.monotonic() - began)
    assert min(waits) < LEASE


def test_a_change_returns_when_the_last_node_has_acknowledged_it(
    new_node: NewNode, postgres: PostgresServer, database: str
) -> None:
    """Not before, though the leases are long."""
    store = new_node("command")
    _add_row(postgres, database, "fast", 600.0, acked=2**60)
    _add_row(postgres, database, "slow", 600.0)
    done = threading.Event()

    def change() -> None:
        _change(store)
        done.set()

    threading.Thread(target=change, daemon=True).start()
    assert not done.wait(0.5)
    postgres.execute("UPDATE nodes SET acked = (SELECT value FROM epoch)", database)
    assert done.wait(20)


@pytest.fixture
def link(postgres: PostgresServer, database: str) -> Iterator[Link]:
    """Give a connection to the database."""
    conn = Connector(Address.parse(postgres.url(database)), "command").connect()
    yield link_of(conn)
    disconnect(conn)


def _time_of(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def test_the_first_write_on_a_later_timeline_waits_for_older_leases(
    postgres: PostgresServer, database: str, link: Link
) -> None:
    """Once on each timeline, also for nodes that are exact; never on the first one."""
    _add_row(postgres, database, "silent", LEASE)
    connector = Connector(Address.parse(postgres.url(database)), "command")
    alone, confirmed = Alone(connector), []

    def confirm() -> Link:
        confirmed.append(True)
        return link

    alone.require_writable("00000001", confirm)
    assert not confirmed
    assert _time_of(lambda: alone.require_writable("00000002", confirm)) >= LEASE * 1.002
    alone.require_writable("00000002", confirm)
    assert len(confirmed) == 1
    postgres.execute("UPDATE nodes SET lease = 0", database)
    assert _time_of(lambda: alone.require_writable("00000003", confirm)) >= 1.002


def test_the_page_of_a_node_on_this_machine_says_that_older_leases_have_ended(
    postgres: PostgresServer, database: str, link: Link, tmp_path: Path
) -> None:
    """Then a command need not wait; a page of an earlier timeline says nothing."""
    _add_row(postgres, database, "silent", LEASE)
    lease = Lease(SECOND, timeline=2, writes_from=boot_time() - 1)
    Page.create(tmp_path / "lease").show(lease)
    alone = Alone(Connector(Address.parse(postgres.url(database)), "command"), tmp_path / "lease")
    assert _time_of(lambda: alone.require_writable("00000002", lambda: link)) < LEASE
    assert _time_of(lambda: alone.require_writable("00000003", lambda: link)) >= LEASE


def test_a_proof_is_a_committed_write(new_node: NewNode, postgres: PostgresServer, database: str) -> None:
    """The writer commits a row of its own, which a replaced server could not."""
    store = new_node("command")
    before = postgres.execute("SELECT count(*) FROM commits", database)[0][0]
    session = store._engine.open_write_session()
    session.begin([])
    session.roll_back()
    conn = session._confirm_nothing()  # type: ignore[attr-defined]
    assert conn.timeline
    assert postgres.execute("SELECT count(*) FROM commits", database)[0][0] == before + 1
    disconnect(session.conn)
    session.close()
