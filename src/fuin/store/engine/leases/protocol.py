"""The rules of a node's lease on the epoch, and of the return of a change: no input or output, no clock of its own.

Many nodes share one database, and each answers requests from memory. A node may do so while it holds a *lease*: some
time for which it knows the epoch. A change of rights returns when no node can still answer from before it. The keeper
of a node (`keeper.py`) runs these rules against PostgreSQL. The model in `tests/store/leases` runs the same rules
through random schedules of delays, pauses, partitions and failovers.

    join     commit a row of one's own; only then the first renewal. Before that nothing is answered.
    renew    note the clock, then write: beat + 1, and the epoch in force here. The commit's answer brings the epoch of
             the database: put it in force first, then the lease lasts from the noted clock on.
    check    for each turn of a worker: is the lease still alive? Else 503.
    change   raise the epoch and commit; note the clock after the answer. Return when every other node has acknowledged
             the epoch, or when every lease from before the commit has ended, whichever is first.
    strike   remove a row that has not been renewed for a whole lease: its node then joins anew.
    failover on a later timeline of the database write nothing but renewals, until all leases from before have ended.
             On its first timeline there was no failover.

Why the lease counts from before the renewal was sent: a renewal may read the epoch before a change and commit after
it. It was sent before the change was answered, so its lease ends within its length of that answer.

All times are nanoseconds of CLOCK_BOOTTIME, which nobody can set, and which goes on while a machine sleeps. Clocks of
two machines may differ in speed by 0.1 % of the time, either way: a wait for another node's lease is longer by 0.2 %.
"""

from __future__ import annotations

from typing import NamedTuple

SECOND = 1_000_000_000
EXACT_LENGTH = SECOND  # the lease of a node that asks the database in each turn
FIRST_TIMELINE = 1  # of a database that has never failed over
NOBODY = -1  # the epoch of somebody who has acknowledged nothing
_IDLE_SHARE = 0.7  # of the bound of a revocation, or of a second
_RIGHTS_BITS = 32  # the lower half of an epoch; see `epoch.py`


def lease_length(bound: float) -> int:
    """Return the length of the leases of an installation with a bound in seconds, in nanoseconds."""
    return round(bound * SECOND) if bound else EXACT_LENGTH


def idle_limit(bound: float) -> int:
    """Return the milliseconds that a session may rest in a transaction: it holds gates, and so all revocations."""
    return max(1, round(_IDLE_SHARE * 1000 * min(bound or 1.0, 1.0)))


def safe_wait(length: int) -> int:
    """Return the time after which another node's lease of a length has ended, by any clock that may be trusted."""
    return length + length // 500


def may_return(epoch: int, committed: int, length: int, acked_by_all: int, now: int) -> bool:
    """Return whether a change that raised the epoch to `epoch` may be answered.

    `committed` is the clock after the commit's answer, `acked_by_all` comes from `Lease.acked_by_all`.
    """
    return acked_by_all >= epoch or now >= committed + safe_wait(length)


class Row(NamedTuple):
    """The row of another node."""

    name: str
    incarnation: bytes
    beat: int
    acked: int


class Renewal(NamedTuple):
    """The write of a renewal, and the clock before it was sent."""

    sent: int
    incarnation: bytes
    acked: int


class Sight(NamedTuple):
    """One state of the database: the timeline, the epoch, and the rows of the other nodes."""

    timeline: int
    epoch: int
    others: tuple[Row, ...]


