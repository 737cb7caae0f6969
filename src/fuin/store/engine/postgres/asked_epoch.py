"""Freshness by a question to the database, which the caller's thread waits for: for commands and a server's start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fuin.store.engine.postgres.connections import disconnect, link_of
from fuin.store.engine.postgres.errors import is_environment, is_lost

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.store.engine.postgres.connections import Connector

_QUESTION = "SELECT value FROM epoch WHERE id = 1"


class KnownEpoch(Protocol):
    """The highest epoch that a process knows of."""

    def known_epoch(self) -> int:
        """Return it."""

    def learn_epoch(self, epoch: int) -> None:
        """Raise it."""


class AskedEpoch:
    """The epoch of the database at each call."""

    is_for_caller = False

    def __init__(self, connector: Connector, known: KnownEpoch) -> None:
        """Open the connection; raises Unreachable."""
        self._connector = connector
        self._known = known
        self._conn: Connection | None = connector.connect()

    async def ask(self) -> None:
        """Do nothing: `epoch` asks."""

    def epoch(self) -> int:
        """Return the epoch as it is now; raises what PostgreSQL raises."""
        try:
            return self._ask()
        except Exception as error:
            self.close()
            if not is_lost(error) or not is_environment(error):
                raise
        return self._ask()  # the server may have been started again meanwhile

    def _ask(self) -> int:
        if self._conn is None:
            self._conn = self._connector.connect()
        [[(value,)]] = link_of(self._conn).run(_QUESTION)
        if value < self._known.known_epoch():
            # An older state: this server was replaced by another one, and does not know.
            self.close()
            return self._known.known_epoch()
        self._known.learn_epoch(value)
        return int(value)

    def close(self) -> None:
        """Close the connection."""
        if self._conn is not None:
            disconnect(self._conn)
            self._conn = None
