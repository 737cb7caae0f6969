"""TLS connections until their handshake is done: they take places and have a bounded time, like all others.

The event loop's own TLS server reports a connection only after its handshake, and gives it a minute. So connections
are accepted here, and handed on when they can be read.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

from fuin.server.bounds import CLOSE_TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

    from fuin.server.bounds import Bounds
    from fuin.server.protocol import BoundedProtocol

AT_ONCE = 64  # connections that are accepted in one turn of the loop
PAUSE = 0.2  # seconds without accepting, when the process or the machine has no descriptor left


class Handshakes:
    """The handshakes under way in one worker; they share the worker's places with the finished connections."""

    def __init__(
        self,
        context: ssl.SSLContext,
        bounds: Bounds,
        connections: Sized,
        make: Callable[[], BoundedProtocol],
        limit: float,
    ) -> None:
        """Share places with `connections`, whose handshake is done; a handshake may take `limit` seconds."""
        self._context, self._bounds, self._connections = context, bounds, connections
        self._make, self._limit = make, limit
        self._under_way: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._listener: socket.socket | None = None

    def __len__(self) -> int:
        """Return how many are under way."""
        return len(self._under_way)

    def listen(self, listener: socket.socket) -> None:
        """Accept the connections of a listening socket."""
        listener.setblocking(False)
        self._listener = listener
        self._loop.add_reader(listener, self._accept)

    def end(self) -> None:
        """Stop accepting, and end the handshakes under way."""
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener = None
        for task in self._under_way:
            task.cancel()

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            listener = self._listener
            if listener is None:
                return
            try:
                client, _address = listener.accept()
            except BlockingIOError:
                return  # another worker was faster
            except ConnectionError:
                continue
            except OSError:  # no descriptor is left: the client waits, and the loop must pause before the next try
                self._loop.remove_reader(listener)
                self._loop.call_later(PAUSE, self._accept_again)
                return
            self._begin(client)

    def _accept_again(self) -> None:
        if self._listener is not None:
            self._loop.add_reader(self._listener, self._accept)

    def _begin(self, client: socket.socket) -> None:
        if len(self._connections) + len(self._under_way) >= self._bounds.connections:
            client.close()
            return
        client.setblocking(False)
        task = self._loop.create_task(self._shake_hands(client))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _shake_hands(self, client: socket.socket) -> None:
        protocol = self._make()
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol, client, ssl=self._context,
                ssl_handshake_timeout=self._limit, ssl_shutdown_timeout=CLOSE_TIME,
            )  # fmt: skip
        except OSError:  # also SSLError and the time limit: scanners, not accidents
            protocol.abandon()
