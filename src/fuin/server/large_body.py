"""The rest of a large body, which goes from the socket into buffers of a frame's size, past the HTTP parser.

The parser copies each piece of a body, and the event loop has copied it once before. The object store asks for this
way; it reads views into the buffers, and a buffer is used again once nobody refers to it. The buffers' ends are those
of frames, so that encryption need not gather a frame from pieces. Only a body with a Content-Length comes this way,
and never more than that body: the next request is the parser's again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from fuin.envelope.buffers import Buffers
from fuin.settings import KIB

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE = 1024 * KIB  # of a buffer, as the batches of intake; a multiple of the usual length of frames
WORTHWHILE = 2 * SIZE  # bytes of a body that must be left


def bytes_left(headers: Iterable[tuple[bytes, bytes]], received: int) -> int:
    """Return how many bytes of a body are still to come; 0 for one without a Content-Length, which the parser reads."""
    return sum(int(value) for name, value in headers if name == b"content-length") - received


class Connection(Protocol):
    """The connection whose place at the transport is taken."""

    def note_received(self, size: int) -> None:
        """Note the sign of life in bytes that the parser does not see."""

    def on_body(self, body: memoryview) -> None:
        """Take a piece of the body."""

    def end_large_body(self) -> None:
        """Take the place back: the body has come."""

    def eof_received(self) -> None:
        """Hear that the client has ended its side."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear of the loss of the connection."""

    def pause_writing(self) -> None:
        """Hear that the client reads slowly."""

    def resume_writing(self) -> None:
        """Hear that the client has read."""


class LargeBody(asyncio.BufferedProtocol):
    """Takes a connection's place at its transport until a body has come."""

    def __init__(self, connection: Connection, left: int, received: int) -> None:
        """Read `left` bytes more of a body of which some bytes were received before."""
        self._connection = connection
        self._left = left
        self._buffers = Buffers(SIZE)
        self._use_buffer(SIZE - received % SIZE)

    def _use_buffer(self, size: int) -> None:
        self._view = memoryview(self._buffers.unused_buffer())[: min(size, self._left)]
        self._filled = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes are to be written."""
        return self._view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on a buffer that is full; the last one is full when the body has come."""
        self._connection.note_received(nbytes)
        self._filled += nbytes
        if self._filled == len(self._view):
            self._left -= self._filled
            piece, self._view = self._view, memoryview(b"")
            self._connection.on_body(piece)
            if self._left:
                del piece
                self._use_buffer(SIZE)
            else:
                self._connection.end_large_body()

    def eof_received(self) -> None:
        """Pass on that the client has ended its side."""
        self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on the loss of the connection."""
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass on that the client reads slowly."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the client has read."""
        self._connection.resume_writing()
