"""Bounds on what unauthenticated clients can make a worker hold: places for connections, and memory.

A client without credentials can begin a request and hold back the rest: its head, a body whose hash is needed before
the signature can be checked, or requests behind an answer that it does not read. Each is bounded for one connection;
here is the bound on all of them together. A request that arrives whole, as nearly all do, is never counted.
"""

from __future__ import annotations

from typing import Protocol

from fuin.settings import MIB

HELD_AT_MOST = 64 * MIB  # bytes of unfinished requests in one worker
ROOM = 0.75  # the share of HELD_AT_MOST to which closing connections brings it down, so that this is rare
CONNECTIONS = 4096  # of one worker, unless `--connections` says otherwise
CROWDED = 0.75  # the share of taken places from which idle connections are closed sooner
DESCRIPTORS = 256  # kept for files, the store and the keyholder
CLOSE_TIME = 2.0  # seconds that a client gets to answer the closing alert


class Holder(Protocol):
    """A connection that holds something."""

    def drop(self) -> None:
        """End at once, without an answer."""


class HeldBytes:
    """The bytes that connections hold; when they are too many, the connections that hold most are closed.

    So small requests, which clients of key services send, are not refused because others hold back large ones.
    """

    __slots__ = ("_at_most", "_sizes", "total")

    def __init__(self, at_most: int = HELD_AT_MOST) -> None:
        self._at_most = at_most
        self._sizes: dict[Holder, int] = {}
        self.total = 0

    def note(self, holder: Holder, size: int) -> None:
        """Note how much one connection holds, and make room if all together hold too much."""
        self.total += size - self._sizes.get(holder, 0)
        self._sizes[holder] = size
        if self.total > self._at_most:
            self._make_room()

    def forget(self, holder: Holder) -> None:
        """Note that a connection no longer holds anything."""
        self.total -= self._sizes.pop(holder, 0)

    def _make_room(self) -> None:
        for holder in sorted(self._sizes, key=self._sizes.__getitem__, reverse=True):
            if self.total <= self._at_most * ROOM:
                return
            self.forget(holder)
            holder.drop()


class Bounds:
    """The bounds of one worker."""

    __slots__ = ("connections", "held")

    def __init__(self, connections: int = CONNECTIONS, held_at_most: int = HELD_AT_MOST) -> None:
        self.connections = connections
        self.held = HeldBytes(held_at_most)

    def is_crowded(self, connections: int) -> bool:
        """Return whether most places are taken."""
        return connections > self.connections * CROWDED


def places(wanted: int, descriptors: int) -> int:
    """Return how many connections a worker may have, given its file descriptors; where these are few, half of them."""
    return min(wanted, max(descriptors - DESCRIPTORS, descriptors // 2))
