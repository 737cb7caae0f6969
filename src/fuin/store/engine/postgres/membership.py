"""What a process knows of the other nodes of its installation: the part of the engine that leases fill in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from fuin.store.engine.postgres.acknowledgements import wait_for_nodes
from fuin.store.engine.postgres.asked_epoch import AskedEpoch

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.store.engine.freshness import Freshness
    from fuin.store.engine.postgres.connections import Connector


class Membership(Protocol):
    """The place of a process in its installation of many nodes; used by all threads of the store."""

    def open_freshness(self, connector: Connector) -> Freshness:
        """Open the source of the present epoch, for the event loop's thread."""

    def known_epoch(self) -> int:
        """Return the highest epoch that this process knows of: a connection that shows an older one is replaced."""

    def learn_epoch(self, epoch: int) -> None:
        """Put an epoch that was read from the database in force here, unless a higher one is in force."""

    def is_current(self, timeline: str) -> bool:
        """Return whether a server with this timeline may be read: it is no primary that another one has replaced."""

    def require_writable(self, timeline: str) -> None:
        """Raise StoreUnavailable while nothing may be written on this timeline of the server."""

    def answer_change(self, epoch: int, answer: Callable[[], None]) -> None:
        """Call `answer` once the other nodes know of a committed change, which has raised the epoch to this one.

        It is called in the writer's thread, as soon as the COMMIT was confirmed, and must return at once: the next
        transaction runs meanwhile. `answer` may be called in any thread, and must be called once.
        """


class Alone:
    """A process without a lease, such as a command: it asks the database for the epoch whenever it needs it."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._known = 0
        self._lock = threading.Lock()

    def open_freshness(self, connector: Connector) -> AskedEpoch:
        """Open a connection that asks for the epoch."""
        return AskedEpoch(connector, self)

    def known_epoch(self) -> int:
        """Return the highest epoch that this process has seen."""
        return self._known

    def learn_epoch(self, epoch: int) -> None:
        """Remember an epoch if it is the highest so far."""
        if epoch > self._known:
            with self._lock:
                self._known = max(self._known, epoch)

    def is_current(self, timeline: str) -> bool:
        """Return True: without a lease nobody knows."""
        return True

    def require_writable(self, timeline: str) -> None:
        """Allow writing on any timeline: what keeps a replaced server from confirming is its standby."""

    def answer_change(self, epoch: int, answer: Callable[[], None]) -> None:
        """Wait until the nodes know of the change, and answer; this process has nothing else to write."""
        self.learn_epoch(epoch)
        wait_for_nodes(self._connector, epoch)
        answer()
