"""The HTTP edge is bounded: in headers, in bodies and in the time that a silent client may take."""

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from fuin.server import heads, protocol, sweep
from tests.support.server import Server


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    """Give a raw connection to the server."""
    with socket.create_connection(("127.0.0.1", server.port), 60) as connection:
        yield connection


def answer(connection: socket.socket) -> bytes:
    """Return what the server sends until it is done for now, or closes."""
    with contextlib.suppress(ConnectionResetError):
        return connection.recv(65536)
    return b""


def test_health_is_answered_without_a_signature(server: Server) -> None:
    """Load balancers ask for /health; it needs no access key and says no more than that the server answers."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/health")
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b'{"status":"ok"}')
    connection.close()


def test_one_endless_header_is_refused(server: Server) -> None:
    """A header without an end is refused long before it fills the memory."""
    with connected(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx-long: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                connection.sendall(b"a" * 16384)
        assert b" 400 " in answer(connection)[:40] or answer(connection) == b""


def test_too_large_headers_in_one_piece_are_refused(server: Server) -> None:
    """The bound holds also when the whole head arrives at once."""
    with connected(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * heads.HEADER_LIMIT + b"\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 400 ")


def test_too_many_headers_are_refused(server: Server) -> None:
    """Many small headers are bounded in number."""
    many = b"".join(b"x-%d: 1\r\n" % number for number in range(heads.HEADER_COUNT + 1))
    with connected(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n" + many + b"\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 400 ")


def test_headers_after_a_large_body_are_not_taken_for_large(server: Server) -> None:
    """What was counted for one request does not weigh on the next one of the same connection."""
    body = b"x" * 200_000
    with connected(server) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: TrentService.ListKeys\r\n")
        connection.sendall(b"content-length: %d\r\n\r\n" % len(body) + body)
        assert answer(connection).startswith(b"HTTP/1.1 400 ")  # unsigned: KMS's own 400
        connection.sendall(b"GET /health HTT")
        time.sleep(0.1)
        connection.sendall(b"P/1.1\r\nhost: x\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 200 ")


def test_bytes_that_are_no_http_are_refused(server: Server) -> None:
    """Garbage is answered with 400 and the connection ends."""
    with connected(server) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00garbage\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 400 ")
        assert answer(connection) == b""


@pytest.mark.long
def test_a_silent_client_is_dropped(server: Server) -> None:
    """A client that begins a request and falls silent loses its place."""
    with connected(server) as connection:
        connection.settimeout(protocol.HEADER_TIME + 3 * sweep.SWEEP_EVERY)
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n")
        started = time.monotonic()
        assert answer(connection) == b""
        assert time.monotonic() - started >= protocol.HEADER_TIME - 1


def test_more_pipelined_requests_than_anybody_sends_end_the_connection(server: Server) -> None:
    """Requests that wait take memory; a quarter of a megabyte of them would take tens."""
    head = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
    with connected(server) as connection:
        connection.sendall(head * (protocol.PIPELINED_AT_MOST + 1))
        received = b""
        while received.count(b'"ok"') < protocol.PIPELINED_AT_MOST + 1:
            received += answer(connection)
    with connected(server) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(head * 5_000)
        assert answer(connection).count(b'"ok"') <= protocol.PIPELINED_AT_MOST + 1
        assert answer(connection) == b""


class Silent(protocol.BoundedProtocol):
    """A connection without a server, in the state that a test gives it."""

    def __init__(
        self, *, in_headers: bool, cycle: object, read_paused: bool = False, write_paused: bool = False
    ) -> None:
        self._in_headers = in_headers
        self._began = self._last_sign = self._answered = 1000.0
        self.cycle = cycle  # type: ignore[assignment]
        self.flow = type("Flow", (), {"read_paused": read_paused, "write_paused": write_paused})()


class Cycle:
    """As much of uvicorn's cycle as the sweep looks at."""

    def __init__(self, *, more_body: bool, response_complete: bool) -> None:
        self.more_body = more_body
        self.response_complete = response_complete


def test_who_counts_as_silent() -> None:
    """The sweep drops those whom only the client's silence holds up, and nobody whom the server lets wait."""
    late = 1000.0 + protocol.IDLE_TIME + 1
    uploading = Cycle(more_body=True, response_complete=False)
    answering = Cycle(more_body=False, response_complete=False)
    finished = Cycle(more_body=False, response_complete=True)
    assert Silent(in_headers=True, cycle=None).is_silent_too_long(1000.0 + protocol.HEADER_TIME + 1)
    assert not Silent(in_headers=True, cycle=None).is_silent_too_long(1000.0 + protocol.HEADER_TIME - 1)
    assert Silent(in_headers=False, cycle=uploading).is_silent_too_long(late)
    assert not Silent(in_headers=False, cycle=uploading, read_paused=True).is_silent_too_long(late)
    assert Silent(in_headers=False, cycle=answering, write_paused=True).is_silent_too_long(late)
    assert not Silent(in_headers=False, cycle=answering).is_silent_too_long(late)
    assert not Silent(in_headers=False, cycle=finished).is_silent_too_long(late)


def test_who_counts_as_slow() -> None:
    """A client that sends a byte now and then is dropped as a silent one is; nobody who sends what a modem does."""
    now = 1000.0 + protocol.HEADER_TIME + 1
    trickle = Silent(in_headers=True, cycle=None)
    trickle._last_sign = now
    assert trickle.is_silent_too_long(now)
    for received, slow in ((30_000, True), (60_000, False)):
        now = 1000.0 + protocol.IDLE_TIME + 100
        body = Silent(in_headers=False, cycle=Cycle(more_body=True, response_complete=False))
        body._receiving, body._last_sign, body._request_bytes = True, now, received
        assert body.is_silent_too_long(now) is slow
        answered = Silent(in_headers=False, cycle=Cycle(more_body=True, response_complete=True))
        answered._receiving, answered._last_sign, answered._request_bytes = True, now, received
        assert answered.is_silent_too_long(now) is slow
