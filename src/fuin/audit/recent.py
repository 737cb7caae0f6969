"""The end of the open segment, kept in memory: what must be written again when the disk has failed.

A failed write may spoil the whole block that it touches, and with it acknowledged records that share the block.
"""

from collections import deque

KEPT = 128 * 1024  # bytes at least, where there are as many; more than a page of any machine's


class Recent:
    """The last bytes that are known to be durable; `length` of them."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self.length = 0

    def begin(self, data: bytes, *, whole: bool = False) -> None:
        """Forget all, and keep the end of `data`, or the `whole` of it."""
        self._pieces.clear()
        kept = data if whole else data[-KEPT:]
        self._pieces.append(kept)
        self.length = len(kept)

    def add(self, batch: bytes) -> None:
        """Keep a batch that has become durable, and of older ones what is needed."""
        pieces = self._pieces
        pieces.append(batch)
        self.length += len(batch)
        while self.length - len(pieces[0]) >= KEPT:
            self.length -= len(pieces.popleft())

    def bytes(self) -> bytes:
        """Return all of it."""
        return b"".join(self._pieces)
