"""Offers to upgrade, which JDK's HttpClient makes with every request over http, and what follows them.

What is read must be the same as without the offer, byte for byte and however the packets fall: else a proxy and this
server would not agree where a request ends.
"""

import asyncio
import socket
from typing import Any

import pytest

from fuin.server.protocol import PIPELINED_AT_MOST
from tests.server.place import OK, echo, serving, talk, tell, told

OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
GET = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"


def put(body: bytes, *more: bytes, offer: bytes = OFFER) -> bytes:
    """Return a request with a body of a known length that offers to upgrade."""
    head = b"PUT /k?q HTTP/1.1\r\nHost: x\r\n" + offer + b"Content-Length: %d\r\n" % len(body)
    return head + b"".join(more) + b"\r\n" + body


CHUNKED = (
    b"PUT /c HTTP/1.1\r\nHost: x\r\n" + OFFER + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-t: v\r\n\r\n"
)
STREAMS = {
    "body": put(b"hello") + GET,
    "chunked": CHUNKED + GET,
    "none": b"GET /a HTTP/1.1\r\nHost: x\r\n" + OFFER + b"\r\n" + GET,
    "two": put(b"one") + put(b"two") + CHUNKED + put(b"") + GET,
    "a request as the body": put(GET) + GET,
    "an offer as the body": put(put(GET)) + GET,
    "websocket": put(b"hello", offer=b"Connection: upgrade\r\nUpgrade: websocket\r\n") + GET,
    "twice": put(b"hello", b"upgrade: x/1\r\n", b"Upgrade: \r\n") + GET,
    "close": put(b"hello", b"Connection: close\r\n") + GET,
    "1.0": put(b"hello").replace(b"HTTP/1.1", b"HTTP/1.0") + GET,
    "absolute": put(b"hello").replace(b"/k?q", b"http://x/k?q") + GET,
    # refused, with an offer as without one
    "both lengths": put(b"hello", b"Transfer-Encoding: chunked\r\n") + GET,
    "two lengths": put(b"hello", b"Content-Length: 6\r\n") + GET,
    "signed length": put(b"hello").replace(b"Content-Length: 5", b"Content-Length: +5") + GET,
    "not chunked at last": CHUNKED.replace(b"chunked", b"chunked, gzip") + GET,
    "folded": put(b"hello").replace(b"h2c\r\n", b"h2c\r\n more\r\n") + GET,
    "space before the colon": put(b"hello", b"Content-Length : 6\r\n") + GET,
    "line feeds": put(b"hello", b"x: y\n") + GET,
    "carriage return": put(b"hello", b"x: y\rUpgrade: z\r\n") + GET,
    "bad chunk": CHUNKED.replace(b"4\r\n", b"0x4\r\n") + GET,
}


async def _heard(stream: bytes, size: int) -> tuple[list[Any], bool]:
    """Return the requests understood of a stream that comes in pieces of a size, and whether it was refused."""
    server, state = await serving(tell)
    client, other = socket.socketpair()
    loop = asyncio.get_running_loop()
    made: Any = server._protocol_factory  # type: ignore[attr-defined]
    transport, protocol = await loop.create_connection(made, sock=other)
    client.setblocking(False)
    for begin in range(0, len(stream), size):
        if not transport.is_closing():
            protocol.data_received(stream[begin : begin + size])
    received = b""
    for _ in range(60):
        await asyncio.sleep(0)
        try:
            received += client.recv(1 << 20)
        except BlockingIOError:
            continue
    transport.abort()
    client.close()
    server.close()
    assert not state.tasks
    return told(received), b" 400 " in received


def heard(stream: bytes, size: int) -> tuple[list[Any], bool]:
    """Do so in a loop of its own."""
    return asyncio.run(_heard(stream, size))


@pytest.mark.parametrize("name", STREAMS)
def test_an_offer_changes_nothing(name: str) -> None:
    """The same requests with the same bodies are read as if nothing had been offered; their headers keep the offer."""
    stream = STREAMS[name]
    plain = stream.replace(b"\nUpgrade:", b"\nUpgrad3:").replace(b"\nupgrade:", b"\nupgrad3:")
    expected, refused = heard(plain, len(plain))
    expected = [[target, [[n.replace("3", "e"), v] if n == "upgrad3" else [n, v] for n, v in headers],
                 body.replace("Upgrad3", "Upgrade")] for target, headers, body in expected]  # fmt: skip
    for size in (len(stream), 1, 7):
        assert heard(stream, size) == (expected, refused), size
    if name in ("body", "two", "chunked"):
        assert len(expected) > 1


def test_what_is_understood() -> None:
    """A body beside an offer is read, also when it comes later; the request behind it is answered as well."""
    head, body = put(b"hello")[:-5], b"hello"
    for pieces in ((head + body + GET,), (head, body + GET), (head[:-1], head[-1:] + body, GET)):
        first, second = told(talk(tell, *pieces))
        assert (first[0], first[2]) == (["PUT", "/k", "q"], "hello")
        assert ["upgrade", "h2c"] in first[1]
        assert second[0] == ["GET", "/next", ""]


def test_who_offers_and_waits_to_be_told_is_told() -> None:
    """`Expect: 100-continue` beside an offer works as without it."""
    head = put(b"hello", b"Expect: 100-continue\r\n")[:-5]
    assert talk(echo, head, b"hello").startswith(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)


def test_a_tunnel_is_refused() -> None:
    """CONNECT asks for one in every form of its target; what comes behind is nobody's request."""
    for target in (b"host:443", b"/", b"http://x/", b"*"):
        answer = talk(echo, b"CONNECT " + target + b" HTTP/1.1\r\nHost: x\r\n" + OFFER + b"\r\n" + GET)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1


def test_offers_are_bounded_like_other_requests() -> None:
    """They may not wait in any number, nor have more headers than others."""
    offer = b"GET / HTTP/1.1\r\nHost: x\r\n" + OFFER + b"\r\n"
    assert len(told(talk(tell, offer * (PIPELINED_AT_MOST + 1)))) == PIPELINED_AT_MOST + 1
    assert talk(tell, offer * 500) == b"<end>"
    assert talk(tell, offer[:-2] + b"a: b\r\n" * 300 + b"\r\n").startswith(b"HTTP/1.1 400 ")
    assert talk(tell, offer[:-2] + b"a: " + b"b" * 33_000 + b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")
