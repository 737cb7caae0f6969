"""Operations that take milliseconds and must run in the loop: private operations with RSA and ML-DSA material.

A signature with RSA_4096 takes 4 ms, a hundred times as long as other operations, and no other thread can run
meanwhile. So that many of them do not delay all other requests, they wait in a queue, and each turn of the loop does as
many as fit its time.
"""

import time
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from fuin.keyholder.wire.requests import REQUESTS, Pace

TURN_TIME = 0.004  # seconds
QUEUE_LIMIT = 1024  # beyond it they are done at once: requests that wait in the sockets take no memory here

SLOW_CODES = frozenset(request.code for request in REQUESTS if request.pace is Pace.SLOW_BY_MATERIAL)
_SPECS = (b"RSA_", b"ML_DSA")
_SPEC_AT = 1 + 36 + 1 + 32 + 1  # in encoded material: key id and material id, each with its length before it, a length

Item = TypeVar("Item")


def is_slow_operation(fields: list[bytes]) -> bool:
    """Return whether the material of a request with one of `SLOW_CODES` makes it slow; nothing else is checked."""
    return bool(fields) and fields[0].startswith(_SPECS, _SPEC_AT)


class SlowOperationQueue(Generic[Item]):
    """The requests that wait for their turn, the oldest first."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """Return whether no more requests may wait."""
        return len(self._items) >= QUEUE_LIMIT

    def add(self, item: Item) -> None:
        """Put a request at the end."""
        self._items.append(item)

    def take_share(self) -> Iterator[Item]:
        """Yield the requests of this turn: at least one, and no further one once the turn's time is over."""
        end = time.monotonic() + TURN_TIME
        while self._items:
            yield self._items.popleft()
            if time.monotonic() >= end:
                return
