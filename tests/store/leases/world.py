"""A model of nodes, their clocks, a database that fails over, and a network, in which the rules of leases are run.

Time is simulated, in nanoseconds. What can go wrong in a schedule is drawn from a seed:

* Messages take up to three seconds, or are lost with their connection. A transaction sees the database when it
  arrives, and commits up to a second later.
* A node, or its keeper alone, stops for up to six seconds. What has come meanwhile is handled afterwards.
* Clocks differ in speed by nearly 0.1 %. The wall clock is stepped by an hour.
* The database fails over: its standby has all confirmed commits. The old primary goes on to answer reads. Half of the
  nodes stay connected to it for up to eight seconds. Its commits are never confirmed.
* Nodes end, and join again.

`World.violations` counts the requests that *arrived* after a change had been answered, and were answered from an older
epoch; `World.lags` those that arrived when another one had been answered from a later epoch a lease ago.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fuin.store.engine.leases.protocol import (
    SECOND,
    Lease,
    Renewal,
    Row,
    Sight,
    may_return,
)

LENGTH = SECOND
END = 25 * SECOND
MILLI = SECOND // 1000


@dataclass(frozen=True)
class Variant:
    """The rules that a schedule is run with; all but the defaults are wrong."""

    lease: type[Lease] = Lease
    exact: bool = False
    by_wall_clock: bool = False
    wait: float = 1.0  # of the wait that is right
    asynchronous: bool = False  # the old primary confirms its commits
    joins_early: bool = False  # the epoch is read before the row is there
    believes_select: bool = False  # an exact node needs no lease
    believes_any_timeline: bool = False  # an exact node does not compare the server's timeline with its lease's
    strikes_silent: bool = False  # whoever has not acknowledged in time
    takes_over_at_once: bool = False  # the name of a process that may still answer


@dataclass
class Server:
    """A database server: its epoch and rows; commits are confirmed until it has been replaced."""

    timeline: int
    epoch: int = 1
    rows: dict[str, Row] = field(default_factory=dict)
    replaced: bool = False

    def sight(self, own: bytes) -> Sight:
        others = tuple(row for row in self.rows.values() if row.incarnation != own)
        return Sight(self.timeline, self.epoch, others)


class Node:
    """A node: the keeper's lease, which is the shared page as well, and its clocks."""

    def __init__(self, world: World, name: str) -> None:
        chance = world.chance
        self.world, self.name = world, name
        self.speed = 1 + chance.uniform(-0.00099, 0.00099)
        self.offset = chance.randrange(1000 * SECOND)
        self.step = 0  # of the wall clock
        self.lease = world.variant.lease(LENGTH)
        self.server = world.primary
        self.asked_server = world.primary  # for the questions of an exact node, which have their own connection
        self.asleep = 0  # until then the keeper does nothing
        self.stopped = 0  # until then the workers do nothing
        self.life = 0  # counts its starts
        self.renewing = 0  # renewals under way
        self.known = 0
        self.waiting: list[tuple[int, int]] = []  # changes that are not answered yet

    def clock(self) -> int:
        step = self.step if self.world.variant.by_wall_clock else 0
        return self.offset + step + int(self.world.now * self.speed)


class Needed(NamedTuple):
    """Epochs that a request must know of: the last one returned when it arrived, the last one shown a lease before."""

    returned: int
    shown: int


