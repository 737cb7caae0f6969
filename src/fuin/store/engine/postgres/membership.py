"""What a process knows of the other nodes of its installation: the part of the engine that leases fill in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.store.engine.freshness import Freshness
    from fuin.store.engine.postgres.connections import Connector, Link


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

    def is_replaced(self, timeline: str) -> bool:
        """Return whether this process knows of a later timeline: look for another server."""

    def require_writable(self, timeline: str, confirm: Callable[[], Link]) -> None:
        """Wait, or raise StoreUnavailable, while nothing may be written on this timeline of the server.

        `confirm` has a write of no effect confirmed by the server, and returns its connection.
        """

    def answer_change(self, epoch: int, answer: Callable[[], None], link: Link | None) -> None:
        """Call `answer` once the other nodes know of a committed change, which has raised the epoch to this one.

        It is called in the writer's thread, as soon as the COMMIT was confirmed, and must return at once: the next
        transaction runs meanwhile. `link` is the writer's connection, unless it was lost. `answer` may be called in any
        thread, and must be called once.
        """
