"""Opening, reading and closing the store."""

import multiprocessing
import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from fuin.errors import StoreUnavailable
from fuin.settings import Settings
from fuin.store.engine import installation, sqlite
from fuin.store.errors import NoDatabase, SchemaTooNew
from fuin.store.identity import accounts
from fuin.store.store import Store
from tests.store import values


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.sqlite_only("it is about files")
def test_files_are_readable_by_the_owner_only(settings: Settings) -> None:
    """Database, log and shared memory have mode 0600 whatever the umask says."""
    before = os.umask(0)
    try:
        store = Store.open(settings)
        store.change_sync(accounts.insert_account, values.ACCOUNT, 1.0)
        modes = {path.name: _mode(path) for path in settings.data.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert set(modes) == {"fuin.db", "fuin.db-wal", "fuin.db-shm", "fuin.db.lock", "fuin.db.turn"}
    assert set(modes.values()) == {0o600}
    assert _mode(settings.data) == 0o700


@pytest.mark.sqlite_only("it is about pragmas")
def test_pragmas_hold_on_every_connection(settings: Settings) -> None:
    """Each connection syncs its commits, checks references and overwrites what it removes."""
    Store.open(settings).close()
    raw = sqlite.connect(settings.database)
    wanted = {"synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "trusted_schema": 0, "journal_mode": "wal"}
    assert {name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted} == wanted
    raw.close()


def test_what_was_written_is_there_after_opening_again(settings: Settings) -> None:
    """A store that is closed and opened again, without being allowed to create, shows what was written."""
    store = Store.open(settings)
    store.write_sync(installation.insert_meta, installation.Meta(values.ACCOUNT, values.REGION, 12.25))
    store.close()
    store = Store.open(settings, create=False)
    assert store.read_sync(installation.find_meta) == installation.Meta(values.ACCOUNT, values.REGION, 12.25)
    store.close()


@pytest.mark.sqlite_only("it is about a file")
def test_nothing_is_made_where_creation_is_not_asked(settings: Settings) -> None:
    """A command in the wrong folder is told so and leaves nothing behind."""
    with pytest.raises(NoDatabase):
        Store.open(settings, create=False)
    assert not settings.data.exists()


@pytest.mark.sqlite_only("it compares the file")
def test_newer_schema_is_refused(settings: Settings) -> None:
    """A database of a newer Fuin is left as it is."""
    Store.open(settings).close()
    with sqlite3.connect(settings.database) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    content = settings.database.read_bytes()
    with pytest.raises(SchemaTooNew, match="9999"):
        Store.open(settings)
    assert settings.database.read_bytes() == content


@pytest.mark.sqlite_only("it is about a file")
def test_file_that_is_no_database_is_refused(settings: Settings) -> None:
    """Some other file in the database's place is an error and stays as it is."""
    settings.data.mkdir()
    settings.database.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreUnavailable):
        Store.open(settings)
    assert settings.database.read_bytes() == b"not a database at all" * 100


def _open(settings: Settings, start: "threading.Barrier") -> None:
    start.wait()
    Store.open(settings).close()


def test_two_processes_open_a_new_database_at_once(settings: Settings) -> None:
    """Only one of them migrates; both find the whole schema."""
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(2)
    processes = [spawn.Process(target=_open, args=(settings, start)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]


def test_queries_of_one_read_see_one_state(settings: Settings) -> None:
    """What another process commits between two queries of a read is not seen by the second."""
    store, other = Store.open(settings), Store.open(settings)

    def twice(conn: Connection) -> tuple[list[str], list[str]]:
        first = accounts.list_accounts(conn)
        other.change_sync(accounts.insert_account, values.ACCOUNT, 1.0)
        return first, accounts.list_accounts(conn)

    assert store.read_sync(twice) == ([], [])
    assert store.read_sync(accounts.list_accounts) == [values.ACCOUNT]
    store.close()
    other.close()


@pytest.mark.sqlite_only("PostgreSQL reads on a connection for each")
def test_read_within_a_read_is_refused(store: Store) -> None:
    """Catalog entries read from an older state than the catalog's epoch would be stale, so it is an error."""

    def nested(_: Connection) -> None:
        store.read_sync(accounts.list_accounts)

    with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
        store.read_sync(nested)
    assert store.read_sync(accounts.list_accounts) == [values.ACCOUNT]


def test_reads_cannot_leave_writes_behind(store: Store) -> None:
    """The connection that reads refuses to write."""
    with pytest.raises(StoreUnavailable, match=r"read-?only"):
        store.read_sync(lambda conn: conn.execute(text("DELETE FROM buckets")))
    assert store.catalog().bucket("bucket") is not None


def test_closed_store_refuses_writes(settings: Settings) -> None:
    """After close a write is StoreUnavailable, not a wait without end."""
    store = Store.open(settings)
    store.close()
    with pytest.raises(StoreUnavailable):
        store.write_sync(accounts.insert_account, values.ACCOUNT, 1.0)
