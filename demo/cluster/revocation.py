"""Revocations while a node is paused: who still used the right, and for how long."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tests.cluster.history import History
from tests.cluster.rights import Holding, KeyPolicy
from tests.cluster.rules import check_revocations, measure_honoured

if TYPE_CHECKING:
    from tests.cluster.rules import Broken, Honoured

    from demo.cluster.parts import Installation

PAUSES = (0.4, 0.8, 1.6, 3.0)  # seconds, from less than a lease to more than the row of a silent node lives


class Revocations:
    """Rounds in which one user, who sends requests to all nodes all the time, loses the right to a key."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._history = History()
        self._right = KeyPolicy("reader", self._history, [node.url for node in installation.nodes], 1)
        self.commit = 0.0  # the longest that a revocation took while no node was paused
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._use, args=(number,), daemon=True) for number in range(3)]

    def play(self, pauses: tuple[float, ...] = PAUSES) -> list[float]:
        """Pause one node after the other, take the right away meanwhile; return how long each revocation took.

        A pause of 0 pauses nobody.
        """
        if self._right.holding is None:
            self._right.prepare(self._installation.root_clients(1, attempts=5))
            for thread in self._threads:
                thread.start()
        holding = self._right.holding
        assert holding is not None, "the user and the key could not be made"
        took = [self._round(holding, number, pause) for number, pause in enumerate(pauses)]
        self.commit = max([self.commit, *(each for each, pause in zip(took, pauses, strict=True) if not pause)])
        return took

    def stop(self) -> None:
        """End the requests."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def honoured(self) -> Honoured:
        """Return for how long the right was honoured after it had been taken away."""
        return measure_honoured(self._history.operations())

    def violations(self) -> list[Broken]:
        """Return the uses that were sent after a revocation's answer, and succeeded."""
        return check_revocations(self._history.operations())

    @property
    def uses(self) -> int:
        """Return how many uses were tried."""
        return sum(one.kind == "use" for one in self._history.operations())

    def _round(self, holding: Holding, number: int, pause: float) -> float:
        node = self._installation.node(number % 3 + 1)
        root = self._installation.root_clients((number + 1) % 3 + 1)  # at another node
        with self._history.record("root", "grant", holding.subject) as pending:
            self._right.give(root, holding)
            pending.succeed()
        time.sleep(0.3)
        resume = threading.Timer(pause, node.process.go_on)
        if pause:
            node.process.pause()
            resume.start()
        began = time.monotonic()
        with self._history.record("root", "revoke", holding.subject) as pending:
            self._right.take(root, holding)
            pending.succeed()
        took = time.monotonic() - began
        if pause:
            resume.join()
            node.wait_ready()
        time.sleep(0.5)
        return took

    def _use(self, node: int) -> None:
        while not self._ending.wait(0.005):
            self._right.use_on(node, f"reader on {node}")