class Lease:
    """The lease of one node, as its keeper knows it; everything public is what the shared page shows to workers."""

    def __init__(self, length: int, former: bytes = b"", timeline: int = 0, writes_from: int = 0) -> None:
        """Begin without a lease; a keeper that follows another one of its node takes these three from the page.

        `former` is the last incarnation here. Nobody answers by its lease any longer, since the page says so.
        """
        self.length = length
        self.epoch = NOBODY  # in force here
        self.until = 0  # the lease is alive before this
        self.timeline = timeline  # of the last confirmed renewal
        self.writes_from = writes_from  # nothing but renewals is written on that timeline before this
        self.acked_by_all = NOBODY  # every other node that could answer has this epoch in force, or a later one
        self.incarnation = b""
        self.is_member = False  # the row is committed
        self.renews_from = 0  # the first renewal waits until then
        self.to_raise = NOBODY  # the database's epoch must be made greater than this before the lease goes on
        self._former = former
        self._sights: dict[str, tuple[Row, int]] = {}  # since when a row has looked as it does

    def start_join(self, incarnation: bytes) -> None:
        """Take a new incarnation; its row must be committed, with nothing acknowledged, before `complete_join`."""
        self._drop()
        self.incarnation = incarnation

    def complete_join(self, now: int, replaced: bytes) -> None:
        """Go on after the commit of the row; `replaced` is the incarnation of the row of this name before, or empty.

        Another process may have that incarnation, and with it a lease. It cannot renew it, so wait for its end.
        """
        self.renews_from = now + safe_wait(self.length) if self.is_foreign(replaced) else now
        self.is_member = True

    def is_foreign(self, incarnation: bytes) -> bool:
        """Return whether another process may have a lease by this incarnation."""
        return incarnation not in (b"", self._former)

    def may_renew(self, now: int) -> bool:
        """Return whether a renewal may be sent."""
        return self.is_member and now >= self.renews_from

    def make_renewal(self, now: int) -> Renewal:
        """Return the renewal to send; the epoch that it acknowledges is in the shared page already."""
        return Renewal(now, self.incarnation, self.epoch)

    def accept(self, renewal: Renewal, sight: Sight, now: int) -> bool:
        """Take the answer of a renewal whose commit was confirmed, and return whether the lease has been renewed.

        The caller writes the page after this. A later timeline begins with a quarantine. An epoch may have been seen
        on the timeline before that never was confirmed, and the database may use its number once more. So the epoch is
        raised past everything that was seen, by the caller, before the lease goes on (`to_raise`).
        """
        if renewal.incarnation != self.incarnation or not self.is_member or sight.timeline < self.timeline:
            return False
        if sight.timeline > self.timeline:
            self.to_raise = max(self.epoch, sight.epoch) if self.timeline else NOBODY
            self.timeline = sight.timeline
            self.writes_from = now if sight.timeline == FIRST_TIMELINE else now + safe_wait(self.length)
        if sight.epoch < self.epoch:
            self.to_raise = max(self.to_raise, self.epoch)
        if sight.epoch <= self.to_raise:
            return False
        self.to_raise = NOBODY
        if not self.is_live(now):
            self._sights.clear()  # nobody was seen meanwhile: after a failover all rows look as they did before it
        self.put_in_force(sight.epoch)
        self.until = max(self.until, self._lease_start(renewal, now) + self.length)
        self._note_rows(sight.others, now)
        self.observe(sight)
        return True

    def observe(self, sight: Sight) -> None:
        """Learn what the other nodes have acknowledged; the state may come from a read as well.

        Only a state with the epoch of a change shows who was there when it was committed. A node that comes later reads
        that epoch, or a later one. Before its first renewal a node learns nothing: the process whose name it has taken
        over may still answer, and has no row any longer.
        """
        if sight.timeline == self.timeline and self.until:
            acked = min((row.acked for row in sight.others), default=sight.epoch)
            self.acked_by_all = max(self.acked_by_all, min(acked, sight.epoch, self.epoch))

    def put_in_force(self, epoch: int) -> bool:
        """Put an epoch in force that was seen anywhere, such as in a notification; return whether it was later."""
        if epoch <= self.epoch:
            return False
        self.epoch = epoch
        return True

    def is_live(self, now: int) -> bool:
        """Return whether requests may be answered."""
        return now < self.until

    def may_write(self, now: int, timeline: int) -> bool:
        """Return whether anything but a renewal may be written on a timeline."""
        return timeline == self.timeline and now >= self.writes_from

    def rows_to_strike(self, now: int) -> list[Row]:
        """Return the rows that have not been renewed for a whole lease, to be removed if they still look the same.

        Only time in which this node had a lease counts: it could have seen a renewal then. Otherwise the first node
        that reaches the database after a failover would remove all others, which would have to join again.
        That a node has not acknowledged an epoch is not enough: it may have read that epoch, and answer by a lease.
        """
        wait = 2 * safe_wait(self.length)
        return [row for row, since in self._sights.values() if now >= since + wait]

    def leave(self) -> None:
        """Give up the lease, at the end or since the row is gone; the row may be removed after the page is written."""
        self._former = self.incarnation
        self._drop()

    def _drop(self) -> None:
        self.until = 0
        self.is_member = False
        self._sights.clear()

    def _lease_start(self, renewal: Renewal, _now: int) -> int:
        return renewal.sent

    def _note_rows(self, others: tuple[Row, ...], now: int) -> None:
        def first_sight(row: Row) -> int:
            before = self._sights.get(row.name)
            same = before is not None and (before[0].incarnation, before[0].beat) == (row.incarnation, row.beat)
            return before[1] if before is not None and same else now

        self._sights = {row.name: (row, first_sight(row)) for row in others}
