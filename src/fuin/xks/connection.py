"""One HTTPS connection to a proxy: HTTP/1.1, one request at a time, kept alive.

httptools (Node.js's llhttp) parses the answers and `ssl` does TLS; this module decides when bytes are sent and awaited.
docs/decisions/0005-asking-external-key-store-proxies.md says why it is not an HTTP client library.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, cast

import httptools

from fuin.xks.failure import Failure, FailureReason

if TYPE_CHECKING:
    from fuin.xks.addresses import ProxyAddress

ANSWER_LIMIT = 32 * 1024  # bytes with headers; the specification's longest is a plaintext of 4,300 bytes, in Base64


class ConnectionGone(Exception):
    """The connection ended before the first byte of an answer; an idle one may have been too old."""


class ProxyConnection(asyncio.Protocol):
    """An open connection; `ask` sends one request and returns the status and body of its answer."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._body: list[bytes] = []
        self._received = 0
        self.is_usable = False

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; raises Failure (MALFORMED) or ConnectionGone."""
        if not self.is_usable or self._transport is None:
            raise ConnectionGone
        self._parser = httptools.HttpResponseParser(self)
        self._body, self._received = [], 0
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            if not self._answer.done() or self._answer.cancelled():
                self.close()  # a late answer must not be taken for the next request's
            self._answer = None

    def close(self) -> None:
        """Close the connection at once."""
        self.is_usable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; asyncio calls it once, after the TLS handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_usable = True

    def data_received(self, data: bytes) -> None:
        """Feed the parser; bytes beyond the limit, or without a request, end the connection."""
        self._received += len(data)
        if self._answer is None or self._answer.done() or self._received > ANSWER_LIMIT:
            self._fail_as_malformed()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail_as_malformed()

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body; the parser calls it."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Hand the answer over; the parser calls it."""
        if not self._parser.should_keep_alive():
            self.is_usable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), b"".join(self._body)))

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the request that waits; asyncio calls it once."""
        self.is_usable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Failure(FailureReason.MALFORMED) if self._received else ConnectionGone())

    def _fail_as_malformed(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Failure(FailureReason.MALFORMED))
        self.close()


class Stage:
    """The progress of a request, which decides the error when its time is over."""

    is_connected = False  # by TCP


async def connect(address: ProxyAddress, name: str, context: ssl.SSLContext, stage: Stage) -> ProxyConnection:
    """Connect, check the certificate for `name`; raises Failure (UNREACHABLE, NO_TLS). The caller sets a time limit."""
    loop = asyncio.get_running_loop()
    raw = await _connect_tcp(loop, address)
    stage.is_connected = True
    try:
        _, connection = await loop.create_connection(ProxyConnection, sock=raw, ssl=context, server_hostname=name)
    except (ssl.SSLError, ssl.CertificateError, ConnectionError, TimeoutError):
        raw.close()
        raise Failure(FailureReason.NO_TLS) from None
    except BaseException:
        raw.close()
        raise
    return connection


async def _connect_tcp(loop: asyncio.AbstractEventLoop, address: ProxyAddress) -> socket.socket:
    raw = socket.socket(address.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(raw, (address.host, address.port))
    except asyncio.CancelledError:
        raw.close()
        raise
    except OSError:
        raw.close()
        raise Failure(FailureReason.UNREACHABLE) from None
    return raw
