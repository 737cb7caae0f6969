"""All services behind one loopback port, served by an event loop in a thread."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import uvicorn

from fuin.gate.authentication import DayKeys
from fuin.gate.http import ClientGone, Request
from fuin.server import application
from fuin.server.protocol import BoundedProtocol

if TYPE_CHECKING:
    from fuin.gate.http import Receive, Scope, Send
    from fuin.gate.services import Services


def bind_loopback() -> socket.socket:
    """Return a socket on a free loopback port."""
    # With its protocol named, since asyncio sends answers without delay on such sockets only.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.bind(("127.0.0.1", 0))
    return bound


class Edge:
    """The HTTP edge of a worker: dispatches to each service as the server does."""

    def __init__(self, services: Services, bound: socket.socket) -> None:
        self._services = services
        self._socket = bound
        self.day_keys = DayKeys()

    async def start(self) -> None:
        """Begin to serve, in the loop that runs this."""
        config = uvicorn.Config(
            self._serve,
            http=BoundedProtocol,
            lifespan="off",
            interface="asgi3",
            proxy_headers=False,
            log_config=None,
            access_log=False,
        )
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._serving = asyncio.ensure_future(self._server._serve(sockets=[self._socket]))
        while not self._server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            await application.answer(self._services, self.day_keys, request, send)
        except ClientGone:
            return

    async def stop(self) -> None:
        """Answer what is under way and end."""
        self._server.should_exit = True
        await self._serving
        self._socket.close()
