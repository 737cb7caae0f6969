"""The writer: one commit for many jobs, each job's outcome its own, and failures of the disk told to all."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from fuin.errors import OutcomeUnknown, StoreUnavailable
from fuin.settings import Settings
from fuin.store.engine import epoch, sqlite
from fuin.store.engine.effect import Effect
from fuin.store.engine.sqlite_engine import SqliteWriteSession
from fuin.store.engine.write_lock import WriteLock
from fuin.store.errors import AlreadyExists, RightsMoved
from fuin.store.identity import accounts
from fuin.store.s3 import buckets
from fuin.store.s3.buckets import Bucket
from fuin.store.store import Store
from tests.store import values
from tests.store.holding import held_writer


def _name(number: int) -> Bucket:
    return values.bucket(f"bucket-{number:04}")


def _insertion(number: int) -> Callable[[Connection], None]:
    return lambda conn: buckets.insert_bucket(conn, _name(number))


@pytest.mark.sqlite_only("its data version counts the commits")
def test_waiting_jobs_share_one_commit(store: Store, settings: Settings) -> None:
    """Jobs that queue up behind a slow one become visible together, by one commit."""

    async def story() -> None:
        watch = sqlite.connect(settings.database)
        versions = [watch.execute("PRAGMA data_version").fetchone()[0]]
        async with held_writer(store):
            jobs = [asyncio.ensure_future(store.write(buckets.insert_bucket, _name(n))) for n in range(100)]
            await asyncio.sleep(0)  # they wait for the writer
        await asyncio.gather(*jobs)
        versions.append(watch.execute("PRAGMA data_version").fetchone()[0])
        watch.close()
        assert versions[1] - versions[0] <= 1
        assert len(store.read_sync(buckets.list_buckets, values.ACCOUNT)) == 101

    asyncio.run(story())


def test_refused_job_undoes_its_own_writes_only(store: Store) -> None:
    """One job of a batch that raises after it wrote leaves nothing, and the others' writes stay."""

    async def story() -> None:
        def half(conn: Connection) -> None:
            buckets.insert_bucket(conn, values.bucket("half-written"))
            buckets.insert_bucket(conn, values.bucket("bucket"))

        outcomes = await asyncio.gather(
            store.write(lambda _: time.sleep(0.1)),
            store.write(buckets.insert_bucket, values.bucket("before")),
            store.write(half),
            store.write(buckets.insert_bucket, values.bucket("after")),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [type(None), type(None), AlreadyExists, type(None)]
        assert [one.name for one in store.read_sync(buckets.list_buckets, values.ACCOUNT)] == [
            "after",
            "before",
            "bucket",
        ]

    asyncio.run(story())


def test_cancelled_waiter_costs_the_others_nothing(store: Store) -> None:
    """A task that is cancelled while it waits does not lose the answers of its batch."""

    async def story() -> None:
        async with held_writer(store):
            first, second, third = (asyncio.ensure_future(store.write(epoch.read_epoch)) for _ in range(3))
            await asyncio.sleep(0)
            second.cancel()
        assert await first == await third
        with pytest.raises(asyncio.CancelledError):
            await second

    asyncio.run(story())


def test_changes_bump_the_epoch_with_what_they_change(store: Store) -> None:
    """A change moves the epoch, a write does not, and a refused change does not."""

    async def story() -> None:
        before = store.read_sync(epoch.read_epoch)
        await store.write(buckets.insert_bucket, values.bucket("written"))
        assert store.read_sync(epoch.read_epoch) == before
        await store.change(buckets.insert_bucket, values.bucket("changed"))
        changed = store.read_sync(epoch.read_epoch)
        assert changed > before
        with pytest.raises(AlreadyExists):
            await store.change(buckets.insert_bucket, values.bucket("changed"))
        assert store.read_sync(epoch.read_epoch) == changed

    asyncio.run(story())


def test_only_what_may_take_a_right_moves_the_epoch_of_rights(store: Store) -> None:
    """What adds something moves the epoch, for the catalogs, and leaves the rights of others' changes alone."""

    async def story() -> None:
        store.catalog()
        before = store.rights_epoch
        for number in range(3):
            await store.commit(_insertion(number), Effect.ADDS, before)
        assert store.read_sync(epoch.read_epoch) & 0xFFFFFFFF == 3
        await store.commit(_insertion(3), Effect.MAY_REVOKE, before)
        assert epoch.rights_part(store.read_sync(epoch.read_epoch)) == before + 1
        for effect in Effect:
            with pytest.raises(RightsMoved):
                await store.commit(_insertion(4), effect, before)
        await asyncio.sleep(0)
        store.catalog()
        assert store.rights_epoch == before + 1
        await store.commit(_insertion(4), Effect.NONE, store.rights_epoch)

    asyncio.run(story())


def test_rights_move_within_a_transaction(store: Store) -> None:
    """Of two changes in one transaction the later one knows of the earlier one, though nobody else does yet."""

    async def story() -> None:
        store.catalog()
        since = store.rights_epoch
        async with held_writer(store):
            jobs = [asyncio.ensure_future(store.commit(_insertion(n), Effect.MAY_REVOKE, since)) for n in (1, 2)]
            await asyncio.sleep(0)
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [tuple, RightsMoved]
        assert [one.name for one in store.read_sync(buckets.list_buckets, values.ACCOUNT)] == ["bucket", "bucket-0001"]

    asyncio.run(story())


def test_close_finishes_what_is_queued(settings: Settings) -> None:
    """Jobs that were accepted before close are committed by it."""

    async def story() -> None:
        store = Store.open(settings)
        store.change_sync(accounts.insert_account, values.ACCOUNT, 1.0)
        slow = asyncio.ensure_future(store.write(lambda _: time.sleep(0.1)))
        jobs = [asyncio.ensure_future(store.write(buckets.insert_bucket, _name(n))) for n in range(600)]
        await asyncio.sleep(0)
        store.close()
        await asyncio.gather(slow, *jobs)
        store = Store.open(settings)
        assert len(store.read_sync(buckets.list_buckets, values.ACCOUNT)) == 600
        store.close()

    asyncio.run(story())


def test_threads_write_through_the_same_writer(store: Store) -> None:
    """Synchronous writes of several threads all arrive."""
    names = [[_name(10 * thread + n) for n in range(10)] for thread in range(4)]

    def work(mine: list[Bucket]) -> None:
        for one in mine:
            store.change_sync(buckets.insert_bucket, one)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.read_sync(buckets.list_buckets, values.ACCOUNT)) == 41


