"""What all clients together make a worker hold is bounded: each bound is exceeded here, and others are still served."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fuin.gate.http import Answer, Receive, Request, Scope, Send
from fuin.server import bounds as limits
from fuin.server import protocol, sweep
from fuin.server.bounds import Bounds, HeldBytes
from fuin.settings import KIB, MIB
from tests.server.place import OK, Asgi, hello, serving
from tests.support.waiting import PATIENCE, settle, until

CHUNKED = b"PUT / HTTP/1.1\r\nhost:\r\ntransfer-encoding: chunked\r\n\r\n"
LONG = b"PUT / HTTP/1.1\r\nhost:\r\ncontent-length: 100000\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Holder:
    """A connection of which only its end is of interest."""

    def __init__(self) -> None:
        self.dropped = False

    def drop(self) -> None:
        """Note it."""
        self.dropped = True


def test_who_holds_most_has_to_go() -> None:
    """Room is made by as few connections as possible; those that hold little stay."""
    bound, small, large = HeldBytes(1000), [Holder() for _ in range(9)], [Holder() for _ in range(3)]
    for holder in small:
        bound.note(holder, 10)
    for number, holder in enumerate(large):
        bound.note(holder, 100)
        bound.note(holder, 300 + number)
    assert bound.total == 993
    bound.note(small[0], 17)
    assert not any(holder.dropped for holder in (*small, *large))
    bound.note(small[1], 11)
    assert [holder.dropped for holder in large] == [False, False, True]
    assert not any(holder.dropped for holder in small)
    assert bound.total == 699
    for holder in (*small, *large):
        bound.forget(holder)
    assert bound.total == 0


def test_one_alone_may_be_too_much() -> None:
    """Nobody is served by who holds more than there is."""
    bound, holder = HeldBytes(1000), Holder()
    bound.note(holder, 1001)
    assert (holder.dropped, bound.total) == (True, 0)


def test_places_leave_room_for_files() -> None:
    """Connections never take the descriptors that the store and the blobs need."""
    assert limits.places(4096, 65_536) == 4096
    assert limits.places(4096, 1024) == 768
    assert limits.places(4096, 110) == 55


async def gathers(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a body of up to a megabyte with its length, as the key service takes it before it knows who asks."""
    body = await Request(scope, receive).body(MIB)
    await send(Answer(200, [], b"%d" % len(body)).message())


async def gathers_fields(scope: Scope, receive: Receive, send: Send) -> None:
    """Keep what comes before a bar, as S3 keeps the fields of a form; then take the rest and answer with its length."""
    request, rest = Request(scope, receive), bytearray()

    def take(piece: bytes) -> bool:
        rest.extend(piece.partition(b"|")[2])
        return b"|" in piece

    if await request.gather_pieces(take):
        async for piece in request.pieces():
            rest.extend(piece)
    await send(Answer(200, [], b"%d" % len(rest)).message())


async def stuck(_scope: Scope, receive: Receive, _send: Send) -> None:
    """Never answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


@contextlib.asynccontextmanager
async def _clients(app: Asgi, bounds: Bounds) -> Any:
    """Give a maker of clients that have sent something, and the server's state."""
    server, state = await serving(app, bounds)
    server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * KIB)  # the kernel holds megabytes else
    made: list[Client] = []

    async def client(*sent: bytes) -> Client:
        one = await asyncio.open_connection(*server.sockets[0].getsockname())
        made.append(one)
        for piece in sent:
            one[1].write(piece)
            await settle()
        return one

    yield client, state
    for _, writer in made:
        writer.transport.abort()
    for connection in list(state.connections):  # one that is not read from notices no end
        connection.transport.abort()
    await until(lambda: not state.connections, "all connections end")
    server.close()
    assert bounds.held.total == 0, "nothing is counted of connections that have ended"


