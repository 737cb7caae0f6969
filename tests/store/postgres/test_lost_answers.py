"""A lost connection before a COMMIT is sent costs nothing; after it, the row in `commits` says what became of it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from fuin.errors import OutcomeUnknown, StoreUnavailable
from fuin.settings import Settings
from fuin.store.engine.postgres import settlement
from fuin.store.identity import accounts
from fuin.store.store import Store
from tests.store.postgres.conftest import NewNode
from tests.support.database_proxy import Cut, DatabaseProxy
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_until

_COMMIT = b"\x00\x00\x00\x0bCOMMIT\x00"  # the whole message


def _insertion(runs: list[str], account: str = "111111111111") -> Callable[[Connection], None]:
    def insert(conn: Connection) -> None:
        runs.append(account)
        accounts.insert_account(conn, account, 1.0)

    return insert


def _accounts(store: Store) -> list[str]:
    return store.read_sync(accounts.list_accounts)


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(Cut(b"INSERT INTO accounts", arrives=True), id="before the commit"),
        pytest.param(Cut(_COMMIT, arrives=False), id="a commit that never arrived"),
    ],
)
def test_what_has_not_committed_runs_again(new_node: NewNode, proxy: DatabaseProxy, cut: Cut) -> None:
    """There is no row in `commits`, and never will be: the transaction runs again unseen by the caller."""
    store = new_node("a", proxy.port)
    runs: list[str] = []
    proxy.cut = cut
    store.change_sync(_insertion(runs))
    assert proxy.cut is None
    assert len(runs) == 2
    assert "111111111111" in _accounts(store)


def test_commit_whose_answer_was_lost(new_node: NewNode, proxy: DatabaseProxy) -> None:
    """There is a row: it has committed, and the caller has its result; nothing runs twice."""
    store = new_node("a", proxy.port)
    runs: list[str] = []
    epoch = _epoch(store)
    proxy.cut = Cut(_COMMIT, arrives=True)
    store.change_sync(_insertion(runs))
    assert proxy.cut is None
    assert runs == ["111111111111"]
    assert "111111111111" in _accounts(store)
    assert _epoch(store) >> 32 == (epoch >> 32) + 1


def _epoch(store: Store) -> int:
    return int(store.read_sync(lambda conn: conn.execute(text("SELECT value FROM epoch")).scalar_one()))


def test_outcome_that_nobody_can_tell(new_node: NewNode, proxy: DatabaseProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is lost and no server can be reached: the outcome is unknown, and is called so."""
    monkeypatch.setattr(settlement, "DEADLINE_SECONDS", 0.2)
    store = new_node("a", proxy.port)
    proxy.cut, proxy.is_open = Cut(_COMMIT, arrives=True), False
    with pytest.raises(OutcomeUnknown):
        store.change_sync(_insertion([]))
    with pytest.raises(StoreUnavailable) as refused:
        store.change_sync(_insertion([], "222222222222"))
    assert not isinstance(refused.value, OutcomeUnknown)
    proxy.is_open = True
    store.change_sync(_insertion([], "333333333333"))
    assert {"111111111111", "333333333333"} <= set(_accounts(store))
    assert "222222222222" not in _accounts(store)


def test_backend_that_was_terminated(new_node: NewNode, postgres: PostgresServer, database: str) -> None:
    """An administrator ends the connection in the middle of a job: it runs again."""
    store, runs = new_node("a"), []

    def insert(conn: Connection) -> None:
        runs.append(1)
        if len(runs) == 1:
            pid = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
            postgres.execute(f"SELECT pg_terminate_backend({pid}, 10000)", database)
        accounts.insert_account(conn, "111111111111", 1.0)

    store.change_sync(insert)
    assert len(runs) == 2
    assert "111111111111" in _accounts(store)


@pytest.fixture
def lonely(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """Give a server of the test's own, whose settings may change."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def test_commit_with_a_warning_is_not_believed(lonely: PostgresServer, settings_of: Settings) -> None:
    """Somebody cancels the wait for the standby: COMMIT succeeds with a warning, and the writer asks for a proof."""
    store = Store.open(settings_of)
    store.write_sync(_insertion([], "222222222222"))
    lonely.execute("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
    lonely.execute("SELECT pg_reload_conf()")
    wait_until(lambda: lonely.execute("SHOW synchronous_standby_names") == [("absent",)], 30, "it waits for a standby")
    writer = threading.Thread(target=store.change_sync, args=(_insertion([]),))
    writer.start()
    [first] = _waiting(lonely)
    lonely.execute(f"SELECT pg_cancel_backend({first})")
    [second] = _waiting(lonely, other=first)
    assert second != first
    assert writer.is_alive()
    lonely.execute("ALTER SYSTEM RESET synchronous_standby_names")
    lonely.execute("SELECT pg_reload_conf()")
    writer.join(60)
    assert not writer.is_alive()
    assert "111111111111" in _accounts(store)
    store.close()


@pytest.fixture
def settings_of(lonely: PostgresServer, tmp_path: Path) -> Settings:
    """Return the settings of a node on it."""
    return Settings(data=tmp_path, database_url=lonely.url(), node="a")


def _waiting(server: PostgresServer, other: int = 0) -> list[int]:
    found: list[int] = []

    def look() -> bool:
        question = f"SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid <> {other}"
        found[:] = [pid for (pid,) in server.execute(question)]
        return bool(found)

    wait_until(look, 60, "a commit waits for a standby")
    return found
