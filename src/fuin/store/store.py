"""The store of one process: two connections that read, threads that write and that read lists, and the catalog."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from fuin.errors import StoreUnavailable
from fuin.store import connect, erase, keys, meta, migrate
from fuin.store.catalog import Catalog
from fuin.store.lists import Lists
from fuin.store.writer import Effect, Job, Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fuin.settings import Settings

_ERASE_TRIES = 10
_ERASE_PAUSE = 0.2  # seconds; readers hold their transactions for a millisecond, lists for some hundred at most

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """Belongs to one thread (the event loop's, or a command's main thread); writer and lists have their own."""

    def __init__(self, path: Path) -> None:
        """Open the prepared database at `path`; use `Store.open`."""
        self.path = path
        self._writer = Writer(path)
        self._lists = Lists(path)
        self._probe = connect.connect(path)
        self._cursor = self._probe.cursor()  # one for all looks: a fresh one costs half a microsecond
        self._engine = connect.make_engine(path)
        self._conn: Connection = self._engine.connect()
        self._raw = connect.raw_of(self._conn)
        self._version = -1
        self._epoch = -1
        self.rights_epoch = -1  # that of rights, of the catalog as it was last asked for
        self._asked = False  # in this turn of the event loop
        self._catalog = Catalog(self.read)
        self._to_erase = True

    @classmethod
    def open(cls, settings: Settings, *, create: bool = True) -> Store:
        """Open the database, made or brought up to date first; raises NoDatabase, SchemaTooNew or StoreUnavailable."""
        try:
            migrate.prepare(settings.database, create=create)
            return cls(settings.database)
        except Exception as error:
            if connect.is_environment(error):
                raise StoreUnavailable(f"{settings.database} cannot be opened: {error}") from error
            raise

    def close(self) -> None:
        """Finish the queued writes and close every connection."""
        self._writer.close()
        self._lists.close()
        self._conn.close()
        self._engine.dispose()
        self._probe.close()

    def catalog(self) -> Catalog:
        """Return the catalog, never older than what this call answers; raises StoreUnavailable.

        The database is asked at most once in a turn of the event loop: everything that runs in a turn was received
        before the turn's first question, so no request meets a catalog older than itself (docs/decisions/0002).
        """
        if not self._asked:
            self._refresh()
            with contextlib.suppress(RuntimeError):  # a command has no loop, and asks each time
                asyncio.get_running_loop().call_soon(self._turn_ends)
                self._asked = True
        return self._catalog

    def _turn_ends(self) -> None:
        """Run at the beginning of the next turn, before anything that is received until then."""
        self._asked = False

    def _refresh(self) -> None:
        """Drop the catalog if somebody has changed what it holds.

        `PRAGMA data_version` tells whether any other connection, of this process or another, has committed since. It
        is exact (https://www.sqlite.org/pragma.html#pragma_data_version) and reads shared memory only.
        """
        try:
            version = self._cursor.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                epoch = self._cursor.execute("SELECT value FROM epoch").fetchone()[0]
                if epoch != self._epoch:
                    self._catalog.clear()
                    self._epoch, self.rights_epoch = epoch, meta.rights_of(epoch)
                self._version = version
        except Exception as error:
            self._catalog.clear()
            self._version = self._epoch = self.rights_epoch = -1
            if connect.is_environment(error):
                raise StoreUnavailable(f"the database cannot be read: {error}") from error
            raise

    def read(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `fn(conn, *args)`, whose queries see one state of the database; raises StoreUnavailable."""
        try:
            self._raw.execute("BEGIN")  # fails in a read within a read, whose catalog entries could be stale
            try:
                return fn(self._conn, *args, **kwargs)
            finally:
                self._raw.execute("ROLLBACK")  # nothing was written; an open read would hold back checkpoints
        except (SQLAlchemyError, sqlite3.Error) as error:
            if connect.is_environment(error):
                raise StoreUnavailable(f"the database cannot be read: {error}") from error
            raise

    async def page(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `fn(conn, …)` as `read` does, but beside the event loop; raises TooManyLists as well."""
        return await self._lists.read(fn, *args, **kwargs)

    async def beside(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `fn(…)`, run by the thread of lists; it asks the database for nothing."""
        return await self._lists.run(fn, *args, **kwargs)

    async def write(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn(conn, *args)` in the writer's next transaction and return its value once that is on the disk.

        An exception of `fn` undoes its own changes only and is raised here. Raises StoreUnavailable when the
        transaction cannot be committed. When the waiting task is cancelled the write may still happen.
        """
        return await self._submit(fn, args, kwargs)

    async def change(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Write what catalogs hold: when it returns, the next `catalog()` of every process shows it."""
        return await self._submit(fn, args, kwargs, Effect.TAKES)

    async def commit(self, fn: Callable[[Connection], T], effect: Effect, since: int | None) -> tuple[T, int]:
        """Write by rights that were asked for at an epoch of rights (`since`); raises RightsMoved if that has moved.

        Returns what `fn` returns and the serial of the commit, which the audit log is to witness; 0 when `fn` and all
        that were committed with it have written nothing.
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
        return self._wait(fn, args, kwargs, Effect.TAKES)

    def commit_sync(self, fn: Callable[[Connection], T]) -> tuple[T, int]:
        """Change from a thread without an event loop, and return the serial of the commit too, as `commit` does."""
        future: concurrent.futures.Future[tuple[T, int]] = concurrent.futures.Future()
        self._writer.submit(Job(fn, (), Effect.TAKES, future, None, witnessed=True))
        return future.result()

    async def purge(self, due: float, now: float | None = None) -> list[str]:
        """End the keys whose deletion date is not after `due`, and clear their material from the database's files.

        The window of a primary key whose last replica ends begins at `now`, by default at `due`.
        Returns their ids. Raises StoreUnavailable when readers of other processes kept the files from being cleared;
        the keys have ended all the same, and the next call clears. The first call after a start always does, for
        the case that the last one was cut short.
        """
        ended: list[str] = []
        if self.read(keys.has_expired, due):
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
            if await self._submit(erase.truncate_log, (), {}, alone=True):
                self._to_erase = False
                return
            await asyncio.sleep(_ERASE_PAUSE)
        raise StoreUnavailable("the write-ahead log is still being read and could not be cleared")

    def _submit(
        self,
        fn: Callable[Concatenate[Connection, P], T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        effect: Effect = Effect.NONE,
        *,
        alone: bool = False,
        since: int | None = None,
    ) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._writer.submit(Job(partial(fn, **kwargs) if kwargs else fn, args, effect, future, loop, alone, since))
        return future

    def _wait(
        self, fn: Callable[Concatenate[Connection, P], T], args: tuple[Any, ...], kwargs: dict[str, Any], effect: Effect
    ) -> T:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._writer.submit(Job(partial(fn, **kwargs) if kwargs else fn, args, effect, future, None))
        return future.result()
