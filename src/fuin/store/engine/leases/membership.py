"""A worker's part of the leases: how it knows the epoch, when it may write, and when its changes are answered."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from fuin.errors import StoreUnavailable
from fuin.store.engine.leases.page import NO_LEASE, Page, boot_time
from fuin.store.engine.leases.protocol import NOBODY, SECOND, lease_length
from fuin.store.engine.leases.questions import Questions
from fuin.store.engine.leases.returns import Returns
from fuin.store.errors import NotInMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from fuin.store.engine.leases.questions import Answer

QUARANTINE_WAIT = 2.0  # seconds; more than the quarantine of the default bound
PAUSE = 0.01  # seconds between two looks at the page


class LeaseMembership:
    """The place of a worker in an installation of many nodes; used by all threads of its store."""

    def __init__(self, page: Path, bound: float, hosts: Sequence[Mapping[str, str]]) -> None:
        """Read the page of the node's keeper, which may not exist yet; the bound is in seconds, 0 is exact."""
        self._path, self._bound, self._hosts = page, bound, hosts
        self._page: Page | None = None
        self._lock = threading.Lock()
        self._returns = Returns(self._acked_by_all, lease_length(bound))
        self.known = NOBODY  # the highest epoch that this process has seen

    def page(self) -> Page:
        """Return the page; raises StoreUnavailable while no keeper has made it."""
        if self._page is None:
            self._page = Page.open(self._path)
        return self._page

    def find_page(self) -> Page:
        """Return the page at its path, which is another file if somebody has removed the one before."""
        if self._page is not None and not self._page.is_file(self._path):
            self._page = None  # another thread may still read it, so it is not unmapped
        return self.page()

    def open_freshness(self, _connector: object = None) -> LeasedEpoch | ExactEpoch:
        """Return the source of the present epoch, for the event loop's thread."""
        if self._bound:
            return LeasedEpoch(self)
        return ExactEpoch(self, Questions(self._hosts, lambda timeline: timeline < self.page().timeline))

    def known_epoch(self) -> int:
        """Return the highest epoch that this node knows of: a connection that shows an older one is replaced."""
        try:
            return max(self.known, self.page().epoch_in_force)
        except StoreUnavailable:
            return self.known

    def learn_epoch(self, epoch: int) -> None:
        """Put an epoch in force in this process that was read from the database, unless a higher one is."""
        if epoch > self.known:
            with self._lock:
                self.known = max(self.known, epoch)

    def is_current(self, timeline: str) -> bool:
        """Return whether a server's timeline is the one of the lease: another server may have been replaced."""
        return int(timeline, 16) == self.page().timeline

    def is_replaced(self, timeline: str) -> bool:
        """Return whether a server with this timeline was replaced: the node's lease is from a later one."""
        try:
            return int(timeline, 16) < self.page().timeline
        except StoreUnavailable:
            return False

    def require_writable(self, timeline: str, _confirm: object = None) -> None:
        """Wait while nothing may be written on a timeline, since older leases may still live; raises StoreUnavailable.

        So a write meets a short quarantine after a failover or a start as a delay, and not as an error; a longer one is
        refused, since all writes of this process wait behind it.
        """
        page, number = self.page(), int(timeline, 16)
        end = boot_time() + round(QUARANTINE_WAIT * SECOND)
        while not page.may_write(number):
            if number < page.timeline or boot_time() >= end:
                raise StoreUnavailable(
                    "the database has failed over, or this node has just started: nothing is written yet"
                )
            time.sleep(PAUSE)

    def answer_change(self, epoch: int, answer: Callable[[], None], _link: object = None) -> None:
        """Call `answer` once no other node can answer from before a committed change; return at once."""
        self.learn_epoch(epoch)
        if self._bound:
            self._returns.wait(epoch, answer)
        else:
            answer()

    def _acked_by_all(self) -> int:
        try:
            return self.page().acked_by_all
        except StoreUnavailable:
            return NOBODY


class LeasedEpoch:
    """The epoch in the node's page, while the lease lives; 1 µs."""

    is_for_caller = False

    def __init__(self, membership: LeaseMembership) -> None:
        self._membership = membership
        self._page: Page | None = None

    async def ask(self) -> None:
        """Do nothing: the page has the answer."""

    def epoch(self) -> int:
        """Return the epoch in force here; raises StoreUnavailable without a lease."""
        page, known = self._page, self._membership.known
        if page is None:
            page = self._page = self._membership.page()
        try:
            epoch = page.epoch()
        except StoreUnavailable:
            page = self._page = self._membership.find_page()
            epoch = page.epoch()
        return epoch if epoch > known else known

    def close(self) -> None:
        """Do nothing: the page is the membership's."""


class ExactEpoch:
    """The epoch by a question to the database in each turn, which is believed while the lease lives.

    A SELECT alone proves nothing: a primary that has been replaced may answer it for as long as it runs. While this
    node has a lease from the same server's timeline, nobody has written anywhere else.
    """

    is_for_caller = True

    def __init__(self, membership: LeaseMembership, questions: Questions) -> None:
        self._membership, self._questions = membership, questions
        self._answer: Answer | None = None
        self._value = NOBODY
        self._owner: asyncio.Task[object] | None = None  # whose decision the answer is for, in this turn

    def epoch(self) -> int:
        """Return the epoch of an answer that was brought for this task; raises NotInMemory."""
        if self._answer is None or asyncio.current_task() is not self._owner:
            self._ask()
        return self._value

    def _ask(self) -> NoReturn:
        raise NotInMemory(self._fetch)

    async def _fetch(self) -> Callable[[], None]:
        """Bring an answer to a question that is sent after the call; return what puts it in force for the caller."""
        return partial(self._put_in_force, await self._questions.ask())

    async def ask(self) -> None:
        """Bring an answer that serves all decisions of this task until it waits again."""
        self._put_in_force(await self._questions.ask())

    def _put_in_force(self, answer: Answer) -> None:
        """Let the answer serve the calling task in this turn; raises StoreUnavailable without a lease."""
        self._value = self._check(answer)  # once for the turn, as a lease is
        if self._answer is None:
            asyncio.get_running_loop().call_soon(self._forget)
        self._answer, self._owner = answer, asyncio.current_task()

    def _check(self, answer: Answer) -> int:
        """Return the epoch to put in force; raises StoreUnavailable without a lease from the answer's timeline."""
        page = self._membership.page()
        try:
            in_force = page.epoch()
        except StoreUnavailable:
            in_force = self._membership.find_page().epoch()
        if answer.timeline != page.timeline:
            raise StoreUnavailable(f"{NO_LEASE}: its connection for questions is to a server of another timeline")
        return max(answer.epoch, in_force, self._membership.known)

    def _forget(self) -> None:
        """End the turn; a decision in a later one asks anew."""
        self._answer = self._owner = None

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(RuntimeError):  # its loop has ended
            self._questions.close()
