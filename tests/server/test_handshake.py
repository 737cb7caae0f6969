"""TLS handshakes take places and a bounded time, like connections: under uvloop, as in a worker."""

import asyncio
import contextlib
import gc
import socket
import ssl
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from fuin.gate.http import Answer
from fuin.server import tls
from fuin.server.bounds import Bounds
from fuin.server.handshake import Handshakes
from fuin.server.protocol import BoundedProtocol
from tests.server.place import OK, Asgi, hello, told
from tests.support.waiting import PATIENCE, until

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Secured:
    """The HTTP edge behind TLS, as a worker has it."""

    def __init__(self, folder: Path, app: Asgi, limit: float) -> None:
        certificate, key = tls.self_signed(folder, "127.0.0.1")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        self.trust = ssl.create_default_context(cafile=str(certificate))
        self.bounds, self.state = Bounds(connections=3), ServerState()
        config = uvicorn.Config(app, http=BoundedProtocol, lifespan="off", interface="asgi3", log_config=None)
        config.load()
        self.made: weakref.WeakSet[BoundedProtocol] = weakref.WeakSet()
        self._context, self._config, self._limit = context, config, limit
        self.clients: list[asyncio.StreamWriter] = []
        self._listener = socket.create_server(("127.0.0.1", 0))

    def _make(self) -> BoundedProtocol:
        protocol = BoundedProtocol(self._config, self.state, {}, bounds=self.bounds)
        self.made.add(protocol)
        return protocol

    async def __aenter__(self) -> "Secured":
        """Begin to listen."""
        connections = self.state.connections
        self.handshakes = Handshakes(self._context, self.bounds, connections, self._make, self._limit)
        self.handshakes.listen(self._listener)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all connections."""
        self.handshakes.end()
        for connection in list(self.state.connections):
            connection.transport.abort()
        self._listener.close()
        for client in self.clients:
            client.transport.abort()
        await until(lambda: len(self.handshakes) == 0, "no handshake is under way")

    @property
    def places(self) -> tuple[int, int]:
        """Return how many connections there are, and how many handshakes under way."""
        return len(self.state.connections), len(self.handshakes)

    async def client(self, *, secured: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect, with a handshake or without one."""
        port = self._listener.getsockname()[1]
        made = await asyncio.open_connection("127.0.0.1", port, ssl=self.trust if secured else None)
        self.clients.append(made[1])
        return made


def run(folder: Path, test: Callable[[Secured], Awaitable[None]], app: Asgi = hello, limit: float = PATIENCE) -> None:
    """Run a test against it in a loop of its own."""

    async def tested() -> None:
        async with Secured(folder, app, limit) as secured:
            await test(secured)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(tested())


async def _said(reader: asyncio.StreamReader) -> bytes:
    """Return what the server says next; nothing when the connection has ended."""
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(65536), PATIENCE)
    return b""


def test_a_request_behind_its_handshake(tmp_path: Path) -> None:
    """A request that comes at once with the end of the handshake is answered; the client's address is known."""

    async def peer(scope: Any, _receive: Any, send: Any) -> None:
        tls_version = scope["extensions"]["tls"]["tls_version"]
        text = f'["{scope["client"][0]}", "{scope["scheme"]}", {tls_version}]\n'
        await send(Answer(200, [], text.encode()).message())

    async def test(secured: Secured) -> None:
        for _ in range(3):
            reader, writer = await secured.client(secured=True)
            for _ in range(2):
                writer.write(GET)
                assert told(await _said(reader)) == [["127.0.0.1", "https", 0x0304]]
            writer.close()
            await until(lambda: not secured.state.connections, "the connection ends")

    run(tmp_path, test, peer)


def test_a_handshake_that_never_ends_is_ended(tmp_path: Path) -> None:
    """A client that sends nothing, or stops in the middle, is closed after the time limit, and its place is free."""

    async def test(secured: Secured) -> None:
        silent, _ = await secured.client(secured=False)
        half, writer = await secured.client(secured=False)
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00")
        await until(lambda: len(secured.handshakes) == 2, "both handshakes are under way")
        assert await _said(silent) == b""
        assert await _said(half) == b""
        await until(lambda: len(secured.handshakes) == 0, "both are ended")

    run(tmp_path, test, limit=0.3)


def test_handshakes_take_places(tmp_path: Path) -> None:
    """Those under way and connections together are no more than there are places; the next one is closed at once."""

    async def test(secured: Secured) -> None:
        reader, writer = await secured.client(secured=True)
        silent = [await secured.client(secured=False) for _ in range(2)]
        await until(lambda: secured.places == (1, 2), "one connection and two handshakes take places")
        for _ in range(4):
            assert await _said((await secured.client(secured=False))[0]) == b""
        writer.write(GET)
        assert (await _said(reader)).startswith(OK)
        silent[0][1].close()
        await until(lambda: secured.places == (1, 1), "a place is free")
        await secured.client(secured=True)
        await until(lambda: secured.places == (2, 1), "the next connection takes it")

    run(tmp_path, test)


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x04\x01\0\0\0", b"\x80" * 300, None])
def test_what_is_no_handshake_leaves_nothing(
    tmp_path: Path, sent: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Scanners, and clients that take the port for plain HTTP, are closed without a line in the log."""

    async def test(secured: Secured) -> None:
        for _ in range(3):
            reader, writer = await secured.client(secured=False)
            if sent is None:
                writer.close()
            else:
                writer.write(sent)
                await _said(reader)
                assert await _said(reader) == b""
        await until(lambda: len(secured.handshakes) == 0, "no handshake is under way")
        await until(lambda: len(secured.made) == 0, "nothing is left")

    gc.collect()
    gc.disable()
    try:
        run(tmp_path, test)
    finally:
        gc.enable()
    assert not caplog.records
