"""Connections to PostgreSQL: short deadlines, a server that can write, and settings that make a COMMIT mean something.

A connection that cannot be used any longer is closed, and never cancelled: a cancelled COMMIT can be answered as if it
had been replicated (docs/decisions/0019).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.errors import _WaitTimeout
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import NullPool

from fuin.errors import UnstorableText
from fuin.store.engine.leases.protocol import idle_limit
from fuin.store.engine.postgres.errors import Away, Unreachable, is_lasting, is_read_only

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg.abc import PQGen
    from sqlalchemy.engine import ExceptionContext

    from fuin.store.engine.postgres.address import Address

CONNECT_SECONDS = 2  # for each host
COMMAND_SECONDS = 10  # the same for a command, which nobody's request waits for and which tries only once
ANSWER_SECONDS = 15.0  # for each statement; the server's own limits below are shorter
_STATEMENT_MILLISECONDS = 10_000
_LOCK_MILLISECONDS = 5_000

# `remote_apply` is more than `on`; everything else would confirm a commit that no standby has. The last columns say how
# far a commit is kept, and the timeline: another one begins with each failover.
_SETTINGS = f"""
SET statement_timeout = {_STATEMENT_MILLISECONDS};
SET lock_timeout = {_LOCK_MILLISECONDS};
SET idle_in_transaction_session_timeout = {{idle}};
SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply'
  THEN 'remote_apply' ELSE 'on' END, false),
  substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), current_setting('synchronous_standby_names'),
  current_setting('fsync')
"""

T = TypeVar("T")


class Link(psycopg.Connection[Any]):
    """A connection in autocommit mode: transactions are begun and ended by name, never by the driver."""

    patience: float | None = ANSWER_SECONDS
    timeline = ""
    standbys = ""  # the server's synchronous_standby_names; empty: its commits are not replicated
    fsync = "on"
    warned = False  # the server has sent a warning since this was last set to False
    host = 0  # its number in the address
    is_replaced: Callable[[str], bool] = staticmethod(lambda _: False)  # by its timeline

    def _watch(self, gen: PQGen[T]) -> PQGen[T]:
        """Go on with `gen`, but give up when nothing comes and the server is known to be replaced."""
        try:
            ready = yield next(gen)
            while True:
                if not ready and self.is_replaced(self.timeline):
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server was replaced by another one")
                ready = yield gen.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for an answer, at most as long as the patience lasts; then the connection is closed."""
        try:
            patience = self.patience if timeout is None else timeout
            return super().wait(self._watch(gen), interval, timeout=patience)
        except _WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError("the database has not answered in time") from None

    def run(self, statements: str) -> list[list[Any]]:
        """Run statements in one message; return the rows of each that gives rows."""
        cursor = self.execute(statements.encode(), prepare=False)  # what is prepared can be one statement only
        results = []
        while True:
            if cursor.description is not None:
                results.append(cursor.fetchall())
            if not cursor.nextset():
                return results

    def heed(self, notice: psycopg.errors.Diagnostic) -> None:
        """Remember a warning: COMMIT comes with one when the wait for a standby was broken off."""
        if notice.sqlstate is not None and notice.sqlstate.startswith("01"):
            self.warned = True


class Connector:
    """Opens connections to the first host that can write, and begins with another host after a failure."""

    def __init__(self, address: Address, node: str, bound: float = 1.0, patience: int = CONNECT_SECONDS) -> None:
        """Open nothing yet; `patience` is the time for the connection to one host, in seconds."""
        self.address = address
        self._patience = patience
        self.is_replaced: Callable[[str], bool] = lambda _: False  # by the timeline of a server
        self._settings = _SETTINGS.format(idle=idle_limit(bound))
        self._application = f"fuin/{node}"
        self._next = 0  # the host to begin with
        # SQLAlchemy's part of all connections: its dialect asks the server some questions once.
        self.engine = create_engine(
            "postgresql+psycopg://", creator=self._open, poolclass=NullPool, use_native_hstore=False,
            hide_parameters=True,  # errors are logged, and values may be sealed secrets
        )  # fmt: skip

        event.listen(self.engine, "handle_error", refuse_nul)

    def connect(self) -> Connection:
        """Return a connection that can write; raises Unreachable."""
        return self.engine.connect()

    def _open(self) -> Link:
        hosts, failures = self.address.hosts, []
        refused = admitted = False
        for offset in range(len(hosts)):
            number = (self._next + offset) % len(hosts)
            try:
                link = self._open_host(hosts[number])
            except psycopg.Error as error:
                failures.append(f"{hosts[number]['host'] or 'socket'}: {str(error).strip()}")
                refused, admitted = refused or is_lasting(error), admitted or is_read_only(error)
                continue
            if self.is_replaced(link.timeline):
                link.close()
                failures.append(f"{hosts[number]['host'] or 'socket'}: the server was replaced by another one")
                admitted = True
                continue
            self._next = link.host = number
            link.is_replaced = self.is_replaced
            return link
        self._next = (self._next + 1) % len(hosts)
        # All servers have the same users and databases: where one admits this node, another one is only behind.
        failure = Unreachable if refused and not admitted else Away
        raise failure(f"{self.address.name} cannot be reached: {'; '.join(failures)}")

    def _open_host(self, host: dict[str, str]) -> Link:
        options = {"connect_timeout": str(self._patience), "target_session_attrs": "read-write", **host}
        link = Link.connect(autocommit=True, application_name=self._application, **options)  # type: ignore[arg-type]
        try:
            link.add_notice_handler(link.heed)
            [[(_, link.timeline, link.standbys, link.fsync)]] = link.run(self._settings)
        except BaseException:
            link.close()
            raise
        return link

    def pass_over(self, link: Link) -> None:
        """Begin the next search for a server behind that of a connection, which shows an older state."""
        if self._next == link.host:
            self._next = (link.host + 1) % len(self.address.hosts)

    def close(self) -> None:
        """Release SQLAlchemy's part."""
        self.engine.dispose()


def refuse_nul(context: ExceptionContext) -> None:
    """Raise UnstorableText instead of the driver's error when a value of a statement has the character NUL."""
    if not isinstance(context.original_exception, psycopg.DataError):
        return
    rows = context.parameters if isinstance(context.parameters, list | tuple) else [context.parameters]
    values = [value for row in rows if isinstance(row, dict) for value in row.values()]
    if any(isinstance(value, str) and "\0" in value for value in values):
        raise UnstorableText from None


def link_of(connection: Connection) -> Link:
    """Return the connection under an SQLAlchemy one, for BEGIN, SAVEPOINT and COMMIT."""
    link = connection.connection.dbapi_connection
    if not isinstance(link, Link):
        raise TypeError("not a connection to PostgreSQL")
    return link


def disconnect(connection: Connection) -> None:
    """Close a connection, in whatever state it is; raises nothing."""
    with contextlib.suppress(Exception):
        link_of(connection).close()
    with contextlib.suppress(Exception):
        connection.invalidate()
    with contextlib.suppress(Exception):
        connection.close()
