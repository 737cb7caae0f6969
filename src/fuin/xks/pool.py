"""Connections that are kept, by host; the time limit of a whole request."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from typing import TYPE_CHECKING

from fuin.xks.addresses import Hosts
from fuin.xks.connection import Connection, ConnectionGone, connect
from fuin.xks.failure import Failure, Why

if TYPE_CHECKING:
    from fuin.settings import Settings

CONNECTIONS_AT_MOST = 64  # to one host, of one worker


class Pool:
    """The connections of one worker; made in its event loop, where `close` ends them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hosts = Hosts(settings.xks_hosts)
        self._context: ssl.SSLContext | None = None
        self._idle: dict[str, list[Connection]] = defaultdict(list)
        self._turns: dict[str, asyncio.Semaphore] = {}

    async def ask(self, host: str, request: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer to a whole request, within the time limit; raises Failure.

        A request whose kept connection turns out to be closed goes out again on a new one: none of the four changes
        anything at the proxy.
        """
        stage = _Stage()
        try:
            async with asyncio.timeout(self._settings.xks_timeout), self._turn(host):
                return await self._exchange(host, request, stage)
        except TimeoutError:
            raise Failure(Why.TIMED_OUT if stage.connected else Why.UNREACHABLE) from None
        except ConnectionGone:
            raise Failure(Why.MALFORMED) from None

    async def _exchange(self, host: str, request: bytes, stage: _Stage) -> tuple[int, bytes]:
        idle = self._idle[host]
        while idle:
            kept = idle.pop()
            if kept.usable:
                stage.connected = True
                try:
                    return await self._asked(host, kept, request)
                except ConnectionGone:
                    break
        stage.connected = False
        connection = await self._connected(host)
        stage.connected = True
        return await self._asked(host, connection, request)

    async def _asked(self, host: str, connection: Connection, request: bytes) -> tuple[int, bytes]:
        answer = await connection.ask(request)
        if connection.usable:
            self._idle[host].append(connection)
        else:
            connection.close()
        return answer

    async def _connected(self, host: str) -> Connection:
        failure = Failure(Why.UNREACHABLE)
        for address in await self._hosts.addresses(host):
            try:
                return await connect(address, host, self._trusting())
            except Failure as error:
                failure = error
        raise failure

    def _trusting(self) -> ssl.SSLContext:
        """Return the TLS settings: the system's authorities, or only those of the setting `xks_ca`."""
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._settings.xks_ca)
            self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._context

    def _turn(self, host: str) -> asyncio.Semaphore:
        if host not in self._turns:
            self._turns[host] = asyncio.Semaphore(CONNECTIONS_AT_MOST)
        return self._turns[host]

    async def close(self) -> None:
        """Close what is kept."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
        await asyncio.sleep(0)  # lets the transports end


class _Stage:
    """How far a request has come, for the choice of the error when its time is over."""

    connected = False
