"""uvicorn's HTTP protocol with bounds: on the size of headers, and on the time that a silent client may hold a place.

With httptools, uvicorn bounds neither. Size is counted where bytes arrive; a sweep over all connections every few
seconds watches the time (sweep.py), so that a request costs one clock reading, not a timer.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fuin.errors import FuinError
from fuin.server import heads, target
from fuin.server.bounds import CLOSE_TIME, Bounds
from fuin.server.cycle import Cycle
from fuin.server.heads import HEADER_COUNT, HEADER_LIMIT, HeadersTooLarge, Trailers
from fuin.server.large_body import WORTHWHILE, LargeBody, bytes_left
from fuin.settings import KIB

HEADER_TIME = 15.0  # seconds from the first byte of a request to the end of its headers
IDLE_TIME = 60.0  # seconds without a byte in either direction while a request is under way
PACE = 512  # bytes a second that a request must send on average, after IDLE_TIME
PIPELINED_AT_MOST = 16  # requests that wait behind another; each takes kilobytes, and no AWS client pipelines at all
KEEP_ALIVE = 75.0  # seconds between two requests; longer than clients' own pools keep an idle connection
TLS_UNSENT = 256 * KIB  # unsent bytes of answers at which the application must wait; the loop's default is 512
_ASGI = {"version": "3.0", "spec_version": "2.3"}
_VERSIONS = frozenset({"1.0", "1.1"})  # the parser also takes 0.9 and 2.0, which are other protocols
_TLS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
_NO_PLACE = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 24\r\n\r\nToo many are connected.\n"
)
_BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\n%bContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%b"
)


def _new_parser(protocol: BoundedProtocol) -> httptools.HttpRequestParser:
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
    return parser


class TooManyPipelined(FuinError):
    """Ends the parsing: more requests than PIPELINED_AT_MOST wait for the one at hand."""


class NotUnderstood(FuinError):
    """Ends the parsing: a tunnel, another version of HTTP, or a head that differs when it is parsed again."""


class _Answered:
    """Takes the place of a request's cycle after its answer.

    If an idle connection kept the cycle itself, it would also keep the request's headers and the rest of its body, and
    the two would refer to each other: only the garbage collector could free their memory.
    """

    response_started = response_complete = True
    more_body = False

    @property
    def message_event(self) -> _Answered:
        """Return the object on which uvicorn's protocol calls `set` when the connection is lost."""
        return self

    def set(self) -> None:
        """Wake nobody."""


_ANSWERED: Any = _Answered()


