"""A worker's sweep every few seconds: close silent connections, and give back memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fuin.server.allocator import Leftovers
from fuin.server.protocol import KEEP_ALIVE, BoundedProtocol

if TYPE_CHECKING:
    from uvicorn.server import ServerState

    from fuin.server.bounds import Bounds

SWEEP_EVERY = 2.5  # seconds
CROWDED_KEEP_ALIVE = 5.0  # seconds that a connection may be idle while most places are taken


async def sweep(state: ServerState, bounds: Bounds) -> None:
    """Close silent connections again and again, idle ones sooner when places become few, and give back their memory."""
    loop = asyncio.get_running_loop()
    connections: set[Any] = state.connections
    leftovers = Leftovers()
    while True:
        await asyncio.sleep(SWEEP_EVERY)
        now = loop.time()
        keep_alive = CROWDED_KEEP_ALIVE if bounds.is_crowded(len(connections)) else KEEP_ALIVE
        for connection in list(connections):
            if isinstance(connection, BoundedProtocol) and connection.is_silent_too_long(now, keep_alive):
                connection.transport.abort()
        leftovers.look(now, state.total_requests, len(connections), bounds.held.total)
