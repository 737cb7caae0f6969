"""Fields behind a chunked body: counted with the headers, and never taken for headers."""

import asyncio
import socket

import pytest

from fuin.gate.http import Answer, Receive, Scope, Send
from fuin.server import heads
from tests.server.place import OK, echo, hello, talk, tell, told
from tests.support.server import Server

HEAD = b"PUT /k HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
REFUSED = b"HTTP/1.1 400 Bad Request\r\n"


@pytest.mark.parametrize("cut", [len(HEAD) - 3, len(HEAD), len(HEAD) + 3, len(HEAD) + 9, None])
def test_trailers_are_never_headers(cut: int | None) -> None:
    """However the packets fall, the request has the headers of its head; a second one follows as ever."""
    stream = HEAD + b"2\r\nab\r\n0\r\nauthorization: me\r\nhost: y\r\n\r\n" + HEAD + b"0\r\n\r\n"
    pieces = (stream,) if cut is None else (stream[:cut], stream[cut:])
    headers = [["host", "x"], ["transfer-encoding", "chunked"]]
    assert told(talk(tell, *pieces)) == [[["PUT", "/k", ""], headers, body] for body in ("ab", "")]


def test_credentials_in_trailers_are_none(server: Server) -> None:
    """A proxy in front of the server that checks headers sees the same request as the server does."""
    trailers = b"x-amz-target: TrentService.ListKeys\r\nauthorization: AWS4-HMAC-SHA256 Credential=A/B/C/kms/D\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 60) as client:
        head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        client.sendall(head + b"2\r\n{}\r\n0\r\n" + trailers + b"\r\n")
        answer = client.recv(65536)
    assert b"text/xml" in answer, "unsigned, and without a target it is no request to KMS"
    assert b"<Code>MissingAuthenticationToken</Code>" in answer


def lines(count: int, length: int = 1) -> bytes:
    """Return so many fields, each with so long a value."""
    return b"".join(b"x-%05d: %b\r\n" % (number, b"v" * length) for number in range(count))


def test_trailers_within_bounds_are_taken() -> None:
    """As many as fit with the headers; the connection goes on."""
    body = b"0\r\n" + lines(heads.HEADER_COUNT - 2) + b"\r\n"
    assert talk(echo, HEAD + body + HEAD + body).count(OK) == 2


def test_too_many_trailers_are_refused() -> None:
    """Their lines count together with those of the head."""
    assert talk(echo, HEAD + b"0\r\n" + lines(heads.HEADER_COUNT - 1) + b"\r\n").startswith(REFUSED)
    many = HEAD[:-2] + lines(200) + b"\r\n"
    assert talk(echo, many + b"0\r\n\r\n").startswith(OK)
    assert talk(echo, many + b"0\r\n" + lines(100) + b"\r\n").startswith(REFUSED)


def test_too_many_lines_are_refused_before_they_end() -> None:
    """A head, or trailers, without an end may not take a thousand objects until it has enough bytes to be refused."""
    for start in (b"GET / HTTP/1.1\r\n", HEAD + b"0\r\n"):
        assert talk(echo, start + lines(heads.HEADER_COUNT + 2)).startswith(REFUSED)


def test_too_long_trailers_are_refused() -> None:
    """Their bytes count together with those of the head, in one packet and in many."""
    long = HEAD[:-2] + lines(15, 1000) + b"\r\n"
    assert talk(echo, long + b"0\r\n" + lines(15, 1000) + b"\r\n").startswith(OK)
    assert talk(echo, long + b"0\r\n" + lines(18, 1000) + b"\r\n").startswith(REFUSED)
    assert talk(echo, long + b"0\r\n", lines(9, 1000), lines(9, 1000) + b"\r\n").startswith(REFUSED)


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (HEAD + b"0\r\nx: ", b"v"),
        (HEAD + b"0\r\n", b"n"),
        (HEAD + b"1;", b"e"),
        (HEAD + b"1;e=", b"v"),
        (HEAD, b"0"),
        (b"GET /", b"p"),
        (b"GET / HTTP/1.1\r\nx: ", b"v"),
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\r\n"),
    ],
    ids=["value", "name", "extension", "extension value", "size", "target", "header", "empty lines"],
)
def test_what_never_ends_is_refused(start: bytes, more: bytes) -> None:
    """Whatever part of a request is not its body may not go on for ever; it ends with 400, or the connection does."""
    piece = more * (heads.HEADER_LIMIT // len(more) // 2)
    received = talk(echo, start, piece, piece, piece)
    assert received.endswith(b"<end>")
    assert received.startswith((REFUSED, OK if start.startswith(b"GET / HTTP/1.1\r\nhost") else REFUSED))


def test_small_chunks_are_not_taken_for_headers() -> None:
    """Chunk sizes of a long body come to more than any head; what comes between pieces of the body is not summed up."""
    chunks = b"1\r\nx\r\n" * 10_000
    assert told(talk(tell, HEAD, chunks, chunks, b"0\r\n\r\n"))[0][2] == "x" * 20_000


def test_a_refusal_is_no_part_of_an_answer() -> None:
    """What is wrong in a body that was answered already ends the connection without a second answer."""
    answered = talk(hello, HEAD, b"0\r\n" + lines(heads.HEADER_COUNT) + b"\r\n")
    assert answered.count(b"HTTP/1.1") == 1
    assert answered.endswith(b"hello<end>")


def test_a_refusal_is_no_answer_to_somebody_else() -> None:
    """Bytes that are no request, behind one that is still at work, end the connection without a word."""

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.05)
        await send(Answer(200, [], b"late").message())

    get = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    for wrong in (b"\x16\x03\r\n", b"GET nonsense HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + lines(300) + b"\r\n"):
        assert talk(slow, get + wrong) == b"<end>"
        assert talk(slow, wrong).startswith(REFUSED)
