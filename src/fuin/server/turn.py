"""This node's turn at the timed work that one node does for all; an embedded server always has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.errors import StoreUnavailable
from fuin.store.engine import timed_work
from fuin.store.engine.leases.page import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from fuin.gate.services import Services


class Turn:
    """The turn of one worker; only the node's worker with the timed jobs has one."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._node = services.settings.member
        self._incarnation = b""  # of the lease with which the work was taken

    async def take(self) -> bool:
        """Return whether this node does the timed work now; raises StoreUnavailable."""
        if not self._node:
            return True
        self._incarnation = b""
        incarnation = self._find_incarnation()
        if await self._services.store.write(timed_work.take, self._node, incarnation):
            self._incarnation = incarnation
        return bool(self._incarnation)

    def is_held(self) -> bool:
        """Return whether the node still has the lease with which it took the work."""
        if not self._node:
            return True
        try:
            return self._find_incarnation() == self._incarnation
        except StoreUnavailable:
            return False

    def fence(self) -> Callable[[Connection], None] | None:
        """Return a check, for within a transaction, that this node still does the work; None for an embedded server."""
        if not self._node:
            return None
        node, incarnation = self._node, self._incarnation
        return lambda conn: timed_work.require(conn, node, incarnation)

    def _find_incarnation(self) -> bytes:
        """Return the incarnation that has a lease now; raises StoreUnavailable without a lease."""
        page = Page.open(self._services.settings.lease_page)
        try:
            page.epoch()
            return page.former().incarnation
        finally:
            page.close()
