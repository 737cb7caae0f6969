"""The end of the open segment, kept in memory to be written again after the disk has failed.

A failed write may spoil the whole block that it touches, and with it acknowledged records that share the block.
"""

from collections import deque

KEPT = 128 * 1024  # bytes at least, if the segment has as many; more than a page of any machine


class RecentBytes:
    """The last bytes that are known to be durable; `length` of them."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self.length = 0

    def begin(self, data: bytes, *, whole: bool = False) -> None:
        """Drop everything, and keep the end of `data`, or the `whole` of it."""
        self._pieces.clear()
        kept = data if whole else data[-KEPT:]
        self._pieces.append(kept)
        self.length = len(kept)

    def add(self, batch: bytes) -> None:
        """Keep a batch that is now durable, and as many older bytes as are needed."""
        pieces = self._pieces
        pieces.append(batch)
        self.length += len(batch)
        while self.length - len(pieces[0]) >= KEPT:
            self.length -= len(pieces.popleft())

    def bytes(self) -> bytes:
        """Return all kept bytes."""
        return b"".join(self._pieces)
