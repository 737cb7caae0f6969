"""The lease of a Fuin in this process on PostgreSQL: a thread keeps it, as a process does for a server."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from fuin.store.engine.leases.keeper import Keeper
from fuin.store.engine.leases.page import Page
from fuin.store.engine.leases.rows import Member
from fuin.store.engine.postgres.address import Address

if TYPE_CHECKING:
    from fuin.settings import Settings

START_LIMIT = 60.0  # seconds


class LeaseThread:
    """Keeps the lease of the settings' node until it is closed; the database has its schema."""

    def __init__(self, settings: Settings) -> None:
        hosts = Address.parse(settings.database_url).hosts
        member = Member(settings.node, settings.revocation_bound)
        self._keeper = Keeper(hosts, member, Page.create(settings.lease_page), lambda _: None)
        self._ready, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="fuin-lease", daemon=True)

    def start(self) -> None:
        """Start the thread, and wait until the node has its lease and may write."""
        self._thread.start()
        if not self._ready.wait(START_LIMIT):
            raise RuntimeError("no lease was taken")

    def _run(self) -> None:
        while not self._ended.is_set():
            pause = self._keeper.step()
            if self._keeper.may_write:
                self._ready.set()
            self._ended.wait(pause)
        self._keeper.close()

    def close(self) -> None:
        """Give the lease up, and end the thread; the database need not be there any longer."""
        self._ended.set()
        self._thread.join()