async def _answer(client: Client) -> bytes:
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(client[0].read(65536), PATIENCE)
    return b""


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test in a loop of its own, without words about applications that gave no answer."""
    asyncio.run(test())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("app", "sent"),
    [
        (hello, (b"GET / HTTP/1.1\r\nhost:\r\nx: " + b"v" * 30_000,)),
        (hello, (b"GET / HTTP/1.1\r\nhost:\r\n" + b"a: b\r\n" * 250,)),
        (gathers, (b"PUT / HTTP/1.1\r\nhost:\r\ncontent-length: 900000\r\n\r\n", b"x" * 60_000, b"x" * 60_000, b"x")),
        (gathers_fields, (CHUNKED, b"ffff\r\n" + b"x" * 0xFFFF, b"\r\n1\r\n")),
        (gathers, (CHUNKED, b"ffff\r\n" + b"x" * 0xFFFF, b"\r\n1\r\n")),
        (stuck, (GET + (b"GET / HTTP/1.1\r\nhost:\r\nx: " + b"v" * 9_000 + b"\r\n\r\n") * 5,)),
    ],
    ids=["long heads", "many headers", "bodies", "fields", "chunked bodies", "waiting requests"],
)
def test_what_is_unfinished_is_bounded_in_sum(app: Asgi, sent: tuple[bytes, ...]) -> None:
    """Each of these holds some 40 to 120 kB for as long as it likes; twenty of them hold no more than 400 kB."""

    async def test() -> None:
        bounds = Bounds(held_at_most=400 * KIB)
        async with _clients(app, bounds) as (client, state):
            await client(GET[:-2])  # which holds little
            await settle()
            least = next(iter(state.connections))
            for _ in range(20):
                await client(*sent)
                assert bounds.held.total <= 400 * KIB
            await settle()
            assert 2 <= len(state.connections) < 15
            assert least in state.connections
            assert bounds.held.total >= 100 * KIB, "it is counted at all"

    run(test)


def test_who_is_done_is_not_counted() -> None:
    """Whole requests are never counted; an unfinished one is until it is answered."""

    async def test() -> None:
        bounds = Bounds()
        async with _clients(gathers, bounds) as (client, _):
            head = b"PUT / HTTP/1.1\r\nhost:\r\ncontent-length: 100000\r\n\r\n"
            one = await client(head[:9], head[9:] + b"x" * 60_000)
            await settle()
            assert bounds.held.total == 60_000
            one[1].write(b"x" * 40_000)
            assert (await _answer(one)).endswith(b"100000")
            assert bounds.held.total == 0
            two = await client(GET[:20])
            await settle()
            assert bounds.held.total > 0
            two[1].write(GET[20:])
            assert (await _answer(two)).startswith(OK)
            assert bounds.held.total == 0

    run(test)


def test_waiting_requests_stop_the_reading() -> None:
    """Behind a request that takes its time no more is read than has come with it, whatever the client sends."""

    async def test() -> None:
        bounds = Bounds()
        async with _clients(stuck, bounds) as (client, state):
            _, writer = await client(GET + GET)
            writer.write((b"PUT / HTTP/1.1\r\nhost:\r\ncontent-length: 200000\r\n\r\n" + b"x" * 200_000) * 100)
            await settle()
            connection: Any = next(iter(state.connections))
            assert len(connection.pipeline) <= 2
            assert len(state.tasks) == 1, "one request of a connection is at work, and one waits for the keyholder"
            assert bounds.held.total < 600 * KIB

    run(test)


def test_the_fields_of_a_form_are_counted_until_they_are_whole() -> None:
    """What follows them streams, so that it is not kept."""

    async def test() -> None:
        bounds = Bounds()
        async with _clients(gathers_fields, bounds) as (client, _):
            head = b"POST / HTTP/1.1\r\nhost:\r\ncontent-length: 30000\r\n\r\n"
            one = await client(head, b"x" * 9_000, b"x" * 1_000)
            await settle()
            assert bounds.held.total == 10_000
            one[1].write(b"x" * 9_999 + b"|")
            await settle()
            assert bounds.held.total == 0
            one[1].write(b"y" * 10_000)
            assert (await _answer(one)).endswith(b"\r\n10000")
            assert (await _answer(await client(head + b"|" + b"x" * 29_999))).endswith(b"\r\n29999")
            assert (await _answer(await client(head + b"x" * 30_000))).endswith(b"\r\n0")

    run(test)


def test_requests_are_read_when_it_is_their_turn() -> None:
    """However many a client sends at once, as many wait as came in one read from the socket; all are answered."""

    async def test() -> None:
        waiting: list[int] = []

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            await Request(scope, receive).body(MIB)
            await asyncio.sleep(0.01)
            waiting.extend(len(connection.pipeline) for connection in state.connections)
            await send(Answer(200, [], b"done").message())

        async with _clients(slow, Bounds()) as (client, state):
            reader, _ = await client((LONG + b"x" * 100_000) * 12)
            received = b""
            while received.count(b"done") < 12:
                received += await asyncio.wait_for(reader.read(65536), PATIENCE)
        assert len(waiting) == 12
        assert max(waiting) <= 3

    run(test)


def test_answers_that_nobody_reads_are_bounded() -> None:
    """Long answers wait for a client that only asks: one of them in memory, and in sum what is bounded for all."""

    async def long(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(Answer(403, [], b"x" * 150_000).message())

    async def test() -> None:
        bounds = Bounds(held_at_most=MIB)
        async with _clients(long, bounds) as (client, state):
            for _ in range(12):
                _, writer = await client()
                writer.transport.pause_reading()
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * KIB)
                for _ in range(60):
                    writer.write(GET)
                    await asyncio.sleep(0)
                await settle()
                assert bounds.held.total <= MIB
            for connection in state.connections:
                assert connection.transport.get_write_buffer_size() < 2 * 150_000 + 64 * KIB
            assert 2 <= len(state.connections) <= 7

    run(test)


def test_a_body_in_small_pieces_takes_no_more_than_its_bytes() -> None:
    """Two bytes at a time, each an object of its own, would take twenty times as much: pieces are counted as well."""

    async def test() -> None:
        async with _clients(stuck_before_its_body, Bounds()) as (client, state):
            await client(CHUNKED, *[b"2\r\nab\r\n" * 2000] * 50)
            await settle()
            connection: Any = next(iter(state.connections))
            assert connection.flow.read_paused
            assert len(connection.cycle._pieces) < 50_000

    run(test)


async def stuck_before_its_body(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Ask for nothing until the test ends."""
    await asyncio.sleep(60)


