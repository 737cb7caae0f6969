"""The store of one process: the connections, the thread that writes, the thread of lists, and the catalog.

How the store stays fresh
=========================

A request asks about ten questions of the database: whose access key this is, which policies its user has, which key an
alias names, and so on. To read each answer anew would cost more than the request. So each worker keeps the answers in
its *catalog* (`catalog.py`), and the store promises: **a catalog is never older than the request that it answers.**

Four numbers carry that promise.

* The **epoch** is a counter in the database. Every change to what catalogs hold raises it, in the same transaction.
* The **epoch of rights** is its upper half. Only changes that can take a right from somebody raise that.
* The **data version** is SQLite's own number. It changes in a connection when any other connection has committed. It is
  in shared memory, so to look at it costs less than two microseconds (`engine/freshness.py`).
* The **serial** numbers the commits, whatever they write. It is for backups and the audit log, not for freshness.

An example with two workers, A and B. Ann may use a key; Bob administers it.

1. Ann's request comes to A. It calls `store.catalog()`. The data version is the same as at the last look, so the
   catalog is as it was, and Ann's policies and the key come from memory. She is allowed.
2. Somebody puts an object through B. The index changes, the epoch does not. At its next request, A sees a new data
   version, reads the epoch, finds it the same, and keeps its catalog. So objects, which are written all the time, cost
   a worker one small read, and not its memory.
3. Bob takes Ann's right away, through B: `change()` writes the policy and raises the epoch, both halves, in one
   transaction. When that is on the disk, Bob has his answer.
4. Ann's next request comes to A. The data version is new, the epoch is new: A empties its catalog, reads Ann's policies
   again, and refuses. There was no message from B to A that could be lost, and no time to wait for.
5. Another request of Ann was between two steps: it was allowed before step 3, to create a grant, and then waited for
   the keyholder. Its `commit()` brings the epoch of rights at which Ann was allowed. The writer compares it with the
   one in the database, inside the transaction. They differ, so nothing is written: RightsMoved. The gate checks all
   rights again with the new catalog, and refuses (docs/decisions/0007).

The writer's thread runs the jobs that wait together in one transaction, each in a part of its own that can be undone
alone. A job sees what the jobs before it have written. It answers when the transaction is on the disk.

In one turn of the event loop the database is asked once at most. All that runs in a turn was received before its first
question, and what is received later runs in a later turn. After an `await`, ask `catalog()` again.

An installation of many nodes keeps the same promise on PostgreSQL, which has no data version (decision 0020). There a
node holds a *lease*: for some hundred milliseconds it knows the epoch, and `catalog()` looks at it in a page of memory.
A change returns when every other node has its epoch in force, or when every lease from before it has ended. With a
bound of 0 the node asks the database instead: `catalog()` raises NotInMemory, and the decision runs again with the
answer to a question that was sent after the call. In step 4 above, Ann's request may come to another machine. That
machine has acknowledged the epoch of step 3, or has no lease any longer and refuses, or asks and sees it.

What is not in the catalog is read from the database. SQLite answers at once, on the event loop: that is cheaper than
any thread. Another engine may have to wait. A decision cannot wait in its middle, so a look-up then raises
NotInMemory. Then `consult`, which runs the decision, fetches what is missing and runs the decision again from its
beginning. A fetched row comes with the epoch of its own snapshot: if the catalog has moved on meanwhile, the row is
dropped and read again.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from fuin.errors import FuinError, StoreUnavailable
from fuin.store.catalog import Catalog
from fuin.store.engine import epoch
from fuin.store.engine.configuration import configured_engine
from fuin.store.engine.effect import Effect
from fuin.store.engine.lists import Lists
from fuin.store.engine.writer import Job, Writer
from fuin.store.errors import DatabaseAway, NotInMemory
from fuin.store.kms import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from fuin.settings import Settings
    from fuin.store.engine.engine import Engine, WriteSession

_ERASE_TRIES = 10
_ERASE_PAUSE = 0.2  # seconds; readers hold their transactions for a millisecond, lists for some hundred at most

# Rows that one decision may wait for, one after the other. It asks about ten questions; the others are for changes
# meanwhile, each of which empties the catalog.
FETCHES_AT_MOST = 256

P = ParamSpec("P")
T = TypeVar("T")


def _read_with_epoch(conn: Connection, fn: Callable[..., T], args: tuple[Any, ...]) -> tuple[int, T]:
    return epoch.read_epoch(conn), fn(conn, *args)


class _Fetched(NamedTuple):
    """The result of a look-up, and the epoch of the state that it saw."""

    epoch: int
    row: Any
    refusal: FuinError | None = None


def _fetch(conn: Connection, fn: Callable[..., Any], args: tuple[Any, ...]) -> _Fetched:
    value = epoch.read_epoch(conn)
    try:
        return _Fetched(value, fn(conn, *args))
    except FuinError as error:
        return _Fetched(value, None, error)


def _clear_removed(session: WriteSession) -> bool:
    return session.clear_removed()


class Store:
    """Belongs to one thread (the event loop's, or a command's main thread); writer and lists have their own."""

    def __init__(self, engine: Engine) -> None:
        """Open the database of an engine, which is prepared; use `Store.open`."""
        self._engine = engine
        self.reads_at_once = engine.reads_at_once
        self._writer = Writer(engine)
        self._lists = Lists(engine)
        self._freshness = engine.open_freshness()
        # Whether an answer for the epoch serves one task alone; then a request brings one first, by `ask_epoch`.
        self.asks_for_caller = self._freshness.is_for_caller
        self._reader = engine.open_reader()
        self._epoch = -1
        self.rights_epoch = -1  # that of rights, of the catalog as it was last asked for
        self._asked = False  # in this turn of the event loop
        self._catalog = Catalog(self._find_entry)
        self._rows: dict[tuple[Any, ...], _Fetched] | None = None  # that the decision being taken has fetched
        self._to_erase = True

    @classmethod
    def open(cls, settings: Settings, *, create: bool = True, has_lease: bool = False) -> Store:
        """Open the database, made or brought up to date first; raises NoDatabase, SchemaTooNew or StoreUnavailable.

        A worker of a node has the lease of its node; a command has none, and asks the database.
        """
        engine = configured_engine(settings, has_lease=has_lease)
        try:
            engine.prepare(create=create)
            return cls(engine)
        except Exception as error:
            if engine.is_environment(error):
                failure = DatabaseAway if isinstance(error, DatabaseAway) else StoreUnavailable
                raise failure(f"{engine.place} cannot be opened: {error}") from error
            raise

    def close(self) -> None:
        """Finish the queued writes and close every connection."""
        self._writer.close()
        self._lists.close()
        self._reader.close()
        self._freshness.close()

    def catalog(self) -> Catalog:
        """Return the catalog, never older than the request that this call answers; raises StoreUnavailable.

        The database is asked at most once in a turn of the event loop: everything that runs in a turn was received
        before the turn's first question, so no request meets a catalog older than itself (docs/decisions/0002).
        """
        if not self._asked:
            self._refresh()
            if self.asks_for_caller:
                return self._catalog  # another request in this turn may have been received after the question was sent
            with contextlib.suppress(RuntimeError):  # a command has no loop, and asks each time
                asyncio.get_running_loop().call_soon(self._end_turn)
                self._asked = True
        return self._catalog

    def _end_turn(self) -> None:
        """End the turn. This runs at the start of the next turn, before the requests that were received meanwhile."""
        self._asked = False

    def _refresh(self) -> None:
        """Empty the catalog if somebody has changed what it holds."""
        try:
            value = self._freshness.epoch()
        except Exception as error:
            self._catalog.clear()
            self._epoch = self.rights_epoch = -1
            if self._engine.is_environment(error):
                raise StoreUnavailable(f"the database cannot be read: {error}") from error
            raise
        if value != self._epoch:
            self._catalog.clear()
            self._epoch, self.rights_epoch = value, epoch.rights_part(value)

    def _find_entry(self, keep: Callable[[Any], T], fn: Callable[..., Any], /, *args: Any) -> T:
        """Return `keep(fn(conn, *args))` at once, or raise NotInMemory; the catalog asks in this way."""
        if self.reads_at_once:
            return keep(self._reader.read(fn, *args))
        raise NotInMemory(partial(self._fetch_entry, keep, fn, args))

    async def _fetch_entry(self, keep: Callable[[Any], object], fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Bring a row into the catalog, unless the catalog has moved on to a later epoch meanwhile."""
        value, row = await self._reader.fetch(_read_with_epoch, fn, args)
        if value > self._epoch:
            self._asked = False  # the next question to the catalog empties it, also in this turn
        if value >= self._epoch:
            keep(row)

    def look_up(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `fn(conn, …)`, which a decision needs beside the catalog, at once; raises NotInMemory.

        With an engine that does not answer at once this must run within `consult`, which keeps the row for the next
        attempt. So `fn` is a function of a module, and its arguments are hashable.
        """
        if self.reads_at_once:
            return self._reader.read(partial(fn, **kwargs) if kwargs else fn, *args)
        self.catalog()  # so that the row is not older than what else this attempt sees
        rows, name = self._rows, (fn, args, tuple(kwargs.items()))
        fetched = None if rows is None else rows.get(name)
        if fetched is None or fetched.epoch != self._epoch:
            raise NotInMemory(partial(self._fetch_row, rows, name))
        if fetched.refusal is not None:
            raise fetched.refusal
        row: T = fetched.row
        return row

    def look_up_row(self, fn: Callable[..., T], /, *args: Any) -> T:
        """Return the same as `look_up` for a function of one statement; that costs less where rows come at once."""
        return self._reader.read_row(fn, *args) if self.reads_at_once else self.look_up(fn, *args)

    async def _fetch_row(self, rows: dict[tuple[Any, ...], _Fetched] | None, name: tuple[Any, ...]) -> None:
        fn, args, kwargs = name
        if rows is None:
            raise RuntimeError(f"{fn} was looked up, but nobody keeps the row")
        rows[name] = await self._reader.fetch(_fetch, partial(fn, **dict(kwargs)), args)

    async def consult(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `fn(…)`, which takes a decision; run it again from its beginning after each wait for rows.

        `fn` must leave nothing behind when it raises NotInMemory. Raises StoreUnavailable when the database changes so
        fast that the decision never has all rows. An epoch that was asked for is in force for this decision alone:
        others may have been received after that question was sent.
        """
        if self.reads_at_once:
            return fn(*args, **kwargs)
        rows: dict[tuple[Any, ...], _Fetched] = {}
        use_epoch: Callable[[], None] | None = None
        for _ in range(FETCHES_AT_MOST):
            self._rows = rows
            try:
                if use_epoch is not None:
                    use_epoch()
                return fn(*args, **kwargs)
            except NotInMemory as miss:
                fetch = miss.fetch
            finally:
                self._rows = None
                if use_epoch is not None:
                    self._asked = False
            use_epoch = await fetch() or use_epoch
        raise StoreUnavailable("the database has kept changing while a decision was taken")

    async def ask_epoch(self) -> None:
        """Ask for the epoch once for all decisions that the calling task takes before it waits again.

        Only with `asks_for_caller`. Without this, the first decision raises NotInMemory and runs again.
        """
        await self._freshness.ask()

    async def refresh(self) -> None:
        """Ask for the epoch, as `catalog` does, with an engine that may have to be waited for."""
        await self.consult(self.catalog)

    async def read(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `fn(conn, …)`, whose queries see one state of the database; raises StoreUnavailable.

        An engine that answers at once does so without suspending the caller.
        """
        read = partial(fn, **kwargs) if kwargs else fn
        return self._reader.read(read, *args) if self.reads_at_once else await self._reader.fetch(read, *args)

    def read_sync(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the same as `read`, in a thread without an event loop: a command's, or a server's before it serves."""
        return self._reader.read(partial(fn, **kwargs) if kwargs else fn, *args)

    async def page(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `fn(conn, …)` as `read` does, but beside the event loop; raises TooManyLists as well."""
        return await self._lists.read(fn, *args, **kwargs)

    async def run_beside(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `fn(…)`, run by the thread of lists; it must not ask the database."""
        return await self._lists.run(fn, *args, **kwargs)

    async def write(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn(conn, *args)` in the writer's next transaction and return its value once that is on the disk.

        An exception of `fn` undoes its own changes only and is raised here. Raises StoreUnavailable when the
        transaction cannot be committed. When the waiting task is cancelled the write may still happen.
        """
        return await self._submit(fn, args, kwargs)

    async def change(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Write rows that catalogs hold: when this returns, the next `catalog()` of every process shows them."""
        return await self._submit(fn, args, kwargs, Effect.MAY_REVOKE)

    async def commit(self, fn: Callable[[Connection], T], effect: Effect, since: int | None) -> tuple[T, int]:
        """Write with rights that were checked at an epoch of rights (`since`); raises RightsMoved at another epoch.

        Returns the result of `fn` and the serial of the commit for the audit log. The serial is 0 if nothing was
        written in the transaction.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[T, int]] = loop.create_future()
        self._writer.submit(Job(fn, (), effect, future, loop, since=since, witnessed=True))
        return await future

    def write_sync(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Write from a thread without an event loop, such as a command's."""
        return self._wait(fn, args, kwargs, Effect.NONE)

    def change_sync(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Change from a thread without an event loop, such as a command's."""
        return self._wait(fn, args, kwargs, Effect.MAY_REVOKE)

    def commit_sync(self, fn: Callable[[Connection], T]) -> tuple[T, int]:
        """Change from a thread without an event loop, and return the serial of the commit too, as `commit` does."""
        future: concurrent.futures.Future[tuple[T, int]] = concurrent.futures.Future()
        self._writer.submit(Job(fn, (), Effect.MAY_REVOKE, future, None, witnessed=True))
        return future.result()

    async def purge(self, due: float, now: float | None = None) -> list[str]:
        """End the keys whose deletion date is not after `due`, and clear their material from the database's files.

        The window of a primary key whose last replica ends begins at `now`, by default at `due`.
        Returns their ids. Raises StoreUnavailable when readers of other processes kept the files from being cleared;
        the keys have ended all the same, and the next call clears. The first call after a start always does, for
        the case that the last one was cut short.
        """
        ended: list[str] = []
        if await self.read(keys.has_expired, due):
            self._to_erase = True
            ended = await self.change(keys.purge_expired, due, now)
        if self._to_erase:
            await self._erase()
        return ended

    async def erase(self) -> None:
        """Clear material that was destroyed from the database's files; raises StoreUnavailable as `purge`."""
        self._to_erase = True
        await self._erase()

    async def _erase(self) -> None:
        for _ in range(_ERASE_TRIES):
            if await self._clear_removed():
                self._to_erase = False
                return
            await asyncio.sleep(_ERASE_PAUSE)
        raise StoreUnavailable("the write-ahead log is still being read and could not be cleared")

    def _clear_removed(self) -> asyncio.Future[bool]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._writer.submit(Job(_clear_removed, (), Effect.NONE, future, loop, alone=True))
        return future

    def _submit(
        self,
        fn: Callable[Concatenate[Connection, P], T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        effect: Effect = Effect.NONE,
    ) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._writer.submit(Job(partial(fn, **kwargs) if kwargs else fn, args, effect, future, loop))
        return future

    def _wait(
        self, fn: Callable[Concatenate[Connection, P], T], args: tuple[Any, ...], kwargs: dict[str, Any], effect: Effect
    ) -> T:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._writer.submit(Job(partial(fn, **kwargs) if kwargs else fn, args, effect, future, None))
        return future.result()
