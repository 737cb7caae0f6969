"""A connection until its TLS handshake is done: it has a place and a bounded time like any other connection.

The event loop's own TLS server would tell nobody of a connection before its handshake is done, and give it a minute.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

    from fuin.server.held import Bounds

CLOSE_TIME = 2.0  # seconds that a client gets to answer the closing alert


class Handshakes:
    """The handshakes under way in one worker, at most one for each free place."""

    def __init__(self, context: ssl.SSLContext, bounds: Bounds, connections: Sized, limit: float) -> None:
        """`connections` are those that have made theirs; `limit` is the seconds that one may take."""
        self._context, self._bounds, self._connections, self._limit = context, bounds, connections, limit
        self._under_way: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Return how many are under way."""
        return len(self._under_way)

    def begin(self, transport: asyncio.Transport, make: Callable[[], asyncio.Protocol]) -> None:
        """Begin the handshake of a new connection, or close it when there is no place for it."""
        if len(self._connections) + len(self._under_way) >= self._bounds.connections:
            transport.abort()
            return
        transport.pause_reading()
        task = asyncio.get_running_loop().create_task(self._shake_hands(transport, make))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def end(self) -> None:
        """End those that are under way; the server stops."""
        for task in self._under_way:
            task.cancel()

    async def _shake_hands(self, transport: asyncio.Transport, make: Callable[[], asyncio.Protocol]) -> None:
        protocol = make()
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, protocol, self._context,
                server_side=True, ssl_handshake_timeout=self._limit, ssl_shutdown_timeout=CLOSE_TIME,
            )  # fmt: skip
        except (OSError, ssl.CertificateError):  # also SSLError, and the time limit: scanners, not accidents
            transport.abort()
        except asyncio.CancelledError:
            transport.abort()
            raise
        else:
            if secured is not None:
                protocol.connection_made(secured)


class Waiting(asyncio.Protocol):
    """What the listening socket makes for each connection under TLS."""

    def __init__(self, handshakes: Handshakes, make: Callable[[], asyncio.Protocol]) -> None:
        self._handshakes, self._make = handshakes, make

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._handshakes.begin(transport, self._make)  # type: ignore[arg-type]  # a stream's
