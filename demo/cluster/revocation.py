"""Revocations while a node is paused: who still used the right, and for how long."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tests.cluster.history import History, Outcome
from tests.cluster.registers import outcome_of
from tests.cluster.rights import Holding, KeyPolicy
from tests.cluster.rules import check_revocations, measure_honoured

if TYPE_CHECKING:
    from collections.abc import Callable

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
        took = [self._round(number, pause) for number, pause in enumerate(pauses)]
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

    def _round(self, number: int, pause: float) -> float:
        node = self._installation.node(number % 3 + 1)
        root = self._installation.root_clients((number + 1) % 3 + 1)  # at another node
        while not self._ask("grant", lambda holding: self._right.give(root, holding)):
            # It may take effect at any later time, and would explain every use: go on with another user and key.
            self._right.prepare(self._installation.root_clients(1, attempts=5))
        time.sleep(0.3)
        resume = threading.Timer(pause, node.process.go_on)
        if pause:
            node.process.pause()
            resume.start()
        while not (took := self._ask("revoke", lambda holding: self._right.take(root, holding))):
            time.sleep(0.3)  # as AWS's clients do after an error of the server
        if pause:
            resume.join()
            node.wait_ready()
        time.sleep(0.5)
        return took

    def _ask(self, kind: str, call: Callable[[Holding], None]) -> float:
        """Ask once; return how long it took, 0 when it failed or its outcome is unknown."""
        holding = self._right.holding
        assert holding is not None, "there is a user with a key"
        began = time.monotonic()
        with self._history.record("root", kind, holding.subject) as pending, outcome_of(pending):
            call(holding)
            pending.succeed()
        return time.monotonic() - began if pending.outcome is Outcome.OK else 0.0

    def _use(self, node: int) -> None:
        while not self._ending.wait(0.005):
            self._right.use_on(node, f"reader on {node}")
