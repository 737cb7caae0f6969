"""Faults from a seed, one after the other in each lane: of nodes, of the blob store, and of the database."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
import traceback
from collections import Counter
from typing import TYPE_CHECKING, Literal, Protocol

import psutil

from tests.cluster.machine.database import LOOP_WAIT, TTL
from tests.cluster.machine.processes import wait_for
from tests.cluster.machine.proxy import Ways
from tests.support.fake_s3 import busy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.cluster.machine.database import Database
    from tests.cluster.machine.nodes import Node, Nodes
    from tests.support.fake_s3 import FakeS3

    class Fault(Protocol):
        """A method that carries out one fault, and returns a line that tells it."""

        __name__: str

        def __call__(self) -> str: ...


HOUR = 3600
FAILOVER_LIMIT = TTL + LOOP_WAIT + 60
SETTLING = 90.0  # seconds for the standbys to replicate again by themselves
PARTS = ("fuin.server.worker", "fuin.keyholder", "fuin.server.lease_keeper", "fuin.server.log_copier")


class Lane:
    """Faults of one kind, one after the other in a thread.

    `done` has a line for each, `counts` how many there were of each sort, `failure` is what went wrong.
    """

    def __init__(self, name: str, faults: Sequence[tuple[int, Fault]], seed: int, gap: tuple[float, float]) -> None:
        self.done: list[str] = []
        self.counts: Counter[str] = Counter()
        self.failure = ""
        self.name, self._faults, self._gap = name, faults, gap
        self._choice = random.Random(seed)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"faults of {name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End when the fault under way has ended."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        weights = [weight for weight, _ in self._faults]
        while not self._ending.wait(self._choice.uniform(*self._gap)):
            fault = self._choice.choices(self._faults, weights)[0][1]
            began = time.strftime("%H:%M:%S")
            try:
                self.done.append(f"{began} {fault()}")
                self.counts[fault.__name__] += 1
                print(self.done[-1], flush=True)
            except Exception:
                self.failure = traceback.format_exc()
                print(f"{began} {self.failure}", flush=True)
                return


class NodeFaults:
    """Faults of one node at a time; each one is over when the method returns."""

    def __init__(self, nodes: Nodes, seed: int, longest: float) -> None:
        self._nodes, self._choice, self._longest = nodes, random.Random(seed), longest

    def all(self) -> list[tuple[int, Fault]]:
        """Return them with their weights."""
        return [
            (3, self.kill), (4, self.pause), (3, self.kill_part), (5, self.pause_part), (3, self.hold_database),
            (2, self.cut_database), (2, self.delay_database), (1, self.lose_database), (3, self.part_database),
            (3, self.lose_packets), (2, self.part_blobs), (1, self.lose_blob_packets), (3, self.step_clock),
        ]  # fmt: skip

    def kill(self) -> str:
        """SIGKILL a node, and start it again."""
        node, seconds = self._pick()
        node.process.kill()
        time.sleep(seconds)
        node.start()
        return f"{node.name} killed, started again after {seconds:.1f} s"

    def pause(self) -> str:
        """SIGSTOP a whole node for a while."""
        node, seconds = self._pick()
        node.process.pause()
        time.sleep(seconds)
        node.process.go_on()
        node.wait_ready()
        return f"{node.name} paused for {seconds:.1f} s"

    def kill_part(self) -> str:
        """SIGKILL one process of a node, which its supervisor starts again."""
        node, _ = self._pick()
        part = self._choice.choice(PARTS)
        with contextlib.suppress(psutil.Error):
            self._choice.choice(node.parts(part)).kill()
        node.wait_ready()
        return f"{node.name}: {part} killed"

    def pause_part(self) -> str:
        """SIGSTOP one process of a node for a while."""
        node, seconds = self._pick()
        part = self._choice.choice(PARTS)
        with contextlib.suppress(psutil.Error):
            process = self._choice.choice(node.parts(part))
            process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            process.send_signal(signal.SIGCONT)
        node.wait_ready()
        return f"{node.name}: {part} paused for {seconds:.1f} s"

    def hold_database(self) -> str:
        """Swallow in silence what goes between a node and the database."""
        return self._on_the_way("database", "hears nothing from the database", Ways.hold)

    def cut_database(self) -> str:
        """Reset what goes between a node and the database."""
        return self._on_the_way("database", "cut off from the database", Ways.cut)

    def delay_database(self) -> str:
        """Let everything between a node and the database take longer."""
        seconds = self._choice.uniform(0.02, 0.4)
        return self._on_the_way("database", f"{seconds:.2f} s from the database", lambda ways: ways.delay(seconds))

    def lose_database(self) -> str:
        """Reset some of the connections between a node and the database."""

        def lose(ways: Ways) -> None:
            for proxy in ways.proxies:
                proxy.reset_some(0.03)

        return self._on_the_way("database", "loses connections to the database", lose)

    def part_database(self) -> str:
        """Drop all packets between a node and the database."""
        return self._on_the_way("database", "parted from the database", Ways.part)

    def lose_packets(self) -> str:
        """Drop some of the packets between a node and the database."""
        return self._on_the_way("database", "loses packets", Ways.lose_some)

    def part_blobs(self) -> str:
        """Drop all packets between a node and the blob store."""
        return self._on_the_way("blobs", "parted from the blob store", Ways.part)

    def lose_blob_packets(self) -> str:
        """Drop some of the packets between a node and the blob store."""
        return self._on_the_way("blobs", "loses packets of the blob store", Ways.lose_some)

    def step_clock(self) -> str:
        """Step a node's wall clock by an hour, or by so little that requests are still taken, and back."""
        node, seconds = self._pick()
        ahead = self._choice.choice((HOUR, -HOUR, 200, -200))
        if node.clock is None:
            return "there is no wall clock to step"
        node.clock.step(ahead)
        time.sleep(seconds)
        node.clock.step(-ahead)
        return f"{node.name}: wall clock stepped by {ahead} s for {seconds:.1f} s"

    def _on_the_way(self, to: Literal["database", "blobs"], what: str, begin: Callable[[Ways], object]) -> str:
        node, seconds = self._pick()
        ways = node.database if to == "database" else node.blobs
        begin(ways)
        time.sleep(seconds)
        ways.heal()
        node.wait_ready()
        return f"{node.name} {what} for {seconds:.1f} s"

    def _pick(self) -> tuple[Node, float]:
        return self._choice.choice(self._nodes.nodes), self._choice.uniform(0.2, self._longest)


