"""One request and its response: the ASGI callables of a request on uvicorn's protocol.

It replaces uvicorn's `RequestResponseCycle` and leaves out what this one application does not need: an event for
each request, regular expressions over every header, a separate write for the head, chunked answers, the access log.
Measured: docs/decisions/0004.
"""

from __future__ import annotations

import asyncio
import http
import logging
from typing import TYPE_CHECKING, Any, Protocol

from fuin.gate.http import HOLD, VIEWS, WHOLE
from fuin.server import heads
from fuin.settings import KIB

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping, Sequence

    from uvicorn.protocols.http.flow_control import FlowControl

    Headers = Sequence[tuple[bytes, bytes]]
    Message = MutableMapping[str, Any]
    Asgi = Callable[[Any, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

HIGH_WATER = 256 * KIB  # when this many bytes of a body wait for the application, reading from the client pauses
_PIECE = 64  # bytes of overhead for each piece
_SMALL = 16 * KIB  # bytes of body that are cheaper to copy behind the head than to write apart

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus}
_WITHOUT_BODY = frozenset({204, 304})
_CLOSE = b"Connection: close\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_FAILED = b"Internal Server Error"
_log = logging.getLogger("fuin.http")


class Connection(Protocol):
    """The client's connection, as far as one request works with it."""

    transport: asyncio.Transport
    flow: FlowControl
    tasks: set[asyncio.Task[None]]  # that run until their end, for which uvicorn waits when the server ends

    def default_lines(self) -> bytes:
        """Return the headers that each response begins with, as they are on the wire."""

    def hold(self, size: int) -> None:
        """Note how many bytes of an unfinished body the request keeps."""

    def read_past_parser(self) -> None:
        """Let the rest of the body come as views into buffers."""

    def note_unread(self) -> None:
        """Note that a whole response waits for the client to read it."""

    def on_response_complete(self) -> None:
        """Take the next request, or wait for it."""


class HeaderInjection(Exception):
    """A response header holds a line break; nothing of the response has been sent."""


class Cycle:
    """One request: `receive` gives its body as it comes, `send` takes the answer, `run_asgi` is its task.

    The protocol calls `add` and `end` when parts of the body arrive, and sets `disconnected` when the client has gone.
    """

    __slots__ = (
        "_asked", "_connection", "_ended", "_head", "_is_head", "_left", "_pieces", "_size", "_waiter", "disconnected",
        "flow", "keep_alive", "more_body", "response_complete", "response_started", "scope",
        "task", "transport",
    )  # fmt: skip

    def __init__(self, connection: Connection, scope: Any, keep_alive: bool) -> None:
        self._connection = connection
        self.scope = scope
        self.transport: asyncio.Transport = connection.transport
        self.flow: FlowControl = connection.flow
        self.task: asyncio.Task[None] | None = None  # that runs `run_asgi`
        self.keep_alive = keep_alive
        self.disconnected = self.response_started = self.response_complete = False
        self.more_body = True  # is still to arrive
        self._asked = False  # for the body, or answered without it
        self._ended = False  # the application has been given the last of the body
        self._pieces: list[bytes | memoryview] = []
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._head = b""
        self._left = 0  # bytes of the answer's body that are announced in its head but not sent yet
        self._is_head = scope["method"] == "HEAD"

    async def run_asgi(self, app: Asgi) -> None:
        """Run the application for this request; whatever it does, the client gets an answer or a closed connection."""
        # The task leaves uvicorn's set by itself: a callback for that would cost the loop another round.
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            self.transport.close()
            raise
        except Exception:
            _log.exception("a request failed in the application")
            await self._fail()
        else:
            if not (self.response_complete or self.disconnected or self.transport.is_closing()):
                _log.error("a request was left without a whole answer")
                await self._fail()
        finally:
            if self.task is not None:
                self._connection.tasks.discard(self.task)

    async def _fail(self) -> None:
        if self.response_started or self.disconnected or self.transport.is_closing():
            self.transport.close()
            return
        self.keep_alive = False
        length = (b"Content-Length", b"%d" % len(_FAILED))
        await self.send({"type": "http.response.start", "status": 500, "headers": [length]})
        await self.send({"type": "http.response.body", "body": _FAILED})

    @property
    def message_event(self) -> Cycle:
        """Return the object on which uvicorn's protocol calls `set` when the connection is lost."""
        return self

    # The body

    def add(self, piece: bytes | memoryview) -> None:
        """Take a piece of the body from the parser."""
        self._pieces.append(piece)
        self._size += len(piece) + _PIECE
        if self._size > HIGH_WATER:
            self.flow.pause_reading()
        if self._waiter is not None:
            self.set()

    @property
    def held_bytes(self) -> int:
        """Return about how many bytes this request takes while it waits for its turn."""
        return heads.weight(b"", self.scope["headers"]) + self._size

    def end(self) -> None:
        """Note that the body is whole."""
        self.more_body = False
        if self._waiter is not None:
            self.set()

    def set(self) -> None:
        """Wake the application, if it waits."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def receive(self) -> Message:
        """Return the part of the body that has arrived, or wait for it; ASGI's http.request or http.disconnect."""
        if not self._asked:
            if self._waits_for_continue() and not self.transport.is_closing():
                self.transport.write(_CONTINUE)
            self._asked = True
        while not (self._pieces or self.disconnected or self.response_complete) and (self.more_body or self._ended):
            self.flow.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces, self._size = [], 0
        if self.more_body:
            self.flow.resume_reading()
            more = {HOLD: self._connection.hold, VIEWS: self._connection.read_past_parser}
            return {"type": "http.request", "body": body, "more_body": True, **more}
        self._ended = True  # nothing is read before the answer: it could only be further requests
        return {"type": "http.request", "body": body, "more_body": False}

    def _waits_for_continue(self) -> bool:
        """Return whether the client holds the body back until it gets 100 Continue (RFC 9110 section 10.1.1).

        After another answer it may not send the body at all, so a body and the next request could not be distinguished.
        """
        if self._asked or not self.more_body or self._pieces or self.scope["http_version"] == "1.0":
            return False
        return any(name == b"expect" and value.lower() == b"100-continue" for name, value in self.scope["headers"])

    # The answer

    async def send(self, message: Message) -> None:
        """Take one message of the application; raises RuntimeError for a sequence that ASGI does not know."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected or self.transport.is_closing():  # uvicorn may set `disconnected` on a later request only
            return
        if not self.response_started:
            if message["type"] == WHOLE:
                self._send_whole(message["status"], message["headers"], message["body"])
            else:
                self._start(message)
        elif not self.response_complete and message["type"] == "http.response.body":
            self._continue(message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError(f"unexpected ASGI message {message['type']}")

    def _send_whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a complete answer at once; `headers` hold no `connection`, and their length only after HEAD."""
        if self._waits_for_continue():
            self.keep_alive = False
        close = b"" if self.keep_alive else _CLOSE
        length = b"Content-Length: %d\r\n" % len(body)
        if self._is_head:
            body = b""
            if any(name == b"Content-Length" for name, _ in headers):  # of what GET would send
                length = b""
        if status in _WITHOUT_BODY:  # RFC 9110 section 8.6
            length = b""
        answer = b"".join((
            _STATUS_LINES[status], self._connection.default_lines(), _lines(headers), close, length, b"\r\n", body,
        ))  # fmt: skip
        self.response_started = self._asked = self.response_complete = True
        self.transport.write(answer)
        if self.flow.write_paused:
            self._connection.note_unread()
        self._finish()

    def _start(self, message: Message) -> None:
        if message["type"] != "http.response.start":
            raise RuntimeError(f"expected http.response.start, got {message['type']}")
        status, headers = message["status"], message["headers"]
        lines = _lines(headers)
        if self._waits_for_continue():
            self.keep_alive = False
        length, close = None, b"" if self.keep_alive else _CLOSE
        for name, value in headers:
            if name == b"Content-Length":
                length = int(value)
            elif name == b"Connection" and value == b"close":
                self.keep_alive, close = False, b""
        if length is None and status not in _WITHOUT_BODY and not self._is_head:
            raise RuntimeError("a response needs its content-length")
        self._head = b"%b%b%b%b\r\n" % (_STATUS_LINES[status], self._connection.default_lines(), lines, close)
        self._left = 0 if length is None or self._is_head else length
        self.response_started = True
        self._asked = True

    def _continue(self, body: Any, more: bool) -> None:
        if self._is_head:
            body = b""
        self._left -= len(body)
        if self._left < 0 or (self._left and not more):
            raise RuntimeError("the body is not as long as its content-length")
        if self._head:
            head, self._head = self._head, b""
            if len(body) <= _SMALL:
                body = head + body
            else:
                self.transport.write(head)
        if body:
            self.transport.write(body)
        if not more:
            self.response_complete = True
            self._finish()

    def _finish(self) -> None:
        self.set()
        if not self.keep_alive:
            self.transport.close()
        self._connection.on_response_complete()


def _lines(headers: Headers) -> bytes:
    """Return headers as bytes for the wire; raises HeaderInjection."""
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers) or b"\0" in lines:
        raise HeaderInjection
    return lines
