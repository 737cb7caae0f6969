"""The keeper of a node's lease: it joins, renews, hears of changes, and writes the shared page.

It is a process of its own with one thread, so that nothing else in the node delays it: a worker that is busy for a
second costs no lease. All rules are in `protocol.py`; here are the connection, the clock and the page.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from fuin.errors import FuinError
from fuin.store.engine.leases import rows
from fuin.store.engine.leases.line import Line, LineFailed, LineLate, Notice
from fuin.store.engine.leases.page import boot_time
from fuin.store.engine.leases.protocol import SECOND, Lease, idle_limit, lease_length, safe_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fuin.store.engine.leases.page import Page
    from fuin.store.engine.leases.protocol import Row
    from fuin.store.engine.leases.rows import Member

PAUSE = 0.05  # seconds between two tries to reach a database
BEAT = 1.0  # seconds; the keeper comes back to its caller at least so often
# For one answer of the database, or one connection, however long the lease is: the caller shows by its return that this
# process is alive, and a host that is silent must not keep it from the next one.
PATIENCE = 2.0
# A host that was silent, such as a primary whose machine has died, gets a part of a lease the next times: else one late
# answer of the new primary would cost as long as two connections to the dead one. Now and then it gets the whole time.
_SILENT_SHARE, _WHOLE_EVERY = 4, 10
EARLIER_TIMELINE = (
    "the server is on an earlier timeline than this node has seen: it has been replaced by another one. If this is the "
    "database after pg_upgrade, or from a dump: stop all nodes, remove run/lease from the data folder of each, and "
    "start them after a few seconds"
)
_CLOCK_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


class BoundsDiffer(FuinError):
    """The living nodes of the installation have another --revocation-bound."""


class NameTaken(FuinError):
    """Another process keeps a lease under this node's name: both would take it from each other for ever."""


def clock_warning(bound: float, source: Path = _CLOCK_SOURCE) -> str:
    """Return a sentence if this machine's clock stands still while it is paused, and leases rest on it."""
    try:
        name = source.read_text("ascii").strip()
    except OSError:
        return ""
    if not bound or name != "kvm-clock":
        return ""
    return (
        "the clock source is kvm-clock, which stands still while the virtual machine is paused: after a pause, a live "
        "migration or a snapshot this node can honour a revoked right for up to the rest of its lease. Use the clock "
        "source tsc, or --revocation-bound 0"
    )


