"""The one thread of a process that reads lists, so that they do not block its event loop.

A page of a thousand rows takes tens of milliseconds to read and write down, a full account half a second. In a thread
with its own read connection, a list delays others only as long as the interpreter lets one thread run while another
waits (docs/decisions/0011). One list is read at a time: two would only take the interpreter from each other, and from
the loop. Single rows, such as a key or an object, are read on the loop: a thread would cost more than the read.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from fuin.errors import StoreUnavailable
from fuin.store.errors import TooManyLists

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from fuin.store.engine.engine import Engine, Reader

WAITING_AT_MOST = 64  # lists of a process; further requests are asked to come again

P = ParamSpec("P")
T = TypeVar("T")


class Lists:
    """The reader of lists, used in the event loop's thread; its own thread and connection start with the first list."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fuin-lists")
        self._waiting = 0
        self._closed = False
        self._reader: Reader | None = None

    async def read(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `fn(conn, …)`, whose queries see one state of the database.

        Raises TooManyLists when too many wait already, StoreUnavailable.
        """
        if self._waiting >= WAITING_AT_MOST:
            raise TooManyLists(f"{WAITING_AT_MOST} lists are waiting")
        return await self.run(self._read, partial(fn, **kwargs), args)

    async def run(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `fn(…)`, which does not use the database; for example, it formats a list."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, partial(fn, *args, **kwargs))
        finally:
            self._waiting -= 1

    def _read(self, fn: Callable[..., T], args: tuple[Any, ...]) -> T:
        if self._reader is None:
            self._reader = self._engine.open_reader()
        return self._reader.read(fn, *args)

    def close(self) -> None:
        """Finish what is being read, and close the connection."""
        if not self._closed:
            self._closed = True
            self._thread.submit(self._disconnect)
            self._thread.shutdown()

    def _disconnect(self) -> None:
        if self._reader is not None:
            self._reader.close()
