"""A worker's line to the keyholder: a connection that is made on demand, and made again after it was lost.

A connection counts when the keyholder has answered on it: its socket takes connections also while it is being replaced.
Who asks meanwhile waits, for a bounded time from the first attempt. When that is over the keyholder is away: requests
fail at once then, so that they do not pile up, and each starts an attempt that finds out when it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fuin.errors import KeyholderUnavailable
from fuin.keyholder.wire import requests
from fuin.keyholder.wire.codecs import convert
from fuin.keyholder.wire.connection import IN_FLIGHT_LIMIT, Answer, KeyholderConnection
from fuin.keyholder.wire.sockets import connect_unix

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from pathlib import Path

    from fuin.keyholder.wire.requests import RequestType

CONNECT_LIMIT = 5.0  # seconds in which a restarted keyholder must answer again; it starts in about one
AWAY_PATIENCE = 0.25  # seconds that a request waits when the keyholder was away the last time; it may be back
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2)  # seconds between attempts; the last one repeats

MakeConnection = Callable[[asyncio.AbstractEventLoop], KeyholderConnection]


class Line:
    """Sends requests over one connection at a time."""

    def __init__(self, path: Path, connection: MakeConnection) -> None:
        self._path = path
        self._make_connection = connection
        self._connection: KeyholderConnection | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._waiting = 0  # for an attempt
        self._is_away = False

    async def connect(self) -> None:
        """Connect now, not at the first request; raises KeyholderUnavailable after CONNECT_LIMIT seconds of trying."""
        if self._live_connection() is not None:
            return
        if self._waiting >= IN_FLIGHT_LIMIT:
            raise KeyholderUnavailable("too many wait for the keyholder")
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.ensure_future(self._try_to_connect())
            self._attempt.add_done_callback(_ignore_error)
        attempt = self._attempt
        self._waiting += 1
        try:
            await asyncio.wait({attempt}, timeout=AWAY_PATIENCE if self._is_away else None)
        finally:
            self._waiting -= 1
        if self._live_connection() is None:
            raise KeyholderUnavailable("the keyholder does not answer")

    def close(self) -> None:
        """Drop the connection; requests in flight fail."""
        if self._attempt is not None:
            self._attempt.cancel()
            self._attempt = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(self, request: RequestType, *values: Any) -> Awaitable[Answer]:
        """Send the values of a request, over a new connection if need be; see `KeyholderConnection.ask`."""
        fields = convert(list(values), request.encoders) if request.encoders else values  # `pack`, without its call
        connection = self._connection
        if connection is None or connection.lost:
            return self._ask_anew(request.code, fields)
        return connection.ask(request.code, fields)

    async def _ask_anew(self, code: int, fields: Sequence[bytes]) -> Answer:
        await self.connect()
        connection = self._live_connection()
        if connection is None:
            raise KeyholderUnavailable("the keyholder's connection was closed")
        return await connection.ask(code, fields)

    def _live_connection(self) -> KeyholderConnection | None:
        connection = self._connection
        return None if connection is None or connection.lost else connection

    async def _try_to_connect(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CONNECT_LIMIT
        attempt = 0
        while not await self._connect_once(loop, deadline):
            pause = _PAUSES[min(attempt, len(_PAUSES) - 1)]
            if loop.time() + pause > deadline:
                self._is_away = True
                return
            attempt += 1
            await asyncio.sleep(pause)
        self._is_away = False

    async def _connect_once(self, loop: asyncio.AbstractEventLoop, deadline: float) -> bool:
        """Connect and wait for an answer; returns whether it came."""
        connection = None
        try:
            async with asyncio.timeout_at(deadline):
                connection = await self._open(loop)
                await connection.ask(requests.STATUS.code, ())
        except (OSError, KeyholderUnavailable):  # TimeoutError is an OSError
            if connection is not None:
                connection.close()
            return False
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        self._connection = connection
        return True

    async def _open(self, loop: asyncio.AbstractEventLoop) -> KeyholderConnection:
        peer = connect_unix(self._path)
        try:
            return (await loop.create_unix_connection(lambda: self._make_connection(loop), sock=peer))[1]
        except BaseException:
            peer.close()
            raise


def _ignore_error(attempt: asyncio.Task[None]) -> None:
    """Read the error of an attempt that nobody waits for, so that asyncio does not complain."""
    if not attempt.cancelled():
        attempt.exception()