class Keeper:
    """Keeps one node's lease."""

    def __init__(
        self, hosts: Sequence[Mapping[str, str]], member: Member, page: Page, say: Callable[[str], None]
    ) -> None:
        """Use the hosts of the database in their order; `page` has been made and shows no lease."""
        self._hosts, self._member, self._page, self._say = hosts, member, page, say
        former = page.former()
        self._lease = Lease(lease_length(member.bound), former.incarnation, former.timeline, former.writes_from)
        self._join_seconds = min(self._lease.length / SECOND, PATIENCE)
        self._seconds = min(self._lease.length / SECOND / 2, PATIENCE)  # for all other answers
        self._next_host = 0
        self._silences = [0] * len(hosts)  # for each host, its connections in a row that were not answered in time
        self._line: Line | None = None
        self._due = 0  # the next renewal
        self._former: tuple[Row, int] | None = None  # another process's row of this name, and when it is ours
        self._strangers: dict[str, tuple[Row, int]] = {}  # rows with another bound, and since when they look so
        self._announced = -1  # the last epoch whose acknowledgement was confirmed and announced
        self._sentences: set[str] = set()  # that have been said
        self._trouble = ""

    @property
    def may_write(self) -> bool:
        """Return whether the node has a lease now, and may write anything."""
        now, lease = boot_time(), self._lease
        return lease.is_live(now) and lease.may_write(now, lease.timeline)

    def step(self) -> float:
        """Do the next piece of work, for a few seconds at most; return the seconds to wait before the next one.

        Raises BoundsDiffer or NameTaken, and MovedAway or UnfinishedMove for a database that nothing may serve.
        """
        try:
            line = self._line
            if line is None:
                self._connect()
            elif self._lease.is_member:
                self._follow(line)
            else:
                self._join(line)
        except LineFailed as error:
            self._disconnect(str(error))
            return PAUSE
        return 0.0

    def close(self) -> None:
        """Give the lease up: the workers stop answering, then the row goes."""
        incarnation, was_member = self._lease.incarnation, self._lease.is_member
        self._lease.leave()
        self._page.show(self._lease)
        if self._line is not None and was_member:
            try:
                rows.leave(self._line, self._member.name, incarnation, self._seconds)
            except LineFailed as error:
                self._say(f"the row of this node stays in the database: {error}")
        if self._line is not None:
            self._line.close()

    # The connection

    def _connect(self) -> None:
        number = self._next_host % len(self._hosts)
        silences = self._silences[number]
        self._silences[number] += 1  # until it answers
        try:
            seconds = PATIENCE if silences % _WHOLE_EVERY == 0 else self._join_seconds / _SILENT_SHARE
            self._line = Line.connect(self._hosts[number], seconds)
        except LineLate:
            raise
        except LineFailed:
            self._silences[number] = 0
            raise
        self._silences[number] = 0
        rows.set_up(self._line, PATIENCE, idle_limit(self._member.bound))
        self._due = 0

    def _disconnect(self, why: str) -> None:
        """Close the connection, never cancel; the next try begins at another host."""
        if self._line is not None:
            self._line.close()
            self._line = None
        self._next_host += 1
        if why != self._trouble:
            self._trouble = why
            self._say(f"the lease cannot be renewed: {why}")

    # The lease

    def _join(self, line: Line) -> None:
        """Commit the row of a new incarnation. Only then comes the first renewal."""
        lease = self._lease
        found = rows.begin_join(line, self._join_seconds)
        others = {name: pair for name, pair in found.items() if name != self._member.name}
        if any(bound != self._member.bound for _, bound in others.values()):
            rows.abandon_join(line, self._join_seconds)
            self._strike_other_bounds(line, others)
            return
        self._strangers.clear()
        own = found.get(self._member.name)
        if own is not None and lease.is_foreign(own[0].incarnation):
            left = self._wait_for_name(*own)
            if left > 0 or own[1] != self._member.bound:
                rows.abandon_join(line, self._join_seconds)
                self._wait_quietly(line, left)
                # A row with another bound goes before ours comes: as long as it is there, all changes wait for it.
                if left <= 0:
                    rows.strike(line, own[0], self._seconds)
                return
        lease.start_join(secrets.token_bytes(16))
        self._page.show(lease)
        rows.end_join(line, self._member, lease.incarnation, self._join_seconds)
        lease.complete_join(boot_time(), b"" if own is None else own[0].incarnation)
        self._due = lease.renews_from
        self._announced = -1

    def _wait_for_name(self, own: Row, bound: float) -> int:
        """Return how long to look at the row of this name before it is taken over; raises NameTaken if it is renewed.

        The name of an ended process is free when its row has stood still for a whole lease, of the length that the
        process had: the bound may have been changed since.
        """
        if self._former is None or self._former[0].incarnation != own.incarnation:
            self._former = own, boot_time() + safe_wait(max(self._lease.length, lease_length(bound)))
        elif self._former[0].beat != own.beat:
            raise NameTaken(
                f"another process runs as the node {self._member.name}: each node needs a name (--node) and a data "
                "folder of its own"
            )
        return self._former[1] - boot_time()

    def _strike_other_bounds(self, line: Line, others: Mapping[str, tuple[Row, float]]) -> None:
        """Remove the rows of ended nodes with another bound, which have stood still for two of their leases.

        Raises BoundsDiffer when one of them is renewed. It waits for a beat only, and goes on in the next step.
        """
        now, soonest = boot_time(), round(BEAT * SECOND)
        for name, (row, bound) in others.items():
            if bound == self._member.bound:
                continue
            before, since = self._strangers.setdefault(name, (row, now))
            if before != row:
                raise BoundsDiffer(
                    f"the node {name} runs with --revocation-bound {bound:g}, this one with {self._member.bound:g}; "
                    "all nodes need the same"
                )
            left = since + 2 * safe_wait(lease_length(bound)) - now
            if left <= 0:
                rows.strike(line, row, self._seconds)
            soonest = min(soonest, left)
        self._wait_quietly(line, soonest)

    def _wait_quietly(self, line: Line, left: int) -> None:
        """Wait for some nanoseconds, a beat at most, and take no notice of what is heard."""
        end = boot_time() + min(left, round(BEAT * SECOND))
        while (left := end - boot_time()) > 0:
            line.wait(left / SECOND)

    def _follow(self, line: Line) -> None:
        """Wait for the next renewal or notification, and do what it asks for."""
        now = boot_time()
        if now < self._due:
            self._hear(line, line.wait(min((self._due - now) / SECOND, BEAT)))
        if boot_time() >= self._due:
            self._renew(line)

    def _hear(self, line: Line, notices: Sequence[Notice]) -> None:
        lease = self._lease
        epochs = [int(notice.text) for notice in notices if notice.channel == rows.EPOCHS and notice.text.isdecimal()]
        if epochs and lease.put_in_force(max(epochs)):
            self._page.show(lease)
            self._renew(line)
        if lease.acked_by_all < lease.epoch and any(notice.channel == rows.ACKS for notice in notices):
            lease.observe(rows.look(line, lease.incarnation, self._seconds))
            self._page.show(lease)

    def _renew(self, line: Line) -> None:
        """Renew until this node has acknowledged what it has in force."""
        lease = self._lease
        while lease.may_renew(boot_time()):
            renewal = lease.make_renewal(boot_time())
            self._due = renewal.sent + lease.length // 3
            answer = rows.renew(line, self._member.name, renewal, self._seconds)
            if answer is None:
                lease.leave()
                self._page.show(lease)
                self._say("this node was removed from the list of nodes; it joins again")
                return
            sight, durability = answer
            renewed = lease.accept(renewal, sight, boot_time())
            self._page.show(lease)
            self._note(durability, renewed=renewed)
            if sight.timeline < lease.timeline:
                raise LineFailed(EARLIER_TIMELINE)
            if renewed and sight.others and renewal.acked > self._announced:
                rows.announce_ack(line, self._seconds)
                self._announced = renewal.acked
            if lease.to_raise >= 0:
                rows.raise_epoch(line, lease.to_raise, self._seconds)
            elif renewal.acked >= lease.epoch:
                self._strike(line)
                return

    def _strike(self, line: Line) -> None:
        for row in self._lease.rows_to_strike(boot_time()):
            if rows.strike(line, row, self._seconds):
                self._say(f"the node {row.name} has not renewed its lease and was removed from the list of nodes")

    def _note(self, durability: rows.Durability, *, renewed: bool) -> None:
        """Say what is wrong with the server's settings, each once; say when the lease is back."""
        for sentence in durability.faults():
            if sentence not in self._sentences:
                self._sentences.add(sentence)
                self._say(sentence)
        if renewed and self._trouble:
            self._trouble = ""
            self._say("the lease is renewed again")
