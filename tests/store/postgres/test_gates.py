"""A write by a right that was taken never commits once the revocation has returned, and nobody starves."""

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import Connection, text

from fuin.store.engine import epoch
from fuin.store.engine.effect import Effect
from fuin.store.engine.postgres import gates
from fuin.store.errors import RightsMoved
from fuin.store.store import Store
from tests.store.postgres.conftest import NewNode
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_until

SECONDS = 3.0


def _nothing(_: Connection) -> None:
    """Change nothing: the change's epoch alone matters."""


def _commit(store: Store, fn: Callable[[Connection], object], since: int | None) -> None:
    """Write with rights of an epoch, or do not write if that has moved."""

    async def story() -> None:
        await store.commit(fn, Effect.NONE, since)

    asyncio.run(story())


def _rights(store: Store) -> int:
    store.catalog()
    return store.rights_epoch


def _late_writes(
    new_node: NewNode, postgres: PostgresServer, database: str, seconds: float = SECONDS, *, enough: int | None = None
) -> tuple[int, int]:
    """Write at two nodes while a third one revokes; return the revocations, and those that a write came after.

    It ends after some seconds, or when `enough` writes came too late.
    """
    postgres.execute("CREATE TABLE writes (since BIGINT NOT NULL)", database)
    stop, done = threading.Event(), []

    def write(store: Store) -> None:
        while not stop.is_set():
            since = _rights(store)
            try:
                _commit(store, partial(_record, since=since), since)
            except RightsMoved:
                continue
            done.append(since)

    threads = [threading.Thread(target=write, args=(new_node(name),)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    revoker, counts = new_node("c"), dict[int, object]()
    with postgres.connect(database) as watch:

        def count_writes(before: int) -> object:
            return watch.execute("SELECT count(*) FROM writes WHERE since < %s", [before]).fetchall()

        def count_late() -> int:
            return sum(count_writes(now) != count for now, count in counts.items())

        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and (enough is None or count_late() < enough):
            revoker.change_sync(_nothing)
            now = _rights(revoker)
            counts[now] = count_writes(now)
        stop.set()
        for thread in threads:
            thread.join()
        late = count_late()
    assert late or len(done) > 10
    return len(counts), late


def _record(conn: Connection, since: int) -> None:
    conn.execute(text("SELECT pg_sleep(0.002)"))
    conn.execute(text("INSERT INTO writes VALUES (:since)"), {"since": since})


def test_no_write_comes_after_the_revocation(new_node: NewNode, postgres: PostgresServer, database: str) -> None:
    """What a write by an older epoch of rights leaves is there when the revocation returns, or never."""
    revocations, late = _late_writes(new_node, postgres, database)
    assert revocations > 10
    assert late == 0


def test_without_the_gate_writes_come_too_late(
    new_node: NewNode, postgres: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above sees it when a writer does not lock its gate before it reads the epoch."""
    monkeypatch.setattr(gates, "_LOCK_OWN", "SELECT serial FROM gates WHERE node = {node}")
    _, late = _late_writes(new_node, postgres, database, 60.0, enough=1)
    assert late > 0


def test_a_new_gate_waits_for_a_revoker_that_cannot_see_it(
    new_node: NewNode, postgres: PostgresServer, database: str
) -> None:
    """A node that joins makes its gate behind the row of the epoch, so the revoker has seen it or is through."""
    revoker, writer = new_node("a"), new_node("new")
    revoker.write_sync(_bump_nothing)
    begun, go = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        assert go.wait(60)

    revoking = threading.Thread(target=revoker.change_sync, args=(hold,))
    since = _rights(writer)
    revoking.start()
    assert begun.wait(60)
    outcome: list[object] = []

    def write() -> None:
        try:
            _commit(writer, _bump_nothing, since)
        except RightsMoved:
            outcome.append(RightsMoved)

    writing = threading.Thread(target=write)
    writing.start()
    _wait_for_lock(postgres, database)
    go.set()
    writing.join(60)
    revoking.join(60)
    assert outcome == [RightsMoved]


def _bump_nothing(conn: Connection) -> None:
    conn.execute(text("UPDATE meta SET value = value WHERE name = 'nothing'"))


def _wait_for_lock(postgres: PostgresServer, database: str) -> None:
    question = f"SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = '{database}'"
    wait_until(lambda: bool(postgres.execute(question)), 30, "somebody waits for a lock")


def test_workers_of_a_node_take_turns(new_node: NewNode, postgres: PostgresServer, database: str) -> None:
    """Two processes of a node have one gate: one transaction at a time, and serials without a gap."""
    first, second = new_node("a"), new_node("a")
    begun, go = threading.Event(), threading.Event()
    serials: dict[Store, int] = {}  # by store: which thread goes on first after its commit is the machine's choice

    def hold(conn: Connection) -> None:
        begun.set()
        assert go.wait(60)
        conn.execute(text("UPDATE buckets SET policy = 'x'"))

    def note(store: Store, fn: Callable[[Connection], object]) -> None:
        serials[store] = store.commit_sync(fn)[1]

    threads = [threading.Thread(target=note, args=(first, hold))]
    threads[0].start()
    assert begun.wait(60)
    threads.append(
        threading.Thread(target=note, args=(second, lambda conn: conn.execute(text("UPDATE buckets SET policy = 'y'"))))
    )
    threads[1].start()
    _wait_for_lock(postgres, database)
    assert not serials
    go.set()
    for thread in threads:
        thread.join(60)
    assert serials[second] == serials[first] + 1
    assert first.read_sync(lambda conn: conn.execute(text("SELECT policy FROM buckets")).scalar_one()) == "y"


def test_deadlock_runs_the_batch_again(new_node: NewNode, postgres: PostgresServer, database: str) -> None:
    """Two nodes lock two rows the other way round: the server ends one of them, and both have written in the end."""
    postgres.execute("CREATE TABLE pair (id INT PRIMARY KEY, n INT); INSERT INTO pair VALUES (1, 0), (2, 0)", database)
    both, runs = threading.Barrier(2), []

    def crosswise(first: int, second: int) -> Callable[[Connection], None]:
        tries: list[int] = []

        def run(conn: Connection) -> None:
            runs.append(first)
            tries.append(1)
            conn.execute(text("UPDATE pair SET n = n + 1 WHERE id = :id"), {"id": first})
            if len(tries) == 1:
                both.wait(60)
            conn.execute(text("UPDATE pair SET n = n + 1 WHERE id = :id"), {"id": second})

        return run

    threads = [
        threading.Thread(target=new_node(name).write_sync, args=(crosswise(*order),))
        for name, order in (("a", (1, 2)), ("b", (2, 1)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert postgres.execute("SELECT n FROM pair ORDER BY id", database) == [(2,), (2,)]
    assert len(runs) == 3


def test_a_revoker_is_not_starved(new_node: NewNode, postgres: PostgresServer, database: str) -> None:
    """Eight nodes write without pause: nine of ten revocations take less than a few of their transactions."""
    stop, times = threading.Event(), []

    def write(name: str) -> None:
        begin = gates.Statements(name)
        with postgres.connect(database) as conn:
            conn.execute(begin.add.encode(), prepare=False)
            while not stop.is_set():
                conn.execute(begin.begin.encode(), prepare=False)
                conn.execute("SELECT pg_sleep(0.001)")
                conn.execute("COMMIT")

    threads = [threading.Thread(target=write, args=(f"writer-{number}",)) for number in range(8)]
    revoker = new_node("revoker")
    for thread in threads:
        thread.start()
    for _ in range(50):
        started = time.monotonic()
        revoker.change_sync(_nothing)
        times.append(time.monotonic() - started)
    stop.set()
    for thread in threads:
        thread.join()
    assert sorted(times)[45] < 0.5, sorted(times)
    assert epoch.rights_part(revoker.read_sync(epoch.read_epoch)) >= 50
