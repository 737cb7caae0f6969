"""What a connection has held is given back when it ends, or when it is idle, without the garbage collector."""

import asyncio
import contextlib
import gc
import socket
import weakref
from collections.abc import Iterator

import pytest

from fuin.server import protocol
from fuin.server.cycle import Cycle
from tests.server.place import Asgi, echo, hello, serving
from tests.support.server import Server
from tests.support.waiting import settle

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
LONG = b"PUT / HTTP/1.1\r\nhost:\r\ncontent-length: 300000\r\n\r\n"
CHUNKED = b"PUT / HTTP/1.1\r\nhost:\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture
def _uncollected() -> Iterator[None]:
    """Keep the collector away: it would hide that something refers to itself."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Watched(Cycle):
    """A cycle that shows whether it still exists."""

    __slots__ = ("__weakref__",)


async def _left(app: Asgi, sent: bytes, *, ended: bool, patch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Return how many connections and requests are left after a client has sent something, and perhaps gone."""
    requests: weakref.WeakSet[Cycle] = weakref.WeakSet()

    def made(*given: object) -> Cycle:
        cycle = Watched(*given)  # type: ignore[arg-type]
        requests.add(cycle)
        return cycle

    patch.setattr(protocol, "Cycle", made)
    server, state = await serving(app)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(sent)
    await settle()
    connections = weakref.WeakSet(state.connections)
    if ended:
        writer.transport.abort()
        await settle()
    counts = len(connections), len(requests)
    writer.close()
    server.close()
    return counts


STREAMS = {
    "nothing": b"",
    "half a head": GET[:-3],
    "no request": b"\x16\x03\r\n",
    "a request": GET,
    "three at once": GET * 3,
    "too many at once": GET * 50,
    "the last one": GET.replace(b"host: x", b"connection: close"),
    "a body": b"PUT / HTTP/1.1\r\nhost:\r\ncontent-length: 4\r\n\r\nbody",
    "half a body": b"PUT / HTTP/1.1\r\nhost:\r\ncontent-length: 40\r\n\r\nbody",
    "an offer": b"PUT / HTTP/1.1\r\nhost:\r\nconnection: upgrade\r\nupgrade: x\r\ncontent-length: 4\r\n\r\nbody",
    "a tunnel": b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
    "trailers": CHUNKED + b"0\r\n" + b"a: b\r\n" * 200,
    "too many trailers": CHUNKED + b"0\r\n" + b"a: b\r\n" * 300,
    "too many headers": GET[:-2] + b"a: b\r\n" * 300 + b"\r\n",
}


@pytest.mark.usefixtures("_uncollected")
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("app", [hello, echo], ids=["hello", "echo"])
def test_nothing_is_left_of_a_connection(app: Asgi, stream: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the connection nor a request of it is there when the client has gone, however far it had come."""
    assert asyncio.run(_left(app, stream, ended=True, patch=monkeypatch)) == (0, 0)


@pytest.mark.usefixtures("_uncollected")
@pytest.mark.parametrize("stream", [GET, GET * 3, LONG + b"x" * 200_000])
def test_an_idle_connection_keeps_nothing(stream: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answered request, its headers and what has come of its body are let go with the answer."""
    assert asyncio.run(_left(hello, stream, ended=False, patch=monkeypatch)) == (1, 0)


def test_trailers_do_not_fill_a_worker(server: Server) -> None:
    """The attack that this was: 12 MiB of trailers on each of three connections left the worker 700 MiB larger."""
    workers = server.workers()
    before = sum(worker.memory_info().rss for worker in workers)
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port), 60) as client, contextlib.suppress(OSError):
            client.sendall(CHUNKED.replace(b"/ ", b"/b/k ") + b"0\r\n")
            for _ in range(12):
                client.sendall(b"a: b\r\n" * 175_000)
    assert sum(worker.memory_info().rss for worker in workers) - before < 16 << 20


def test_a_refused_body_is_dropped(server: Server) -> None:
    """What comes behind an answer is read, so that clients that send all first get it, and kept nowhere."""
    workers = server.workers()
    before = sum(worker.memory_info().rss for worker in workers)
    clients = [socket.create_connection(("127.0.0.1", server.port), 60) for _ in range(20)]
    for client in clients:
        client.sendall(b"PUT /b/k HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n")
        for _ in range(4):
            client.sendall(b"x" * (1 << 20))
    for client in clients:
        assert client.recv(1000).startswith(b"HTTP/1.1 40")
    assert sum(worker.memory_info().rss for worker in workers) - before < 16 << 20
    for client in clients:
        client.close()
