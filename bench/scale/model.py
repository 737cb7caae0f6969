"""An installation: nodes with workers and a keyholder, one database, and clients that wait for their answers.

What is modelled: queues for the cores of the workers, the keyholder's turns with the flush of its records, one lock on
the epoch row for all changes, batches of additions in each node, one change of rights after the other, the cores of
the database, renewals of leases, and acknowledgements of a change by all nodes. What is not: networks (but for the
notification), failures, and the disks of the database beyond the time of a commit.
"""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.scale.queues import Batches, Calendar, Station

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = Path(__file__).with_name("parameters.toml")
_BATCH = 64  # requests that a keyholder takes in one turn
_MS = 1000.0

Parameters = dict[str, dict[str, float]]


def read_parameters(path: Path = FILE) -> Parameters:
    """Return the values of all parameters, by part and name."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {part: {name: entry["value"] for name, entry in names.items()} for part, names in tables.items()}


@dataclass(frozen=True)
class Load:
    """What clients do: each has one request under way, and draws its kind by these shares."""

    nodes: int
    clients_per_node: int = 64
    changes: float = 0.0  # share of changes that take rights, such as PutKeyPolicy
    additions: float = 0.0  # share of changes that only add, such as CreateKey and CreateGrant
    objects: float = 0.0  # share of writes of objects
    misses: float = 0.0  # share of the other requests that need a row which is not in memory
    exact: bool = False  # --revocation-bound 0


@dataclass
class Result:
    """Rates by second, times of answers in milliseconds, and the use of each part, from 0 to 1."""

    rate: dict[str, float] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)
    use: dict[str, float] = field(default_factory=dict)

    def p50(self, kind: str) -> float:
        """Return the median time of an answer."""
        times = sorted(self.times.get(kind, [0.0]))
        return times[len(times) // 2]

    @property
    def bottleneck(self) -> str:
        """Return the part that is used most."""
        return max(self.use, key=self.use.__getitem__)


class _Node:
    def __init__(self, calendar: Calendar, p: Parameters) -> None:
        self.workers = Station(calendar, int(p["node"]["workers"]))
        fixed = p["request"]["keyholder_batch_us"] + p["request"]["flush_us"]
        self.keyholder = Batches(calendar, fixed, p["request"]["keyholder_us"], _BATCH)
        self.changes: list[Callable[[], None]] = []
        self.additions: list[Callable[[], None]] = []
        self.changing = self.adding = self.renewing = False
        self.waiting: list[Callable[[], None]] = []  # for this node's next renewal


class Model:
    """One run."""

    def __init__(self, load: Load, parameters: Parameters, seed: int = 1) -> None:
        self._p, self._load, self._choice = parameters, load, random.Random(seed)
        self._calendar = Calendar()
        self._nodes = [_Node(self._calendar, parameters) for _ in range(load.nodes)]
        self._database = Station(self._calendar, int(parameters["database"]["cores"]))
        self._epoch = Station(self._calendar, 1)
        self._times: dict[str, list[float]] = {"request": [], "change": [], "addition": [], "object": []}
        self._counted_from = 0.0
        self.renewals = 0

    def run(self, seconds: float, warm_up: float = 0.2) -> Result:
        """Return what the installation did in some seconds, after a warm-up."""
        for node in self._nodes:
            for _ in range(self._load.clients_per_node):
                self._calendar.after(self._choice.uniform(0, 20 * _MS), partial(self._request, node))
            self._renew_later(node, self._choice.random())
        self._counted_from = warm_up * 1e6
        self._calendar.run((warm_up + seconds) * 1e6)
        rate = {kind: len(times) / seconds for kind, times in self._times.items()}
        workers = sum(node.workers.use() for node in self._nodes) / len(self._nodes)
        keyholders = sum(node.keyholder.use() for node in self._nodes) / len(self._nodes)
        use = {"workers": workers, "keyholders": keyholders, "epoch row": self._epoch.use(),
               "database": self._database.use()}  # fmt: skip
        return Result(rate, self._times, use)

    def _request(self, node: _Node) -> None:
        begun = self._calendar.now
        kind, serve = self._draw()
        cost = self._p["request"]["worker_us"] + (self._p["request"]["exact_worker_us"] if self._load.exact else 0)
        done = partial(self._answer, node, kind, begun)
        spread = self._choice.uniform(0.8, 1.2)
        node.workers.work(cost * spread, partial(serve, node, done))

    def _draw(self) -> tuple[str, Callable[[_Node, Callable[[], None]], None]]:
        """Return the kind of a request, and the method that serves it."""
        drawn = self._choice.random()
        for kind, share, serve in (
            ("change", self._load.changes, self._change), ("addition", self._load.additions, self._add),
            ("object", self._load.objects, self._write_object),
        ):  # fmt: skip
            if drawn < share:
                return kind, serve
            drawn -= share
        return "request", self._use_key

    def _answer(self, node: _Node, kind: str, begun: float) -> None:
        if self._calendar.now > self._counted_from:
            self._times[kind].append((self._calendar.now - begun) / _MS)
        self._request(node)

    def _use_key(self, node: _Node, done: Callable[[], None]) -> None:
        use = partial(node.keyholder.add, done)
        cost = self._p["request"]["exact_database_us"] if self._load.exact else 0.0
        if self._choice.random() < self._load.misses:
            cost += self._p["database"]["lookup_us"]
        if cost:
            self._database.work(cost, use)
        else:
            use()

    def _write_object(self, node: _Node, done: Callable[[], None]) -> None:
        """Use a key, then commit to the index: the node's own gate, which no other node waits for."""
        p = self._p["database"]
        waited = partial(self._calendar.after, p["object_commit_ms"] * _MS, done)
        node.keyholder.add(partial(self._database.work, p["object_us"], waited))

    def _change(self, node: _Node, done: Callable[[], None]) -> None:
        """Take a right: of a node's changes each waits until the one before it was answered."""
        node.changes.append(done)
        if not node.changing:
            self._commit_change(node, waited=False)

    def _commit_change(self, node: _Node, *, waited: bool) -> None:
        """Commit the change that waits longest, which asks for its rights again if another change came first."""
        p = self._p["database"]
        node.changing = bool(node.changes)
        if not node.changing:
            return
        done = node.changes.pop(0)
        overtaken = waited or self._epoch.is_full

        def answer() -> None:
            done()
            self._commit_change(node, waited=True)

        hold = (p["commit_ms"] + (p["ask_ms"] if overtaken else 0.0)) * _MS + p["job_us"]
        self._epoch.work(hold, partial(self._acknowledge, node, [answer]))

    def _add(self, node: _Node, done: Callable[[], None]) -> None:
        node.additions.append(done)
        if not node.adding:
            self._commit_additions(node)

    def _commit_additions(self, node: _Node) -> None:
        """Commit the additions that wait in a node as one batch, under the lock of the epoch row."""
        p = self._p["database"]
        node.adding = bool(node.additions)
        if not node.adding:
            return
        taken, node.additions = node.additions[: int(p["batch"])], node.additions[int(p["batch"]) :]

        def committed() -> None:
            self._commit_additions(node)
            self._acknowledge(node, taken)

        self._epoch.work(p["commit_ms"] * _MS + p["job_us"] * len(taken), committed)

    def _acknowledge(self, own: _Node, taken: list[Callable[[], None]]) -> None:
        """Answer a batch when each other node has renewed its lease with the new epoch."""
        notify, others = self._p["database"]["notify_ms"] * _MS, [node for node in self._nodes if node is not own]
        remaining = len(others)

        def answer() -> None:
            for done in taken:
                done()

        def count() -> None:
            nonlocal remaining
            remaining -= 1
            if remaining == 0:
                self._calendar.after(notify, answer)

        if not others:
            answer()
        for node in others:
            self._calendar.after(notify, partial(self._renew, node, count))

    def _renew(self, node: _Node, then: Callable[[], None]) -> None:
        """Renew a node's lease; while one renewal is under way, all that comes waits for one more."""
        node.waiting.append(then)
        if not node.renewing:
            self._send_renewal(node)

    def _send_renewal(self, node: _Node) -> None:
        p = self._p["database"]
        taken, node.waiting = node.waiting, []
        node.renewing = bool(taken)
        if not taken:
            return
        self.renewals += 1

        def confirmed() -> None:
            self._send_renewal(node)
            for then in taken:
                then()

        self._database.work(p["renewal_us"], partial(self._calendar.after, p["commit_ms"] * _MS, confirmed))

    def _renew_later(self, node: _Node, share: float = 1.0) -> None:
        pause = self._p["lease"]["seconds"] / self._p["lease"]["renewals_per_lease"] * 1e6
        self._calendar.after(pause * share, partial(self._renew, node, partial(self._renew_later, node)))