class World:
    """One schedule."""

    def __init__(self, seed: int, variant: Variant, *, faults: bool = True) -> None:
        self.faults = faults
        self.chance = random.Random(seed)
        self.variant = variant
        self.now = 0
        self.events: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self.count = 0
        self.primary = Server(1)
        self.names = iter(range(1, 1_000_000))
        self.returned = 0  # the greatest epoch whose change has been answered
        self.shown: list[tuple[int, int]] = []  # when an epoch was answered from for the first time, and the epoch
        self.answers = self.refusals = self.violations = self.lags = self.changes = 0
        self.longest_return = 0  # from a commit to its answer
        self.slow = faults and self.chance.random() < 0.5  # whether messages may take seconds
        self.nodes = [Node(self, f"n{number}") for number in range(3)]
        for node in self.nodes:
            self.at(self.chance.randrange(SECOND), self.start, node)
            self.at(self.chance.randrange(100 * MILLI), self.requests, node)
            self.at(SECOND + self.chance.randrange(SECOND), self.change, node)
        if faults:
            self._draw_faults()

    def _draw_faults(self) -> None:
        chance = self.chance
        for node in self.nodes:
            for _ in range(chance.randrange(4)):
                self.at(chance.randrange(END), self.stop, node, chance.random() < 0.5, self.length_of_pause())
            if chance.random() < 0.4:
                self.at(chance.randrange(END), self.end_node, node)
            for _ in range(2):
                self.at(chance.randrange(END), self.step_clock, node)
            if chance.random() < 0.4:
                self.at(chance.randrange(END), self.double, node)
        for _ in range(chance.randrange(3)):
            self.at(3 * SECOND + chance.randrange(END - 5 * SECOND), self.fail_over)

    def length_of_pause(self) -> int:
        return int(self.chance.choice((0.3, 1.2, 2, 6)) * SECOND * self.chance.random())

    def delay(self) -> int:
        if self.slow and self.chance.random() < 0.05:
            return self.chance.randrange(3 * SECOND)
        return MILLI + self.chance.randrange(10 * MILLI)

    def at(self, after: int, fn: Callable[..., None], *args: Any) -> None:
        self.count += 1
        heapq.heappush(self.events, (self.now + after, self.count, fn, args))

    def run(self) -> World:
        events = self.events
        while events and self.now < END:
            self.now, _, fn, args = heapq.heappop(events)
            fn(*args)
        return self

    # Faults

    def stop(self, node: Node, whole: bool, length: int) -> None:
        node.asleep = max(node.asleep, self.now + length)
        if whole:
            node.stopped = max(node.stopped, self.now + length)

    def step_clock(self, node: Node) -> None:
        node.step = self.chance.choice((-3600, 3600, 0)) * SECOND

    def end_node(self, node: Node) -> None:
        """The keeper ends and its successor reads the page."""
        self.at(self.chance.randrange(SECOND), self.start, node)
        old = node.lease
        node.life += 1
        old.until = 0
        node.lease = self.variant.lease(LENGTH, old.incarnation, old.timeline, old.writes_from)
        node.waiting.clear()

    def double(self, node: Node) -> None:
        """Somebody starts a node on another machine under a name that is in use."""
        other = Node(self, node.name)
        self.nodes.append(other)
        for fn in (self.start, self.requests, self.change):
            self.at(0, fn, other)
        self.at(SECOND + self.chance.randrange(4 * SECOND), self.stop_for_good, other)

    def stop_for_good(self, node: Node) -> None:
        node.life += 1
        node.lease.leave()
        node.asleep = node.stopped = END

    def fail_over(self) -> None:
        old = self.primary
        self.primary = Server(old.timeline + 1, old.epoch, dict(old.rows))
        old.replaced = True
        late = self.chance.randrange(8 * SECOND)
        for node in self.nodes:
            for connection in ("server", "asked_server"):
                after = 0 if self.chance.random() < 0.5 else self.chance.randrange(late + 1)
                self.at(after, setattr, node, connection, self.primary)

    # The network: a transaction arrives, commits later, and is answered later still

    def send(
        self,
        node: Node,
        work: Callable[[Server], Any],
        then: Callable[..., None],
        *,
        read: bool = False,
        lost: Callable[[], None] | None = None,
    ) -> None:
        self.at(self.delay(), self.arrive, node, node.server, node.life, work, then, read, lost)

    def arrive(
        self,
        node: Node,
        server: Server,
        life: int,
        work: Callable[[Server], Any],
        then: Callable[..., None],
        read: bool,
        lost: Callable[[], None] | None,
    ) -> None:
        if read:
            self.at(self.delay(), self.deliver, node, life, then, (work(server),))
            return
        commit = work(server)  # sees the database as it is now; what it returns writes
        self.at(self.chance.choice((MILLI, MILLI, 300 * MILLI, SECOND)) if self.slow else MILLI,
                self.commit, node, server, life, commit, then, lost)  # fmt: skip

    def commit(
        self,
        node: Node,
        server: Server,
        life: int,
        commit: Callable[[], Any],
        then: Callable[..., None],
        lost: Callable[[], None] | None,
    ) -> None:
        answer = commit()
        if (server.replaced and not self.variant.asynchronous) or answer is None:
            if lost is not None:
                self.at(self.delay() + 300 * MILLI, lost)
            return
        self.at(self.delay(), self.deliver, node, life, then, answer)

    def deliver(self, node: Node, life: int, then: Callable[..., None], answer: tuple[Any, ...]) -> None:
        if node.life != life:
            return
        if node.asleep > self.now:
            self.at(node.asleep - self.now, self.deliver, node, life, then, answer)
        else:
            then(*answer)

    # The keeper

    def start(self, node: Node) -> None:
        node.lease.start_join(next(self.names).to_bytes(16, "big"))
        self.join(node)

    def join(self, node: Node) -> None:
        incarnation = node.lease.incarnation
        asked = node.clock()

        def work(server: Server) -> Callable[[], Any]:
            epoch = server.epoch

            def commit() -> Any:
                old = server.rows.get(node.name)
                server.rows[node.name] = Row(node.name, incarnation, 0, -1)
                replaced = b"" if old is None or self.variant.takes_over_at_once else old.incarnation
                return asked, incarnation, replaced, epoch, server.timeline

            return commit

        def again() -> None:
            if not node.lease.is_member and node.lease.incarnation == incarnation:
                self.start(node)

        def joined(asked: int, joined_as: bytes, replaced: bytes, epoch: int, timeline: int) -> None:
            if node.lease.incarnation != joined_as or node.lease.is_member:
                return
            node.lease.complete_join(node.clock(), replaced)
            if self.variant.joins_early:
                self.confirm(node, Renewal(asked, joined_as, epoch), Sight(timeline, epoch, ()))
            self.tick(node, node.life, joined_as)

        self.send(node, work, joined, lost=again)

    def tick(self, node: Node, life: int, incarnation: bytes) -> None:
        """Renew every third of a lease, as long as this incarnation lives."""
        if node.life != life or node.lease.incarnation != incarnation:
            return
        if node.asleep > self.now:
            self.at(node.asleep - self.now, self.tick, node, life, incarnation)
            return
        self.renew(node)
        self.at(LENGTH // 3, self.tick, node, life, incarnation)

    def renew(self, node: Node) -> None:
        if not node.lease.may_renew(node.clock()):
            return
        renewal = node.lease.make_renewal(node.clock())

        def work(server: Server) -> Callable[[], Any]:
            sight = server.sight(renewal.incarnation)

            def commit() -> Any:
                row = server.rows.get(node.name)
                if row is None or row.incarnation != renewal.incarnation:
                    return renewal, None
                server.rows[node.name] = row._replace(beat=row.beat + 1, acked=max(row.acked, renewal.acked))
                return renewal, sight

            return commit

        self.send(node, work, lambda renewal, sight: self.confirm(node, renewal, sight))

    def confirm(self, node: Node, renewal: Renewal, sight: Sight | None) -> None:
        lease = node.lease
        if renewal.incarnation != lease.incarnation:
            return
        if sight is None:  # the row is gone
            lease.leave()
            self.start(node)
            return
        before = lease.epoch
        renewed = lease.accept(renewal, sight, node.clock())
        if lease.to_raise > 0:
            self.raise_epoch(node, lease.to_raise)
        if renewed and lease.epoch > before:
            self.renew(node)  # which acknowledges it
        self.look(node)
        rows = lease.rows_to_strike(node.clock())
        if self.variant.strikes_silent:
            rows = [row for row in sight.others if row.acked < lease.epoch - 1]
        if rows:
            self.strike(node, rows)

    def raise_epoch(self, node: Node, past: int) -> None:
        def work(server: Server) -> Callable[[], Any]:
            def commit() -> Any:
                server.epoch = max(server.epoch, past + 1)
                return ()

            return commit

        self.send(node, work, lambda: self.renew(node))

    def strike(self, node: Node, rows: list[Row]) -> None:
        def work(server: Server) -> Callable[[], Any]:
            def commit() -> Any:
                for row in rows:
                    found = server.rows.get(row.name)
                    if found is not None and (
                        found == row or (self.variant.strikes_silent and found.incarnation == row.incarnation)
                    ):
                        del server.rows[row.name]
                return ()

            return commit

        self.send(node, work, lambda: None)

    def notify(self, server: Server, epoch: int, sender: Node) -> None:
        for node in self.nodes:
            if node.server is server and (node is sender or not self.faults or self.chance.random() < 0.7):
                self.at(self.delay(), self.deliver, node, node.life, self.hear, (node, epoch))

    def hear(self, node: Node, epoch: int) -> None:
        if node.lease.is_member and node.lease.put_in_force(epoch):
            self.renew(node)

    def look_at_acks(self, node: Node) -> None:
        """Read what the others have acknowledged, from whichever server answers."""
        if node.lease.is_member:
            own = node.lease.incarnation
            self.send(node, lambda server: server.sight(own), lambda sight: self.observe(node, own, sight), read=True)

    def observe(self, node: Node, own: bytes, sight: Sight) -> None:
        if node.lease.incarnation == own:
            node.lease.observe(sight)
            self.look(node)

    # Changes

    def change(self, node: Node) -> None:
        self.at(self.chance.choice((50, 400, 2000)) * MILLI, self.change, node)
        lease, variant = node.lease, self.variant
        if node.stopped > self.now or not lease.is_member:
            return
        if not lease.may_write(node.clock(), node.server.timeline):
            return

        def work(server: Server) -> Callable[[], Any]:
            def commit() -> Any:
                server.epoch += 1
                return (server, server.epoch)

            return commit

        def committed(server: Server, epoch: int) -> None:
            self.changes += 1
            self.notify(server, epoch, node)
            if variant.exact:
                self.returned = max(self.returned, epoch)
                return
            node.waiting.append((epoch, node.clock()))
            self.at(20 * MILLI, self.look_at_acks, node)
            self.at(int(LENGTH * 1.0031 * variant.wait), self.look, node)

        self.send(node, work, committed)

    def look(self, node: Node) -> None:
        """Answer the changes that may return."""
        now, acked = node.clock(), node.lease.acked_by_all
        length = int(LENGTH * self.variant.wait)
        for epoch, since in list(node.waiting):
            if may_return(epoch, since, length, acked, now):
                node.waiting.remove((epoch, since))
                self.returned = max(self.returned, epoch)
                self.longest_return = max(self.longest_return, now - since)

    # Requests

    def requests(self, node: Node) -> None:
        self.at(self.chance.randrange(180 * MILLI), self.requests, node)
        if node.stopped >= END:
            return
        self.at(max(0, node.stopped - self.now), self.answer, node, self.needed(), node.life)

    def needed(self) -> Needed:
        before = self.now - int(LENGTH * 1.002)
        return Needed(self.returned, next((epoch for time, epoch in reversed(self.shown) if time < before), 0))

    def answer(self, node: Node, needed: Needed, life: int) -> None:
        """Answer a request."""
        if node.stopped > self.now:
            self.at(node.stopped - self.now, self.answer, node, needed, life)
        elif self.variant.exact:
            self.at(self.delay(), self.ask, node, node.asked_server, needed, life)
        else:
            self.judge(node, needed, node.lease.epoch)

    def ask(self, node: Node, server: Server, needed: Needed, life: int) -> None:
        self.at(self.delay(), self.hear_answer, node, server.epoch, server.timeline, needed, life)

    def hear_answer(self, node: Node, epoch: int, timeline: int, needed: Needed, life: int) -> None:
        if node.stopped > self.now:
            self.at(node.stopped - self.now, self.hear_answer, node, epoch, timeline, needed, life)
        elif timeline != node.lease.timeline and not self.variant.believes_any_timeline:
            self.refusals += 1
        else:
            self.judge(node, needed, max(epoch, node.lease.epoch))

    def judge(self, node: Node, needed: Needed, epoch: int) -> None:
        if not node.lease.is_live(node.clock()) and not (self.variant.exact and self.variant.believes_select):
            self.refusals += 1
            return
        self.answers += 1
        self.violations += epoch < needed.returned
        self.lags += epoch < needed.shown
        if not self.shown or epoch > self.shown[-1][1]:
            self.shown.append((self.now, epoch))
