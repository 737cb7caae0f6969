"""Large bodies go past the HTTP parser into buffers: the same bytes, and nothing of the next request."""

import asyncio
import hashlib
import http.client
import os
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from fuin.gate.http import Answer, ClientGone, Receive, Request, Scope, Send
from fuin.server.large_body import SIZE, bytes_left
from tests.server.place import serving
from tests.support.server import Server
from tests.support.waiting import until

Run = Callable[[Coroutine[Any, Any, None]], None]
BODY = os.urandom(3 * SIZE + 777)
HEAD = b"PUT /k HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(BODY)
NEXT = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Give the function that runs a coroutine in one of the two event loops."""
    chosen: Run = request.param
    return chosen


class Application:
    """Takes views; keeps all pieces of each body until its end, and answers with their digest."""

    def __init__(self, pieces_at_most: int = 1_000_000) -> None:
        self.at_most = pieces_at_most
        self.bodies: list[list[bytes | memoryview]] = []
        self.gone = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request, more = Request(scope, receive), True
        self.bodies.append([])
        try:
            while more and len(self.bodies[-1]) < self.at_most:
                piece, more = await request.view()
                self.bodies[-1].append(piece)
        except ClientGone:
            self.gone += 1
            return
        await send(Answer(200, [], hashlib.sha256(b"".join(self.bodies[-1])).hexdigest().encode()).message())


async def exchange(app: Application, answers: int, *pieces: bytes, then: Callable[[], bool] | None = None) -> bytes:
    """Return as many answers to the pieces; without any, close the connection at the end and wait for `then`."""
    server, state = await serving(app)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    received = b""
    for _ in range(answers):
        received += await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(64)
    writer.close()
    if then is not None:
        await until(then, "the application hears that the client has gone")
    server.close()
    await until(lambda: not state.tasks, "every task ends")
    return received


def digest(body: bytes) -> bytes:
    """Return the digest of a body as the answers have it."""
    return hashlib.sha256(body).hexdigest().encode()


def test_a_body_and_the_request_behind_it(run: Run) -> None:
    """Two bodies on one connection, sent at once with a request behind each: every byte is where it belongs."""
    app = Application()

    async def test() -> None:
        received = await exchange(app, 3, HEAD + BODY + HEAD + BODY[::-1] + NEXT)
        assert [received.count(digest(each)) for each in (BODY, BODY[::-1], b"")] == [1, 1, 1]

    run(test())
    assert b"".join(app.bodies[0]) == BODY, "no buffer is used again while somebody refers to it"
    for body in app.bodies[:2]:
        assert any(isinstance(piece, memoryview) for piece in body)


def test_buffers_end_where_frames_do(run: Run) -> None:
    """However the bytes come; only the first pieces, which the parser has seen, and the last one are shorter."""
    app = Application()

    async def test() -> None:
        parts = [BODY[at : at + 100_003] for at in range(0, len(BODY), 100_003)]
        assert digest(BODY) in await exchange(app, 1, HEAD, *parts)

    run(test())
    (body,) = app.bodies
    views = [piece for piece in body if isinstance(piece, memoryview)]
    begun = sum(len(piece) for piece in body if isinstance(piece, bytes))
    assert [len(view) for view in views] == [SIZE - begun, SIZE, SIZE, 777]


def test_an_answer_before_the_end_of_the_body(run: Run) -> None:
    """The rest of the body is dropped, and the next request is answered on the same connection."""
    app = Application(pieces_at_most=2)

    async def test() -> None:
        received = await exchange(app, 2, HEAD + BODY + NEXT)
        assert received.endswith(digest(b""))

    run(test())
    assert sum(map(len, app.bodies[0])) < len(BODY)


def test_a_client_that_goes(run: Run) -> None:
    """The application hears of it, in the middle of a buffer."""
    app = Application()
    run(exchange(app, 0, HEAD, BODY[: SIZE + 5], then=lambda: app.gone == 1))  # type: ignore[arg-type]
    assert app.gone == 1


def test_bodies_that_the_parser_reads(run: Run) -> None:
    """A chunked body, and one that is nearly there: the application gets bytes."""
    app = Application()
    chunked = b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"
    small = b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 70000\r\n\r\n"

    async def test() -> None:
        assert digest(BODY) in await exchange(app, 1, chunked, chunk)
        assert digest(bytes(70_000)) in await exchange(app, 1, small, bytes(1), bytes(69_999))

    run(test())
    assert not any(isinstance(piece, memoryview) for body in app.bodies for piece in body)


def test_how_much_is_left() -> None:
    """By the Content-Length; a body without one has nothing that could be read past the parser."""
    assert bytes_left([(b"host", b"a"), (b"content-length", b"10")], 4) == 6
    assert bytes_left([(b"transfer-encoding", b"chunked")], 4) <= 0


def test_through_the_whole_server_over_tls(tls_server: Server, unique: Callable[[str], str]) -> None:
    """Plain bodies on one connection, as a presigned URL lets any client send them, and a body in chunks."""
    s3, bucket = tls_server.new_client("s3", signature_version="s3v4"), unique("large")
    s3.create_bucket(Bucket=bucket)
    context = ssl.create_default_context(cafile=str(tls_server.certificate))
    connection = http.client.HTTPSConnection("localhost", tls_server.port, context=context, timeout=60)
    for number, body in enumerate((BODY, BODY[::-1])):
        url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": f"k{number}"})
        connection.request("PUT", url.removeprefix(tls_server.url), body)
        response = connection.getresponse()
        assert (response.read(), response.status) == (b"", 200)
        with s3.get_object(Bucket=bucket, Key=f"k{number}")["Body"] as stored:
            assert stored.read() == body
    connection.close()
    s3.put_object(Bucket=bucket, Key="chunked", Body=BODY)  # in chunks with a trailer, as SDKs do
    with s3.get_object(Bucket=bucket, Key="chunked")["Body"] as stored:
        assert stored.read() == BODY
    s3.close()
