"""Reads from PostgreSQL: each sees one snapshot, which is at least as new as the epoch that this process knows of."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from fuin.errors import StoreUnavailable
from fuin.store.engine.postgres.connections import disconnect, link_of
from fuin.store.engine.postgres.errors import is_environment, is_lost
from fuin.store.errors import DatabaseAway

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Connection

    from fuin.store.engine.postgres.connections import Connector
    from fuin.store.engine.postgres.membership import Membership

THREADS = 4  # reads at once of a process; others wait for a thread
_TRIES = 3  # or more, so that each host is asked
# One message to the server and one answer: the transaction, and the epoch of its snapshot.
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT value FROM epoch WHERE id = 1"

T = TypeVar("T")


class _Stale(DatabaseAway):
    """A connection shows an older state than one that this process knows of."""


class PostgresReader:
    """Connections that read, and threads that wait for them; both are opened when they are needed."""

    def __init__(self, connector: Connector, membership: Membership) -> None:
        self._connector = connector
        self._membership = membership
        self._tries = max(_TRIES, len(connector.address.hosts) + 1)
        self._idle: deque[Connection] = deque()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="fuin-reads")

    def read(self, fn: Callable[..., T], /, *args: Any) -> T:
        """Return `fn(conn, *args)`, whose queries see one state of the database; raises StoreUnavailable.

        For threads without an event loop: a loop would stop until the database answers.
        """
        if asyncio._get_running_loop() is not None:
            raise RuntimeError(f"{fn} is read on the event loop, which would wait for the database")
        return self._read(fn, args)

    read_row = read

    def fetch(self, fn: Callable[..., T], /, *args: Any) -> Awaitable[T]:
        """Return the same as `read`, without blocking the event loop."""
        return asyncio.get_running_loop().run_in_executor(self._threads, self._read, fn, args)

    def _read(self, fn: Callable[..., T], args: tuple[Any, ...]) -> T:
        for attempt in range(self._tries):
            try:
                return self._try(fn, args)
            except Exception as error:
                # A read changes nothing: it runs again when its connection was lost, or showed an old state.
                if attempt + 1 < self._tries and (is_lost(error) or isinstance(error, _Stale)):
                    self._close_idle()
                    continue
                if is_environment(error):
                    passes = is_lost(error) or isinstance(error, DatabaseAway)
                    failure = DatabaseAway if passes else StoreUnavailable
                    raise failure(f"the database cannot be read: {error}") from error
                raise
        raise AssertionError

    def _try(self, fn: Callable[..., T], args: tuple[Any, ...]) -> T:
        conn = self._connection()
        try:
            self._begin(conn)
            try:
                return fn(conn, *args)
            finally:
                link_of(conn).run("ROLLBACK")  # nothing was written
        except Exception as error:
            if is_environment(error):
                disconnect(conn)
            raise
        finally:
            if not conn.closed:
                self._idle.append(conn)

    def _connection(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connector.connect()

    def _begin(self, conn: Connection) -> None:
        known = self._membership.known_epoch()
        link = link_of(conn)
        if not self._membership.is_current(link.timeline):
            raise _Stale(f"the server is on timeline {link.timeline}, and this node's lease is not")
        [[(value,)]] = link.run(_BEGIN)
        if value < known:
            self._connector.pass_over(link)
            raise _Stale(f"the server shows epoch {value}, and {known} was committed: it has been replaced")
        self._membership.learn_epoch(value)

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown()
        self._close_idle()

    def _close_idle(self) -> None:
        """Close the connections that nobody uses: where one was lost, they have probably been lost as well."""
        with contextlib.suppress(IndexError):
            while True:
                disconnect(self._idle.pop())