def test_connections_have_places() -> None:
    """A client that comes when all places are taken is refused at once; a free place is given to the next."""

    async def test() -> None:
        bounds = Bounds(connections=3)
        async with _clients(hello, bounds) as (client, state):
            clients = [await client() for _ in range(3)]
            await settle()
            for _ in range(5):
                answer = await _answer(await client())
                assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
                assert answer.endswith(b"\r\n\r\nToo many are connected.\n")
            assert len(state.connections) == 3
            clients[0][1].write(GET)
            assert (await _answer(clients[0])).startswith(OK)
            clients[1][1].close()
            await settle()
            assert (await _answer(await client(GET))).startswith(OK)

    run(test)


@pytest.fixture
def _swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the sweep look often, and idle connections stay a moment only where it is crowded."""
    monkeypatch.setattr(sweep, "SWEEP_EVERY", 0.02)
    monkeypatch.setattr(sweep, "CROWDED_KEEP_ALIVE", 0.05)


@pytest.mark.usefixtures("_swift")
@pytest.mark.parametrize(("connections", "crowded"), [(4, True), (100, False)])
def test_idle_connections_make_room_where_it_is_crowded(connections: int, crowded: bool) -> None:
    """When most places are taken, connections that are idle are closed; else they stay as long as clients keep them."""

    async def test() -> None:
        bounds = Bounds(connections=connections)
        async with _clients(hello, bounds) as (client, state):
            watch = asyncio.create_task(sweep.sweep(state, bounds))
            for _ in range(4):
                await _answer(await client(GET))
            if crowded:
                await until(lambda: len(state.connections) < 4, "the sweep closes idle connections")
            else:
                await asyncio.sleep(0.2)  # ten sweeps; one that closes what it should not is seen on an idle machine
                assert len(state.connections) == 4
            watch.cancel()

    run(test)


def test_empty_lines_are_no_sign_of_life() -> None:
    """A client that sends an empty line now and then, which parsers skip, is as idle as one that sends nothing."""

    async def test() -> None:
        async with _clients(hello, Bounds()) as (client, state):
            one = await client(GET)
            await _answer(one)
            one[1].write(b"\r\n")
            await settle()
            connection: Any = next(iter(state.connections))
            answered = connection._answered
            assert connection._last_sign > answered
            assert not connection.is_silent_too_long(answered + protocol.KEEP_ALIVE)
            assert connection.is_silent_too_long(answered + protocol.KEEP_ALIVE + 0.001)

    run(test)