@pytest.mark.sqlite_only("its write lock")
def test_locked_database_is_unavailable(store: Store, settings: Settings) -> None:
    """When another process holds the write lock too long, the writes fail, and go on once it is free."""
    store.write_sync(lambda conn: sqlite.raw_of(conn).execute("PRAGMA busy_timeout = 50").fetchone())
    holder = sqlite.connect(settings.database)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        store.write_sync(buckets.insert_bucket, values.bucket("late"))
    holder.execute("ROLLBACK")
    holder.close()
    store.write_sync(buckets.insert_bucket, values.bucket("late"))


@pytest.mark.sqlite_only("its lock file")
def test_turn_that_never_comes_is_unavailable(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that hangs in its turn makes the others' writes fail, not wait for ever; later they go on."""
    monkeypatch.setattr(sqlite, "BUSY_MILLISECONDS", 100)
    store = Store.open(settings)
    hanging = WriteLock(settings.database.with_name("fuin.db.turn"), 1.0)
    assert hanging.acquire()
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="another process"):
            store.write_sync(accounts.insert_account, values.ACCOUNT, 1.0)
    hanging.release()
    time.sleep(0.1)
    store.write_sync(accounts.insert_account, values.ACCOUNT, 1.0)
    hanging.close()
    store.close()


@pytest.mark.sqlite_only("its lock file")
def test_waiting_process_gets_its_turn_before_a_busy_one_has_another(store: Store, settings: Settings) -> None:
    """One store writes without pause; another's single writes wait for about one commit, not for luck."""
    other = Store.open(settings)
    stop = threading.Event()
    turns: list[float] = []

    def slow(conn: Connection) -> None:
        buckets.set_policy(conn, "bucket", "x")
        time.sleep(0.02)

    def busy() -> None:
        while not stop.is_set():
            started = time.monotonic()
            other.write_sync(slow)
            turns.append(time.monotonic() - started)

    thread = threading.Thread(target=busy)
    thread.start()
    waits = []
    for _ in range(20):
        started = time.monotonic()
        store.write_sync(buckets.set_policy, "bucket", "y")
        waits.append(time.monotonic() - started)
    stop.set()
    thread.join()
    other.close()
    usual = sorted(turns)[len(turns) // 2]
    assert sorted(waits)[15] < 0.2 + 3 * usual, (waits, turns)


_FAILING_SYNC = """
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <errno.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <unistd.h>
    static int fails(int file) {
        char link[64], path[4096];
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        ssize_t length = readlink(link, path, sizeof path);
        return length > 4 && !memcmp(path + length - 4, "-wal", 4) && !access(getenv("SYNC_FAILS"), F_OK);
    }
    static int sync_by(const char *name, int file) {
        if (fails(file)) { errno = EIO; return -1; }
        return ((int (*)(int)) dlsym(RTLD_NEXT, name))(file);
    }
    int fsync(int file) { return sync_by("fsync", file); }
    int fdatasync(int file) { return sync_by("fdatasync", file); }
"""

_COMMITS_WITHOUT_SYNC = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from fuin.settings import Settings
    from fuin.store.identity import accounts
    from fuin.store.store import Store

    store = Store.open(Settings(data=Path(sys.argv[1])))
    store.write_sync(accounts.insert_account, "111111111111", 1.0)
    Path(os.environ["SYNC_FAILS"]).touch()
    try:
        store.write_sync(accounts.insert_account, "222222222222", 1.0)
    except Exception as error:
        print(type(error).__name__, store.read_sync(accounts.list_accounts), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
""")


@pytest.mark.sqlite_only("its write-ahead log")
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler to make fsync fail")
def test_commit_that_fails_in_fsync_may_come_back(tmp_path: Path, settings: Settings) -> None:
    """A commit refused for a failing fsync is not seen, yet a crash may bring it back: its outcome is unknown."""
    library = tmp_path / "failing.so"
    source = textwrap.dedent(_FAILING_SYNC).encode()
    subprocess.run(["cc", "-shared", "-fPIC", "-xc", "-", "-o", str(library), "-ldl"], input=source, check=True)
    variables = {**os.environ, "LD_PRELOAD": str(library), "SYNC_FAILS": str(tmp_path / "now")}
    done = subprocess.run(
        [sys.executable, "-c", _COMMITS_WITHOUT_SYNC, str(settings.data)],
        env=variables, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == f"{OutcomeUnknown.__name__} ['111111111111']"
    store = Store.open(settings)
    assert store.read_sync(accounts.list_accounts) == ["111111111111", "222222222222"]
    store.close()


def test_wrong_statement_is_its_caller_s_error(store: Store) -> None:
    """An error of the statement, not of the disk, goes to the caller as it is."""
    with pytest.raises(Exception, match=r"no such table|does not exist"):
        store.write_sync(lambda conn: conn.execute(text("SELECT * FROM nowhere")))


def test_an_error_shows_no_values(store: Store) -> None:
    """What is logged has the statement and not what it would have written, such as sealed key material."""
    with pytest.raises(Exception, match=r"no such table|does not exist") as caught:
        store.write_sync(lambda conn: conn.execute(text("INSERT INTO nowhere VALUES (:v)"), {"v": "sealed-bytes"}))
    assert "sealed-bytes" not in str(caught.value)


_FULL_DISK = textwrap.dedent("""
    import asyncio, resource, signal, sys, time
    from sqlalchemy import text
    from pathlib import Path
    from fuin.errors import StoreUnavailable
    from fuin.settings import Settings
    from fuin.store.engine import sqlite
    from fuin.store.identity import accounts
    from fuin.store.s3 import buckets
    from fuin.store.store import Store
    from tests.store import values

    def innocent(conn) -> None:
        conn.execute(text("UPDATE buckets SET policy = 'innocent'"))

    def too_much(conn) -> None:
        # More than the cache holds: the disk is full in the middle of the transaction, not at its commit.
        sqlite.raw_of(conn).execute("PRAGMA cache_size = 5")
        for number in range(200):
            buckets.insert_bucket(conn, values.bucket(f"much-{number}-" + "x" * 3000))

    async def main() -> None:
        settings = Settings(data=Path(sys.argv[1]))
        store = Store.open(settings)
        await store.change(accounts.insert_account, values.ACCOUNT, 1.0)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = (settings.data / "fuin.db-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, resource.RLIM_INFINITY))
        kept = refused = 0
        for round in range(40):
            names = [values.bucket(f"bucket-{round}-{n}-" + "x" * 2000) for n in range(4)]
            jobs = [store.change(buckets.insert_bucket, bucket) for bucket in names]
            outcomes = await asyncio.gather(*jobs, return_exceptions=True)
            assert all(outcome is None or isinstance(outcome, StoreUnavailable) for outcome in outcomes), outcomes
            kept += outcomes.count(None)
            refused += sum(outcome is not None for outcome in outcomes)
            present = {b.name for b in store.read_sync(buckets.list_buckets, values.ACCOUNT)}
            for bucket, outcome in zip(names, outcomes, strict=True):
                assert (bucket.name in present) == (outcome is None)
        assert kept and refused, (kept, refused)
        jobs = [store.write(f) for f in (lambda _: time.sleep(0.1), innocent, too_much)]
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes[1:]] == [StoreUnavailable, StoreUnavailable], outcomes
        assert {b.policy for b in store.read_sync(buckets.list_buckets, values.ACCOUNT)} == {None}
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await store.change(buckets.insert_bucket, values.bucket("room-again"))
        assert len(store.read_sync(buckets.list_buckets, values.ACCOUNT)) == kept + 1
        assert store.catalog().bucket("room-again")
        store.close()

    asyncio.run(main())
""")


def test_full_disk_fails_the_batch_and_nothing_else(tmp_path: Path) -> None:
    """When the file cannot grow, writes are StoreUnavailable and leave no trace; with room again they go on."""
    ended = subprocess.run([sys.executable, "-c", _FULL_DISK, str(tmp_path / "data")], capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr.decode()


@pytest.mark.sqlite_only("PostgreSQL defers no constraint")
def test_failed_commit_refuses_the_whole_batch(store: Store) -> None:
    """A COMMIT that fails by a deferred constraint takes every job of its transaction with it, and says so to each."""

    async def both() -> list[BaseException | None]:
        return await asyncio.gather(  # type: ignore[return-value]
            store.write(lambda _: time.sleep(0.1)),
            store.write(buckets.insert_bucket, values.bucket("innocent")),
            store.write(_break_commit),
            return_exceptions=True,
        )

    outcomes = asyncio.run(both())
    assert [type(outcome) for outcome in outcomes[1:]] == [StoreUnavailable, StoreUnavailable]
    assert store.read_sync(buckets.find_bucket, "innocent") is None
    store.write_sync(buckets.insert_bucket, values.bucket("innocent"))


def _break_commit(conn: Connection) -> None:
    raw: sqlite3.Connection = sqlite.raw_of(conn)
    raw.execute("PRAGMA defer_foreign_keys = ON")
    raw.execute("UPDATE buckets SET account = 'nobody'")


@pytest.mark.sqlite_only("on PostgreSQL every change raises the epoch that is waited for")
def test_change_that_nobody_can_wait_for_is_unknown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the wait for the other nodes cannot begin, the change's outcome is unknown, and the writer goes on."""

    commit = SqliteWriteSession.commit

    def commit_a_change(session: SqliteWriteSession) -> None:
        commit(session)
        session.changed_epoch = 1

    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    async def story() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(SqliteWriteSession, "commit", commit_a_change)
            patch.setattr(SqliteWriteSession, "answer_change", fail)
            with pytest.raises(OutcomeUnknown, match="new thread"):
                await store.change(buckets.insert_bucket, _name(1))
        await store.change(buckets.insert_bucket, _name(2))

    asyncio.run(story())
    names = {bucket.name for bucket in store.read_sync(buckets.list_buckets, values.ACCOUNT)}
    assert {_name(1).name, _name(2).name} <= names
