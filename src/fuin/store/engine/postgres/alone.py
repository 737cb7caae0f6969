"""A process without a lease, such as a command: it asks the database for the epoch, and for the leases of the nodes.

Its changes return as those of a node do (docs/decisions/0020): when every node has acknowledged the epoch, or when all
leases from before the commit have ended. On a later timeline it writes nothing before the leases from earlier timelines
have ended. The page of a node on this machine may say so. Without one, the process waits for a whole lease after a
write of its own that the server has confirmed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import psycopg

from fuin.errors import StoreUnavailable
from fuin.store.engine.leases.page import Page, boot_time
from fuin.store.engine.leases.protocol import FIRST_TIMELINE, NOBODY, SECOND, lease_length, may_return, safe_wait
from fuin.store.engine.postgres.asked_epoch import AskedEpoch
from fuin.store.engine.postgres.connections import disconnect, link_of
from fuin.store.engine.postgres.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fuin.store.engine.postgres.connections import Connector, Link

PAUSE = 0.005  # seconds between two looks at the rows of the nodes
# Of the nodes that hold leases, the least acknowledged epoch and the longest lease. A node that asks for each epoch
# (lease 0) needs no wait.
_LOOK = "SELECT (SELECT value FROM epoch WHERE id = 1), min(acked), max(lease) FROM nodes WHERE lease > 0"
_LEASES = "SELECT DISTINCT lease FROM nodes"


class _Sight(NamedTuple):
    """The leases in one state of the database."""

    acked_by_all: int
    length: int  # of the longest one


class Alone:
    """The place of a process that has no lease."""

    def __init__(self, connector: Connector, page: Path | None = None) -> None:
        """Use a connector; `page` is where a node on this machine shows its lease."""
        self._connector = connector
        self._page = page
        self._known = 0
        self._lock = threading.Lock()
        self._writable = ""  # a timeline on which older leases have ended

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

    def is_replaced(self, timeline: str) -> bool:
        """Return False: without a lease nobody knows."""
        return False

    def require_writable(self, timeline: str, confirm: Callable[[], Link]) -> None:
        """Wait until all leases from before a later timeline have ended; raises what PostgreSQL raises."""
        if timeline == self._writable:
            return
        if int(timeline, 16) != FIRST_TIMELINE and not self._page_allows(timeline):
            _wait_for_leases(confirm)
        self._writable = timeline

    def _page_allows(self, timeline: str) -> bool:
        """Return whether the quarantine on a timeline has ended by the page of a node on this machine."""
        if self._page is None:
            return False
        try:
            page = Page.open(self._page)
        except StoreUnavailable:
            return False
        try:
            former = page.former()  # empty when the machine has started anew: its clock then says nothing
            return bool(former.timeline) and page.may_write(int(timeline, 16))
        finally:
            page.close()

    def answer_change(self, epoch: int, answer: Callable[[], None], link: Link | None) -> None:
        """Call `answer` once every node has acknowledged a change, or all leases from before it have ended."""
        committed = boot_time()
        self.learn_epoch(epoch)
        sight = None
        if link is not None:
            with contextlib.suppress(psycopg.Error):
                sight = _look(link)
        if sight is not None and may_return(epoch, committed, sight.length, sight.acked_by_all, boot_time()):
            answer()
            return
        threading.Thread(target=self._wait_for_nodes, args=(epoch, committed, answer), daemon=True).start()

    def _wait_for_nodes(self, epoch: int, committed: int, answer: Callable[[], None]) -> None:
        """Look at the rows until the change may return, on a connection of this wait's own.

        It must have seen the rows once: only they say how long the leases are.
        """
        conn = None
        try:
            while True:
                time.sleep(PAUSE)
                try:
                    conn = conn or self._connector.connect()
                    sight = _look(link_of(conn))
                except (psycopg.Error, Unreachable):
                    if conn is not None:
                        disconnect(conn)
                        conn = None
                    continue
                if may_return(epoch, committed, sight.length, sight.acked_by_all, boot_time()):
                    break
        finally:
            if conn is not None:
                disconnect(conn)
        answer()


def _look(link: Link) -> _Sight:
    [[(epoch, acked, bound)]] = link.run(_LOOK)
    if bound is None:
        return _Sight(epoch, 0)
    return _Sight(max(NOBODY, min(acked, epoch)), lease_length(float(bound)))


def _wait_for_leases(confirm: Callable[[], Link]) -> None:
    """Have a write confirmed, which a replaced server cannot do, and wait as long as the longest lease lasts."""
    link = confirm()
    confirmed = boot_time()
    [rows] = link.run(_LEASES)
    longest = max((lease_length(float(bound)) for (bound,) in rows), default=0)
    while (left := confirmed + safe_wait(longest) - boot_time()) > 0:
        time.sleep(left / SECOND)
