"""PostgreSQL as the store's engine: a database that the nodes of an installation share."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy.exc import DBAPIError

from fuin.store.engine.postgres import errors, glance, prepare
from fuin.store.engine.postgres.alone import Alone
from fuin.store.engine.postgres.connections import COMMAND_SECONDS, CONNECT_SECONDS, Connector
from fuin.store.engine.postgres.reader import PostgresReader
from fuin.store.engine.postgres.write_session import PostgresWriteSession
from fuin.store.errors import DatabaseAway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fuin.store.engine.freshness import Freshness
    from fuin.store.engine.glance import Glance
    from fuin.store.engine.postgres.address import Address
    from fuin.store.engine.postgres.membership import Membership


@contextmanager
def _lost_as_away() -> Iterator[None]:
    """Raise DatabaseAway instead of the driver's error when the connection was lost."""
    try:
        yield
    except (psycopg.Error, DBAPIError) as error:
        if errors.is_lost(error):
            raise DatabaseAway(f"the database cannot be read: {error}") from error
        raise


class PostgresEngine:
    """The database of an address, as one process of a node uses it."""

    reads_at_once = False  # a network is between

    def __init__(
        self, address: Address, node: str, membership: Membership | None = None, *, page: Path | None = None,
        bound: float = 1.0,
    ) -> None:  # fmt: skip
        """Use the database; nothing is opened yet. Without a membership the process asks for the epoch each time.

        `page` is where a node on this machine shows its lease, `bound` the node's bound for revocations in seconds.
        """
        self.place = address.name
        self._node = node
        self._connector = Connector(address, node, bound, COMMAND_SECONDS if membership is None else CONNECT_SECONDS)
        self._membership: Membership = Alone(self._connector, page) if membership is None else membership
        self._connector.is_replaced = self._membership.is_replaced

    def look(self) -> Glance | None:
        """Return the database's own values, None before there are any, and change nothing; raises StoreUnavailable."""
        with _lost_as_away():
            return glance.look(self._connector, self._node)

    def prepare(self, *, create: bool) -> None:
        """Look at the schema, and make it in an empty database if `create`; raises as `prepare.prepare`."""
        with _lost_as_away():
            prepare.prepare(self._connector, create=create)

    def upgrade(self) -> tuple[str, str]:
        """Bring the schema up to date; return its revision before and now; raises as `prepare.upgrade`."""
        return prepare.upgrade(self._connector)

    def open_reader(self) -> PostgresReader:
        """Return a reader, whose connections open when they are needed."""
        return PostgresReader(self._connector, self._membership)

    def open_write_session(self) -> PostgresWriteSession:
        """Open the writer's connection; raises StoreUnavailable."""
        return PostgresWriteSession(self._connector, self._membership, self._node)

    def open_freshness(self) -> Freshness:
        """Open the source of the present epoch; raises StoreUnavailable."""
        return self._membership.open_freshness(self._connector)

    def is_environment(self, error: BaseException) -> bool:
        """Return whether an error means that the database cannot be used now, rather than a wrong statement."""
        return errors.is_environment(error)

    def is_certain(self, error: BaseException) -> bool:
        """Return whether a commit that failed in this way can never come back."""
        return errors.is_certain(error)

    def may_run_again(self, error: BaseException) -> bool:
        """Return whether a transaction that failed in this way has written nothing, and may succeed the next time."""
        if isinstance(error, errors.NotCommitted):
            return True
        return errors.is_lost(error) or errors.is_conflict(error) or errors.is_race(error)