class BlobFaults:
    """Faults of the S3 that stores the blobs, for all nodes."""

    def __init__(self, bucket: FakeS3, seed: int, longest: float) -> None:
        self._bucket, self._choice, self._longest = bucket, random.Random(seed), longest

    def all(self) -> list[tuple[int, Fault]]:
        """Return them with their weights."""
        return [(1, self.down), (1, self.slow), (2, self.half), (1, self.forgetful)]

    def down(self) -> str:
        """Refuse each request."""

        def refuse(request: object) -> bool:
            busy(request)  # type: ignore[arg-type]
            return True

        return self._meanwhile("down", refuse)

    def slow(self) -> str:
        """Answer late."""

        def wait(_: object) -> bool:
            time.sleep(0.5)
            return False

        return self._meanwhile("slow", wait)

    def half(self) -> str:
        """Refuse every other request."""

        def refuse(request: object) -> bool:
            if refused := self._choice.random() < 0.5:
                busy(request)  # type: ignore[arg-type]
            return refused

        return self._meanwhile("failing half its requests", refuse)

    def forgetful(self) -> str:
        """Do every other request, and never say so."""
        seconds = self._choice.uniform(0.5, self._longest)
        self._bucket.after = lambda _: self._choice.random() < 0.5
        time.sleep(seconds)
        self._bucket.after = lambda _: False
        return f"blob store loses half its answers for {seconds:.1f} s"

    def _meanwhile(self, what: str, before: Callable[[object], bool]) -> str:
        seconds = self._choice.uniform(0.5, self._longest)
        self._bucket.before = before
        time.sleep(seconds)
        self._bucket.before = lambda _: False
        return f"blob store {what} for {seconds:.1f} s"


