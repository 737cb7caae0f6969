"""One connected worker: its unfinished frame, and the answers that it has not taken yet."""

import selectors
import socket
from collections.abc import Sequence

from fuin.errors import FormatError
from fuin.formats.frames import Frame, Splitter

READ_LIMIT = 128 * 1024  # bytes taken from one peer in one turn
UNSENT_LIMIT = 1024 * 1024  # bytes; a peer with more is not read from until it has taken them


class PeerGone(Exception):
    """The peer has closed its connection, or has sent bytes that are not a frame."""


class Peer:
    """A nonblocking connection; raises PeerGone when it ends."""

    def __init__(self, connection: socket.socket, selector: selectors.BaseSelector) -> None:
        self._connection = connection
        self._selector = selector
        self._splitter = Splitter()
        self._unsent = bytearray()
        self._events = selectors.EVENT_READ
        selector.register(connection, self._events, self)

    def receive(self) -> tuple[int, list[Frame]]:
        """Return how many bytes were read, and the requests that they completed."""
        try:
            data = self._connection.recv(READ_LIMIT)
        except BlockingIOError:
            return 0, []
        except OSError:
            raise PeerGone from None
        if not data:
            raise PeerGone
        try:
            return len(data), self._splitter.feed(data)
        except FormatError:
            raise PeerGone from None

    def send(self, answers: Sequence[bytes]) -> None:
        """Send as many bytes as the socket takes, and keep the others."""
        if self._unsent:
            self._unsent += b"".join(answers)
        else:
            self._unsent += self._send_now(b"".join(answers))
        self._choose_events()

    def flush(self) -> None:
        """Send more of the bytes that were kept; called when the socket takes bytes again."""
        if self._unsent:
            self._unsent[:] = self._send_now(bytes(self._unsent))
        self._choose_events()

    def close(self) -> None:
        """Close the connection."""
        self._selector.unregister(self._connection)
        self._connection.close()

    def _send_now(self, data: bytes) -> bytes:
        """Send as many bytes as the socket takes; returns the others."""
        try:
            return data[self._connection.send(data) :]
        except BlockingIOError:
            return data
        except OSError:
            raise PeerGone from None

    def _choose_events(self) -> None:
        events = selectors.EVENT_READ if len(self._unsent) <= UNSENT_LIMIT else 0
        if self._unsent:
            events |= selectors.EVENT_WRITE
        if events != self._events:
            self._selector.modify(self._connection, events, self)
            self._events = events
