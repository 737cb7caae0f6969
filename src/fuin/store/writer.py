"""The one thread of a process that writes: jobs that wait together share one transaction and one fsync."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import enum
import queue
import sqlite3
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fuin.errors import OutcomeUnknown, StoreUnavailable
from fuin.store import connect, meta
from fuin.store.errors import RightsMoved
from fuin.store.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

_BATCH_AT_MOST = 256

AnyFuture = asyncio.Future[Any] | concurrent.futures.Future[Any]


class Effect(enum.Enum):
    """What a write does to the catalogs of all processes, and to rights."""

    NONE = 0  # nothing that catalogs hold
    GIVES = 1  # adds to what catalogs hold, and takes no right from anybody
    TAKES = 2  # may take a right from somebody


@dataclass(slots=True, eq=False)
class Job:
    """One call of `fn(conn, *args)` and where its outcome goes: to an event loop's future, or to a waiting thread.

    `since` is the epoch of rights by which it is right: later it is RightsMoved. None asks for nothing.
    """

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    effect: Effect
    future: AnyFuture
    loop: asyncio.AbstractEventLoop | None
    alone: bool = False  # runs outside any transaction, for checkpoints
    since: int | None = None
    witnessed: bool = False  # the outcome is the result and the serial of its commit
    serial: int = 0  # of its commit; 0 when that wrote nothing
    result: Any = field(default=None)
    error: BaseException | None = field(default=None)

    def settle(self) -> None:
        """Give the outcome to whoever still waits for it."""
        if self.future.done():
            return  # cancelled meanwhile; the write stands or fails all the same
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result((self.result, self.serial) if self.witnessed else self.result)


def _settle_all(jobs: list[Job]) -> None:
    for job in jobs:
        # One waiter's trouble (a loop that closes, a cancelled future) must not cost the others their answers.
        with contextlib.suppress(asyncio.InvalidStateError, concurrent.futures.InvalidStateError):
            job.settle()


class Writer:
    """The writer thread and its queue."""

    def __init__(self, path: Path) -> None:
        """Start the thread; raises what opening the database raises."""
        self._path = path
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._turns = Turns(path.with_name(path.name + ".turn"), connect.BUSY_MILLISECONDS / 1000)
        started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="fuin-writer", daemon=True)
        self._thread.start()
        started.result()

    def submit(self, job: Job) -> None:
        """Queue a job; raises StoreUnavailable after `close`."""
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            self._queue.put(job)

    def close(self) -> None:
        """Finish what is queued and end the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self, started: concurrent.futures.Future[None]) -> None:
        try:
            engine = connect.make_engine(self._path)
            conn = engine.connect()
        except BaseException as error:  # goes to whoever opens the store
            started.set_exception(error)
            return
        started.set_result(None)
        raw = connect.raw_of(conn)
        while batch := self._batch():
            for jobs in _split(batch):
                self._run_in_turn(conn, raw, jobs)
                _deliver(jobs)
        conn.close()
        engine.dispose()
        self._turns.close()

    def _run_in_turn(self, conn: Connection, raw: sqlite3.Connection, jobs: list[Job]) -> None:
        if not self._turns.take():
            _fail(jobs, "another process has not finished its write")
            return
        try:
            if jobs[0].alone:
                _run_alone(conn, jobs[0])
            else:
                _run_together(conn, raw, jobs)
        finally:
            self._turns.give()

    def _batch(self) -> list[Job]:
        """Wait for a job and take along what has queued up behind it; empty when the writer ends."""
        batch: list[Job] = []
        job = self._queue.get()
        while job is not None:
            batch.append(job)
            if len(batch) >= _BATCH_AT_MOST:
                break
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
        else:
            self._queue.put(None)  # nothing comes after it: the next round finds it first, and ends
            return batch
        return batch


def _split(batch: list[Job]) -> list[list[Job]]:
    """Return the batch in runs: jobs that share a transaction, and jobs that stand alone."""
    runs: list[list[Job]] = []
    for job in batch:
        if runs and not job.alone and not runs[-1][0].alone:
            runs[-1].append(job)
        else:
            runs.append([job])
    return runs


def _run_alone(conn: Connection, job: Job) -> None:
    try:
        job.result = job.fn(conn, *job.args)
    except BaseException as error:  # goes to the job's caller
        job.error = StoreUnavailable(str(error)) if connect.is_environment(error) else error


def _run_together(conn: Connection, raw: sqlite3.Connection, jobs: list[Job]) -> None:
    """Run jobs in one transaction; when it cannot be committed, none of them has happened and all of them fail."""
    failure = StoreUnavailable
    try:
        raw.execute("BEGIN IMMEDIATE")
        changes = raw.total_changes
        for job in jobs:
            _run_one(conn, raw, job)
            if job.effect is not Effect.NONE and job.error is None:
                # At once: those behind it in this transaction are as much later as those in the next.
                meta.bump_epoch(conn, takes_rights=job.effect is Effect.TAKES)
        if raw.total_changes != changes:  # else there is nothing to commit, and no fsync to wait for
            _number(jobs, meta.bump_serial(raw))
        failure = OutcomeUnknown
        raw.execute("COMMIT")
    except BaseException as error:  # whatever it is, the thread goes on and the callers are told
        _give_up(raw)
        _fail(jobs, str(error), StoreUnavailable if connect.is_certain(error) else failure)


def _number(jobs: list[Job], serial: int) -> None:
    for job in jobs:
        job.serial = serial


def _fail(jobs: list[Job], why: str, failure: type[StoreUnavailable] = StoreUnavailable) -> None:
    for job in jobs:
        # Refusals too: they may rest on what an earlier job of this transaction had written.
        job.result, job.error = None, failure(f"the database cannot be written: {why}")


def _run_one(conn: Connection, raw: sqlite3.Connection, job: Job) -> None:
    raw.execute("SAVEPOINT job")
    try:
        if job.since is not None and meta.rights_of(meta.epoch(conn)) != job.since:
            raise RightsMoved  # noqa: TRY301 - it goes the way of all refusals
        job.result = job.fn(conn, *job.args)
    except BaseException as error:
        if connect.is_environment(error) or not raw.in_transaction:
            raise  # a full disk may have ended the whole transaction: https://www.sqlite.org/lang_transaction.html
        job.error = error
        raw.execute("ROLLBACK TO job")
    raw.execute("RELEASE job")


def _give_up(raw: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        if raw.in_transaction:
            raw.execute("ROLLBACK")


def _deliver(jobs: list[Job]) -> None:
    loops: dict[asyncio.AbstractEventLoop | None, list[Job]] = {}
    for job in jobs:
        loops.setdefault(job.loop, []).append(job)
    for loop, waiting in loops.items():
        if loop is None:
            _settle_all(waiting)
        else:
            with contextlib.suppress(RuntimeError):  # that loop has closed, nobody waits there
                loop.call_soon_threadsafe(_settle_all, waiting)