class DatabaseFaults:
    """Faults of the three database servers; `failovers` counts how often another one became the primary."""

    def __init__(self, database: Database, seed: int) -> None:
        self._database, self._choice = database, random.Random(seed)
        self.failovers = 0

    def all(self) -> list[tuple[int, Fault]]:
        """Return them with their weights."""
        return [
            (4, self.kill), (3, self.part), (2, self.pause), (12, self.switch_over), (1, self.pause_shortly),
            (1, self.kill_etcd), (1, self.pause_etcd),
        ]  # fmt: skip

    def kill(self) -> str:
        """SIGKILL the primary's machine, and start it again when another one is the primary."""
        old = self._database.wait_for_primary()
        began = time.monotonic()
        old.process.kill()
        text = self._after(old.name, "killed", began)
        old.process.start()
        self._settle()
        return text

    def part(self) -> str:
        """Part the primary from all others with its patroni stopped, so that it goes on to believe itself one."""
        old = self._database.wait_for_primary()
        began = time.monotonic()
        patroni = old.process.processes()[0]
        patroni.suspend()
        self._choice.choice((old.ways.hold, old.ways.part))()
        text = self._after(old.name, "parted, and still a primary to its clients", began)
        time.sleep(self._choice.uniform(1, 8))  # both are primaries
        old.ways.heal()
        patroni.resume()
        self._settle()
        return text

    def pause(self) -> str:
        """SIGSTOP the primary's machine until another one is the primary, and a little longer."""
        old = self._database.wait_for_primary()
        began = time.monotonic()
        old.process.pause()
        text = self._after(old.name, "paused", began)
        time.sleep(self._choice.uniform(0, 3))
        old.process.go_on()
        self._settle()
        return text

    def pause_shortly(self) -> str:
        """SIGSTOP the primary's machine for less than a failover takes."""
        primary, seconds = self._database.wait_for_primary(), self._choice.uniform(0.3, 4)
        primary.process.pause()
        time.sleep(seconds)
        primary.process.go_on()
        self._settle()
        return f"{primary.name} paused for {seconds:.1f} s"

    def kill_etcd(self) -> str:
        """SIGKILL etcd and start it again; a primary that misses it for too long steps down until then."""
        etcd = self._database.etcd
        return self._without_etcd("killed", etcd.kill, etcd.start)

    def pause_etcd(self) -> str:
        """SIGSTOP etcd for a while."""
        etcd = self._database.etcd
        return self._without_etcd("paused", etcd.pause, etcd.go_on)

    def _without_etcd(self, what: str, begin: Callable[[], None], end: Callable[[], None]) -> str:
        old, seconds = self._database.wait_for_primary(), self._choice.uniform(1, TTL + 5)
        begin()
        time.sleep(seconds)
        end()
        new = self._database.wait_for_primary(FAILOVER_LIMIT)
        self.failovers += new is not old
        self._settle()
        return f"etcd {what} for {seconds:.1f} s; {old.name} was the primary, then {new.name}"

    def switch_over(self) -> str:
        """Make a standby the primary, in order."""
        began = time.monotonic()
        new = self._database.switch_over()
        self.failovers += 1
        self._settle()
        return f"switchover to {new.name}, {time.monotonic() - began:.1f} s"

    def _after(self, name: str, what: str, began: float) -> str:
        """Wait for another primary, and return a line that tells it.

        Patroni may have none, such as when etcd was away shortly before; then it is the old one when it is back.
        """
        old = next(server for server in self._database.servers if server.name == name)
        try:
            new = self._database.wait_for_primary(FAILOVER_LIMIT, but=old)
        except AssertionError:
            return f"{name} {what}; there is no other primary after {time.monotonic() - began:.1f} s"
        self.failovers += 1
        return f"{name} {what}; {new.name} is the primary after {time.monotonic() - began:.1f} s"

    def _settle(self) -> None:
        try:
            wait_for(self._database.is_whole, SETTLING, "all standbys replicate", self._database.machine)
        except AssertionError:
            print(f"{', '.join(self._database.rebuild_lost()) or 'nobody'} is copied anew", flush=True)
            wait_for(self._database.is_whole, 180, "all standbys replicate", self._database.machine)
        self._database.wait_for_writes(time.monotonic())
