"""An engine that never answers at once: SQLite behind an event that the event loop has to wait for.

So may a database on another machine be. A read on the event loop's thread that does not wait is an error, and is noted,
so that a test sees it also when something catches the error.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from fuin.store.engine.sqlite_engine import SqliteEngine, SqliteReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


class SlowReader(SqliteReader):
    """A connection whose reads are answered in a later turn of the event loop."""

    def __init__(self, path: Path, engine: SlowEngine) -> None:
        super().__init__(path)
        self._of = engine

    def read(self, fn: Callable[..., T], /, *args: Any) -> T:
        """Return `fn(conn, *args)` in a thread that has no event loop to hold up."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return super().read(fn, *args)
        self._of.inline.append(getattr(fn, "__qualname__", repr(fn)))
        raise RuntimeError(f"{fn} is read without waiting")

    async def fetch(self, fn: Callable[..., T], /, *args: Any) -> T:
        """Return `fn(conn, *args)` once an event has come that the loop must be free for."""
        answered = asyncio.Event()
        asyncio.get_running_loop().call_soon(answered.set)
        await answered.wait()
        self._of.fetches += 1
        return super().read(fn, *args)


class SlowEngine(SqliteEngine):
    """SQLite, but for the time of its answers; what it writes, and its freshness, are as ever."""

    reads_at_once = False

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.slow_path = path
        self.inline: list[str] = []  # reads that did not wait
        self.fetches = 0

    def open_reader(self) -> SlowReader:
        """Open a connection that reads."""
        return SlowReader(self.slow_path, self)
