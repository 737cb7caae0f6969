"""The one thread of a process that writes: jobs that wait together share one transaction and one fsync."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import queue
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from fuin.errors import OutcomeUnknown, StoreUnavailable
from fuin.store.engine.effect import Effect
from fuin.store.errors import RightsMoved

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.store.engine.engine import Engine, WriteSession

_BATCH_AT_MOST = 256
# Seconds after which no further job joins a transaction. It holds the lock that the writes of other processes wait for,
# and of many nodes each change of rights, which gives up after five seconds.
_JOINING_SECONDS = 0.25
_TRIES = 5  # of a transaction that others were in the way of, or that lost its connection before its COMMIT
_FEWER = 4  # times, the jobs of each further try; the last one of 256 has one

AnyFuture = asyncio.Future[Any] | concurrent.futures.Future[Any]


@dataclass(slots=True, eq=False)
class Job:
    """One call of `fn(conn, *args)` and the receiver of its outcome: an event loop's future, or a waiting thread.

    `since` is the epoch of rights of its checks: at another one the job fails with RightsMoved. None means no check.
    """

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    effect: Effect
    future: AnyFuture
    loop: asyncio.AbstractEventLoop | None
    alone: bool = False  # runs outside any transaction, with the session instead of a connection
    since: int | None = None
    witnessed: bool = False  # the outcome is the result and the serial of its commit
    serial: int = 0  # of its commit; 0 when that wrote nothing
    result: Any = field(default=None)
    error: BaseException | None = field(default=None)

    def settle(self) -> None:
        """Give the outcome to the caller, if it still waits."""
        if self.future.done():
            return  # cancelled meanwhile; the write succeeds or fails all the same
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

    def __init__(self, engine: Engine) -> None:
        """Start the thread; raises what opening the database raises."""
        self._engine = engine
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
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
        """Finish the queued jobs and end the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self, started: concurrent.futures.Future[None]) -> None:
        try:
            session = self._engine.open_write_session()
        except BaseException as error:  # goes to the thread that opens the store
            started.set_exception(error)
            return
        started.set_result(None)
        while batch := self._batch():
            for jobs in _split(batch):
                left = jobs
                while left:
                    count = self._run_jobs(session, left)
                    _answer(session, left[:count])
                    left = left[count:]
        session.close()

    def _run_jobs(self, session: WriteSession, jobs: list[Job]) -> int:
        """Run the first jobs, as many as have room in one transaction, and return how many."""
        if not session.acquire():
            _fail(jobs, "another process has not finished its write")
            return len(jobs)
        try:
            if jobs[0].alone:
                _run_alone(self._engine, session, jobs[0])
                return 1
            return _run_together(self._engine, session, jobs)
        finally:
            session.release()

    def _batch(self) -> list[Job]:
        """Wait for a job and return it with the jobs queued behind it; empty when the writer ends."""
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
    """Return the batch in runs: jobs that share a transaction, and jobs with a transaction of their own."""
    runs: list[list[Job]] = []
    for job in batch:
        if runs and not job.alone and not runs[-1][0].alone:
            runs[-1].append(job)
        else:
            runs.append([job])
    return runs


def _run_alone(engine: Engine, session: WriteSession, job: Job) -> None:
    try:
        job.result = job.fn(session, *job.args)
    except BaseException as error:  # goes to the job's caller
        job.error = StoreUnavailable(str(error)) if engine.is_environment(error) else error


def _run_together(engine: Engine, session: WriteSession, jobs: list[Job]) -> int:
    """Run the first jobs in one transaction, and return how many; when the commit fails, all of them fail.

    A transaction that has written nothing, since another one was in its way, runs again with the first of its jobs:
    two nodes that write the same few objects in different orders would deadlock again and again, but not with one job.
    """
    room = len(jobs)
    for left in reversed(range(_TRIES)):
        run = _Run(jobs[:room])
        error = _try_together(engine, session, run, is_last=left == 0)
        if error is None or left == 0 or not engine.may_run_again(error):
            break
        for job in run.jobs:
            job.result, job.error, job.serial = None, None, 0
        room = -(-len(run.jobs) // _FEWER)
    return len(run.jobs)


@dataclass(slots=True)
class _Run:
    """One try of a transaction; `jobs` become fewer when the first ones have taken long."""

    jobs: list[Job]


def _try_together(engine: Engine, session: WriteSession, run: _Run, *, is_last: bool) -> BaseException | None:
    """Run jobs in one transaction; return the error with which all of them have failed."""
    failure = StoreUnavailable
    try:
        session.begin([job.effect for job in run.jobs])
        _run_each(engine, session, run, is_last=is_last)
        if serial := session.number_commit():
            for job in run.jobs:
                job.serial = serial
        failure = OutcomeUnknown
        session.commit()
    except BaseException as error:  # whatever it is, the thread goes on and the callers get an error
        session.roll_back()
        _fail(run.jobs, str(error), StoreUnavailable if engine.is_certain(error) else failure)
        return error
    return None


def _run_each(engine: Engine, session: WriteSession, run: _Run, *, is_last: bool) -> None:
    """Run jobs one after the other, until the transaction is long enough; the others are left for the next one."""
    end = time.monotonic() + _JOINING_SECONDS
    for number, job in enumerate(run.jobs, 1):
        _run_one(engine, session, job, is_last=is_last)
        if job.effect is not Effect.NONE and job.error is None:
            # At once: those behind it in this transaction are as much later as those in the next.
            session.raise_epoch(takes_rights=job.effect is Effect.MAY_REVOKE)
        if time.monotonic() >= end:
            run.jobs = run.jobs[:number]
            return


def _fail(jobs: list[Job], why: str, failure: type[StoreUnavailable] = StoreUnavailable) -> None:
    for job in jobs:
        # Refusals too: they may rest on what an earlier job of this transaction had written.
        job.result, job.error = None, failure(f"the database cannot be written: {why}")


def _run_one(engine: Engine, session: WriteSession, job: Job, *, is_last: bool) -> None:
    session.begin_job()
    try:
        if job.since is not None and session.rights_epoch() != job.since:
            raise RightsMoved  # noqa: TRY301 - it goes the way of all refusals
        job.result = job.fn(session.conn, *job.args)
    except BaseException as error:
        if engine.is_environment(error) or not session.is_open():
            raise  # nothing of this transaction can be kept
        if not is_last and engine.may_run_again(error):
            raise
        job.error = error
        session.undo_job()
    else:
        session.end_job()


def _answer(session: WriteSession, jobs: list[Job]) -> None:
    """Give the outcomes to their callers; changes that other nodes have to know of first wait for that."""
    if not session.changed_epoch:
        _deliver(jobs)
        return
    changes = [job for job in jobs if job.effect is not Effect.NONE and job.error is None]
    _deliver([job for job in jobs if job.effect is Effect.NONE or job.error is not None])
    try:
        session.answer_change(partial(_deliver, changes))
    except Exception as error:  # such as no room for a thread that waits; this thread must go on
        for job in changes:
            job.result, job.error = None, OutcomeUnknown(f"nobody could wait for the other nodes: {error}")
        _deliver(changes)


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