class BoundedProtocol(HttpToolsProtocol):
    """One connection with bounded headers, bounded silence and bounded slowness."""

    _received = 0  # bytes of the piece at hand
    _request_bytes = 0  # received since the piece in which the request at hand began
    _framing = 0  # bytes of the request at hand that are not body, since its start or the last piece of its body
    _in_headers = True  # a connection that never sends a request is closed like a silent one
    _receiving = False  # the request's head or body
    _holds = False  # something that is counted in the worker's bounds
    _unread = False  # whole answers wait for the client to read
    _body_bytes = 0  # of the request at hand that were received
    _body_held = 0  # bytes of an unfinished body that its request keeps
    _defaults: Any = None  # the default headers of `_default_lines`
    _default_lines = b""
    _began = 0.0  # the connection, and then each request
    _last_sign = 0.0  # of life: bytes received, or room made by the client's reading
    _answered = 0.0  # the last request

    def __init__(self, *given: Any, bounds: Bounds | None = None, **named: Any) -> None:
        """Take uvicorn's arguments and the worker's bounds; without bounds, this connection makes its own."""
        super().__init__(*given, **named)
        self._bounds = bounds or Bounds()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch the time, or turn the client away if no place is free."""
        super().connection_made(transport)
        self._began = self._last_sign = self._answered = self.loop.time()
        self.url, self.headers, self.cycle = b"", [], _ANSWERED
        tls = transport.get_extra_info("ssl_object")  # for ASGI's TLS extension
        self._extensions = {} if tls is None else {"tls": {"tls_version": _TLS.get(tls.version())}}
        if tls is not None:
            transport.set_write_buffer_limits(TLS_UNSENT)
        if len(self.connections) > self._bounds.connections:
            transport.write(_NO_PLACE)
            transport.close()

    def abandon(self) -> None:
        """Drop the parser, which refers back: after a failed handshake no connection is made, or lost."""
        self.parser = None

    def data_received(self, data: bytes) -> None:
        """Note the sign of life, feed the parser, and refuse endless headers and trailers."""
        self._last_sign = self.loop.time()
        self._received = received = len(data)
        self._request_bytes += received
        self._framing += received
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:  # also what a callback raised
            self._refuse("Invalid HTTP request received.")
            return
        except httptools.HttpParserUpgrade as offer:
            if not self._read_without_offer(offer, data):
                return
        if self._in_headers or self._framing > HEADER_LIMIT:
            self._check_framing()

    def _check_framing(self) -> None:
        """Refuse a head or trailers that are longer than any client sends: they could be kept until their end."""
        if (self._framing > HEADER_LIMIT or len(self.headers) > HEADER_COUNT) and not self.transport.is_closing():
            self._refuse("The request's headers are too large.")
        elif self._in_headers:
            self._note_held()

    def hold(self, size: int) -> None:
        """Note how many bytes of an unfinished body the request at hand keeps."""
        self._body_held = size
        self._note_held()

    def drop(self) -> None:
        """End at once, without an answer: others need the room."""
        self._holds = False
        self.transport.abort()

    def _note_held(self) -> None:
        """Count the kept bytes of unfinished and waiting requests; called only when this number can change."""
        size = self._body_held + sum(waiting[0].held_bytes for waiting in self.pipeline)  # type: ignore[attr-defined]
        if self._in_headers:
            size += heads.weight(self.url, self.headers) + self._framing
        if self._unread:
            size += self.transport.get_write_buffer_size()
        self._holds = size > 0
        if size:
            self._bounds.held.note(self, size)
        else:
            self._bounds.held.forget(self)

    def _refuse(self, text: str) -> None:
        """Answer 400 and close; without an answer where a client could take it for another one, or for part of it."""
        cycle: Any = self.cycle
        in_body = self._receiving and not self._in_headers
        if self.pipeline or (cycle.response_started if in_body else not cycle.response_complete):
            self.transport.abort()
        else:
            self.send_400_response(text)

    def _read_without_offer(self, offer: Exception, data: bytes) -> bool:
        """Read on as if the request had not offered another protocol, which is not accepted (RFC 9110 section 7.8).

        The parser skips the body of a request with such an offer. So a new parser gets the same head without the offer,
        and finds the body and later requests by the usual rules. Returns False when the request breaks them.
        """
        rest: bytes | None = data[offer.args[0] :]
        try:
            while rest is not None:
                self._restart_without_offer()
                rest = self._feed(rest)
        except (httptools.HttpParserError, NotUnderstood):
            self._refuse("Invalid HTTP request received.")
            return False
        return True

    def _feed(self, data: bytes) -> bytes | None:
        """Feed the parser; returns the bytes after a request that offers another protocol, or None."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            return data[offer.args[0] :]
        return None

    def _restart_without_offer(self) -> None:
        """Let a new parser begin the request again; a signature may cover the offer, so its header stays."""
        headers = self.headers
        kept = heads.drop_upgrade(headers)
        head = heads.format_head(self.parser.get_method(), self.url, self.parser.get_http_version(), kept)
        self.parser = _new_parser(self)
        self.url, self.headers = b"", []
        begun = self.headers
        self.parser.feed_data(head)
        if begun != kept or self.parser.should_upgrade():
            raise NotUnderstood
        begun[:] = headers  # in the request's scope; its task has not begun yet

    def resume_writing(self) -> None:
        """Note that the client read enough for the next piece."""
        self._last_sign = self.loop.time()
        super().resume_writing()
        if self._unread:
            self._unread = False
            self._note_held()

    def note_unread(self) -> None:
        """Note that the client reads its answers more slowly than it asks; a stream waits for it by itself."""
        self._unread = True
        self._note_held()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._request_bytes = self._received
        self._body_bytes = 0
        self._in_headers = self._receiving = True
        self._began = self._last_sign

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, under its name in lower case; the parser reports trailers in the same way."""
        if self._in_headers:
            self.headers.append((name.lower(), value))
        else:
            self._count_trailer(name, value)

    def _count_trailer(self, name: bytes, value: bytes) -> None:
        fields: Any = self.headers
        if not isinstance(fields, Trailers):
            fields = Trailers(self.url, fields)
            self.headers = fields
        fields.count(name, value)

    def on_headers_complete(self) -> None:
        """Start the request's task, if its headers are within bounds; an exception makes the parser answer 400."""
        headers = self.headers
        if len(headers) > HEADER_COUNT or (
            self._framing > HEADER_LIMIT and heads.size(self.url, headers) > HEADER_LIMIT
        ):
            raise HeadersTooLarge
        if self.parser.should_upgrade():
            self._leave_for_restart()
            return
        version = self.parser.get_http_version()
        if version not in _VERSIONS:
            raise NotUnderstood
        target.check_host(headers, version)
        path, _, query = self.url.partition(b"?")
        if not path.startswith(b"/"):
            path, _, query = target.origin_form(self.url, headers).partition(b"?")
        self._in_headers = False
        if self._holds:
            self._note_held()
        scope: Any = {
            "type": "http", "asgi": _ASGI, "http_version": version, "server": self.server, "client": self.client,
            "scheme": self.scheme, "root_path": "", "headers": headers, "state": {},
            "method": self.parser.get_method().decode("ascii"), "path": target.decode_path(path), "raw_path": path,
            "query_string": query, "extensions": self._extensions,
        }  # fmt: skip
        earlier = self.cycle
        keep_alive = version != "1.0" and self.parser.should_keep_alive()
        self.cycle = cycle = Cycle(self, scope, keep_alive)  # type: ignore[assignment]
        if earlier.response_complete:
            self._start(cycle)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))  # type: ignore[arg-type]
            self._note_held()
            if len(self.pipeline) > PIPELINED_AT_MOST:
                raise TooManyPipelined

    def _leave_for_restart(self) -> None:
        """Leave a request that offers another protocol, until it begins again without the offer."""
        if self.parser.get_method() == b"CONNECT":
            raise NotUnderstood
        self._receiving = self._in_headers = False

    def default_lines(self) -> bytes:
        """Return the headers of all answers, as bytes for the wire; uvicorn renews them each second."""
        headers = self.server_state.default_headers
        if headers is not self._defaults:
            lines = [b"%b: %b\r\n" % (name.title(), value) for name, value in headers]
            self._defaults, self._default_lines = headers, b"".join(lines)
        return self._default_lines

    def send_400_response(self, msg: str) -> None:
        """Answer 400 to a malformed request, and close; the names of headers are spelled as in all answers."""
        self.transport.write(_BAD_REQUEST % (self.default_lines(), len(msg), msg.encode("ascii")))
        self.transport.close()

    def _start(self, cycle: Cycle) -> None:
        cycle.task = task = self.loop.create_task(cycle.run_asgi(self.app))
        self.tasks.add(task)  # until its end: uvicorn waits for these tasks when the server ends

    def on_body(self, body: bytes | memoryview) -> None:
        """Hand on a piece of the body; pieces after the answer are dropped."""
        self._framing = 0
        self._body_bytes += len(body)
        cycle: Any = self.cycle
        if not cycle.response_complete:
            cycle.add(body)

    def read_past_parser(self) -> None:
        """Let the rest of a large body come as views into buffers; the application has asked for this."""
        left = bytes_left(self.headers, self._body_bytes)
        if self._receiving and left >= WORTHWHILE:
            self.transport.set_protocol(LargeBody(self, left, self._body_bytes))

    def note_received(self, size: int) -> None:
        """Note the sign of life in bytes that the parser does not see."""
        self._last_sign = self.loop.time()
        self._request_bytes += size

    def end_large_body(self) -> None:
        """Give the connection back to a new parser: the one before does not know that the body has come."""
        self.transport.set_protocol(self)
        self.parser = _new_parser(self)
        self.on_message_complete()

    def on_message_complete(self) -> None:
        """End the request's body, and keep nothing for the next request."""
        if not self._receiving:
            return
        self._receiving = False
        self._framing = 0
        self.url = b""
        self.headers = []
        cycle: Any = self.cycle
        if not cycle.response_complete:
            cycle.end()

    def on_response_complete(self) -> None:
        """Begin the next pipelined request; the sweep, not a timer, ends a connection that stays idle."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._forget_requests()
            return
        self._last_sign = self._answered = self.loop.time()
        if self.pipeline:  # and nothing more is read before it is empty
            self._start(self.pipeline.pop()[0])  # type: ignore[arg-type]
        else:
            self.flow.resume_reading()
            self.cycle = _ANSWERED
        if self._holds:
            self._body_held = 0
            self._note_held()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the loss to the request at hand, and drop all requests."""
        super().connection_lost(exc)
        self._forget_requests()

    def _forget_requests(self) -> None:
        self.cycle = _ANSWERED
        self.pipeline.clear()
        if self._holds:
            self._holds = False
            self._bounds.held.forget(self)

    def shutdown(self) -> None:
        """Close as soon as the response is out; uvloop alone would wait 30 s for a silent client's closing alert."""
        super().shutdown()
        self.loop.call_later(CLOSE_TIME, self._end_closing)

    def _end_closing(self) -> None:
        if self not in self.connections:
            return
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.loop.call_later(CLOSE_TIME, self._end_closing)

    def is_silent_too_long(self, now: float, keep_alive: float = KEEP_ALIVE) -> bool:
        """Return whether this connection makes little or no progress because its client is silent or slow."""
        if self._in_headers:
            return now - self._began > HEADER_TIME
        if self._receiving and not self.flow.read_paused and self._is_too_slow(now):
            return True
        silence = now - self._last_sign
        cycle = self.cycle
        if cycle.response_complete:  # empty lines between requests are no sign of life: parsers have to skip them
            return (silence if self._receiving else now - self._answered) > keep_alive
        waits_for_body = cycle.more_body and not self.flow.read_paused
        return (waits_for_body or self.flow.write_paused) and silence > IDLE_TIME

    def _is_too_slow(self, now: float) -> bool:
        """Return whether the request is sent too slowly: a held-back body holds memory, and old rights."""
        return self._request_bytes < (now - self._began - IDLE_TIME) * PACE
