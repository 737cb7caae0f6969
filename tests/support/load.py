"""Clients that use a right again and again, while somebody takes it away."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from tests.support.processes import wait_until

_BEFORE, _AFTER = 3, 8  # uses of each client before the right ends, and after
_PATIENCE = 120.0  # seconds


@dataclass
class Outcome:
    """When the allowed uses began, the codes of the refused ones, and when the right had ended."""

    allowed: list[float] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    ended: float = 0.0

    @property
    def lasted(self) -> float:
        """Return how many seconds after its end the right still allowed a use that began then."""
        return max(0.0, max(self.allowed) - self.ended)


class _Client(threading.Thread):
    """Use the right until it is told to stop."""

    def __init__(self, use: Callable[[], object], outcome: Outcome, done: threading.Event) -> None:
        super().__init__()
        self._use = use
        self._outcome = outcome
        self._done = done
        self.begun: list[float] = []  # when each finished use began

    def run(self) -> None:
        """Note when each allowed use began, and how the others were refused."""
        while not self._done.is_set():
            began = time.perf_counter()
            try:
                self._use()
            except ClientError as error:
                self._outcome.refused.add(error.response["Error"]["Code"])
            else:
                self._outcome.allowed.append(began)
            self.begun.append(began)


def use_while_revoked(uses: Sequence[Callable[[], object]], revoke: Callable[[], object]) -> Outcome:
    """Use a right from one thread for each of `uses`, take it away meanwhile, and go on for some uses more."""
    outcome, done = Outcome(), threading.Event()
    clients = [_Client(use, outcome, done) for use in uses]
    for client in clients:
        client.start()
    try:
        wait_until(lambda: all(len(client.begun) >= _BEFORE for client in clients), _PATIENCE, "all use the right")
        revoke()
        outcome.ended = time.perf_counter()
        wait_until(lambda: all(_after(client, outcome.ended) for client in clients), _PATIENCE, "all go on")
    finally:
        done.set()
        for client in clients:
            client.join()
    return outcome


def _after(client: _Client, ended: float) -> bool:
    return sum(began > ended for began in client.begun) >= _AFTER
