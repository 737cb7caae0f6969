"""Idle connections by host, and the time limit of a whole request."""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fuin.xks.addresses import Hosts
from fuin.xks.connection import ConnectionGone, ProxyConnection, Stage, connect
from fuin.xks.failure import Failure, FailureReason

if TYPE_CHECKING:
    from fuin.settings import Settings

CONNECTION_LIMIT = 64  # to one host, of one worker
HOST_LIMIT = 64  # remembered without a request under way


@dataclass
class _Host:
    """One host: its idle connections, and the number of its requests under way."""

    idle: list[ProxyConnection] = field(default_factory=list)
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTION_LIMIT))
    under_way: int = 0

    def close(self) -> None:
        while self.idle:
            self.idle.pop().close()


class Pool:
    """The connections of one worker; made in its event loop, where `close` ends them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._allowed_hosts = Hosts(settings.xks_hosts)
        self._context: ssl.SSLContext | None = None
        self._hosts: OrderedDict[str, _Host] = OrderedDict()

    async def ask(self, name: str, request: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer to a whole request, within the time limit; raises Failure.

        If an idle connection turns out to be closed, the request is sent again on a new one: none of the four requests
        changes anything at the proxy.
        """
        host, stage = self._hosts.setdefault(name, _Host()), Stage()
        self._hosts.move_to_end(name)
        host.under_way += 1
        try:
            async with asyncio.timeout(self._settings.xks_timeout), host.turn:
                return await self._exchange(name, host, request, stage)
        except TimeoutError:
            raise Failure(FailureReason.TIMED_OUT if stage.is_connected else FailureReason.UNREACHABLE) from None
        except ConnectionGone:
            raise Failure(FailureReason.MALFORMED) from None
        finally:
            host.under_way -= 1
            self._forget_old_hosts()

    async def _exchange(self, name: str, host: _Host, request: bytes, stage: Stage) -> tuple[int, bytes]:
        while host.idle:
            connection = host.idle.pop()
            if connection.is_usable:
                stage.is_connected = True
                try:
                    return await _ask_and_keep(host, connection, request)
                except ConnectionGone:
                    break
        stage.is_connected = False
        return await _ask_and_keep(host, await self._open_connection(name, stage), request)

    async def _open_connection(self, name: str, stage: Stage) -> ProxyConnection:
        failure = Failure(FailureReason.UNREACHABLE)
        for address in await self._allowed_hosts.addresses(name):
            try:
                return await connect(address, name, self._tls_context(), stage)
            except Failure as error:
                failure = error
        raise failure

    def _tls_context(self) -> ssl.SSLContext:
        """Return the TLS settings: the system's authorities, or only those of the setting `xks_ca`."""
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._settings.xks_ca)
            self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._context

    def _forget_old_hosts(self) -> None:
        """Forget the hosts that were used longest ago: callers choose the names, and may choose many."""
        for name in list(self._hosts)[: max(0, len(self._hosts) - HOST_LIMIT)]:
            if self._hosts[name].under_way == 0:
                self._hosts.pop(name).close()

    async def close(self) -> None:
        """Close all idle connections."""
        for host in self._hosts.values():
            host.close()
        await asyncio.sleep(0)  # lets the transports end


async def _ask_and_keep(host: _Host, connection: ProxyConnection, request: bytes) -> tuple[int, bytes]:
    answer = await connection.ask(request)
    if connection.is_usable:
        host.idle.append(connection)
    else:
        connection.close()
    return answer
