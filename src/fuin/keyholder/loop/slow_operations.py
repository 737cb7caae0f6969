"""What takes a hundred times as long as the rest and must be done in the loop: private RSA and ML-DSA operations.

Signing with RSA_4096 takes 4 ms, in which no other thread runs either. Who asks for many of them at once must not make
everybody else wait for all: they stand in a queue, from which each turn takes as many as fit its time.
"""

import time
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from fuin.keyholder.wire.requests import REQUESTS, Pace

TIME_OF_A_TURN = 0.004  # seconds
QUEUE_LIMIT = 1024  # beyond it they are done at once: what waits in the sockets takes no memory here

CODES = frozenset(request.code for request in REQUESTS if request.pace is Pace.QUEUED_BY_MATERIAL)
_SPECS = (b"RSA_", b"ML_DSA")
_SPEC_AT = 1 + 36 + 1 + 32 + 1  # in encoded material: key id and material id, each with its length before it, a length

Item = TypeVar("Item")


def is_costly(fields: list[bytes]) -> bool:
    """Tell whether a request of one of `CODES` is one; whatever else it is, the operation itself finds out."""
    return bool(fields) and fields[0].startswith(_SPECS, _SPEC_AT)


class Costly(Generic[Item]):
    """The queue of costly requests, the oldest first."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        """Tell whether no more may wait."""
        return len(self._items) >= QUEUE_LIMIT

    def add(self, item: Item) -> None:
        """Let a request wait for its turn."""
        self._items.append(item)

    def share(self) -> Iterator[Item]:
        """Yield the requests of this turn: at least one, and no further one once the turn's time is over."""
        end = time.monotonic() + TIME_OF_A_TURN
        while self._items:
            yield self._items.popleft()
            if time.monotonic() >= end:
                return
