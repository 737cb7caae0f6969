"""uvicorn's HTTP protocol with bounds: on the size of headers and on the time that a silent client may hold a place.

uvicorn bounds neither when httptools parses. Size is counted where bytes arrive; time is watched by
one sweep over all connections every few seconds, so that a request pays for a clock reading and for no timer.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fuin.server.cycle import Cycle
from fuin.settings import KIB

HEADER_LIMIT = 32 * KIB  # request line and headers together; AWS takes 8 KiB of headers, presigned URLs are long
HEADER_COUNT = 256
HEADER_TIME = 15.0  # seconds from the first byte of a request to the end of its headers
IDLE_TIME = 60.0  # seconds without a byte in either direction while a request is under way
PACE = 512  # bytes a second that a request must come with on average, once IDLE_TIME has passed
PIPELINED_AT_MOST = 16  # requests that wait behind another; each takes kilobytes, and no AWS client pipelines at all
KEEP_ALIVE = 75.0  # seconds between two requests; longer than clients' own pools keep an idle connection
SWEEP_EVERY = 2.5
_ASGI = {"version": "3.0", "spec_version": "2.3"}
_TLS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
CLOSE_TIME = 2.0  # seconds that a TLS client gets to answer the closing alert when the server ends


def decoded(path: bytes) -> str:
    """Return the path as ASGI has it beside the raw one; the services read the raw one only."""
    if path == b"/":
        return "/"
    text = path.decode("latin-1")
    return unquote(text) if "%" in text else text


class HeadersTooLarge(Exception):
    """Ends the parsing."""


class NotOriginForm(Exception):
    """Ends the parsing: a target that is no path (RFC 9112 section 3.2.1), such as a proxy would be sent."""


class TooManyPipelined(Exception):
    """Ends the parsing: more requests than PIPELINED_AT_MOST wait for the one at hand."""


class _Deaf:
    """A parser that hears nothing more."""

    def feed_data(self, data: bytes) -> None:
        """Drop what comes."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection with bounded headers, bounded silence and bounded slowness."""

    _received = 0  # bytes of the piece at hand
    _header_bytes = 0  # received since the piece in which the request at hand began, at least its head's size
    _in_headers = True  # a connection that never sends a request is closed like a silent one
    _receiving = False  # the request's head or body
    _defaults: Any = None  # the default headers of `_default_lines`
    _default_lines = b""
    _began = 0.0  # the connection, and then each request
    _last_sign = 0.0  # of life: bytes received, or room made by the client's reading

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch the time."""
        super().connection_made(transport)
        self._began = self._last_sign = self.loop.time()
        tls = transport.get_extra_info("ssl_object")  # told as ASGI's TLS extension does
        self._extensions = {} if tls is None else {"tls": {"tls_version": _TLS.get(tls.version())}}

    def data_received(self, data: bytes) -> None:
        """Note the sign of life, feed the parser, and refuse headers that have no end."""
        self._last_sign = self.loop.time()
        self._received = len(data)
        self._header_bytes += self._received
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:  # also what a callback raised
            if self.pipeline:
                self.transport.abort()  # an answer now would be taken for that of an earlier request
            else:
                self.send_400_response("Invalid HTTP request received.")
            return
        except httptools.HttpParserUpgrade:  # offered, not taken: the request is answered as it stands
            # Its body, which the parser leaves out, and whatever follows must not be taken for more requests.
            self.parser = _Deaf()
            cast("Cycle", self.cycle).keep_alive = False
            return
        if self._in_headers and self._header_bytes > HEADER_LIMIT and not self.transport.is_closing():
            self.send_400_response("The request's headers are too large.")

    def resume_writing(self) -> None:
        """Note that the client read enough for the next piece."""
        self._last_sign = self.loop.time()
        super().resume_writing()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._header_bytes = self._received
        self._in_headers = self._receiving = True
        self._began = self._last_sign
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, under its name in lower case."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Start the request's task, if its headers are within bounds; an exception makes the parser answer 400."""
        self._in_headers = False
        if len(self.headers) > HEADER_COUNT or (self._header_bytes > HEADER_LIMIT and self._size() > HEADER_LIMIT):
            raise HeadersTooLarge
        path, _, query = self.url.partition(b"?")
        if not path.startswith(b"/"):
            raise NotOriginForm
        version = self.parser.get_http_version()
        scope: Any = {
            "type": "http", "asgi": _ASGI, "http_version": version, "server": self.server, "client": self.client,
            "scheme": self.scheme, "root_path": "", "headers": self.headers, "state": {},
            "method": self.parser.get_method().decode("ascii"), "path": decoded(path), "raw_path": path,
            "query_string": query, "extensions": self._extensions,
        }  # fmt: skip
        earlier = self.cycle
        keep_alive = version != "1.0" and self.parser.should_keep_alive()
        self.cycle = cycle = Cycle(self, scope, keep_alive)  # type: ignore[assignment]
        if earlier is None or earlier.response_complete:
            self._start(cycle)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))  # type: ignore[arg-type]
            if len(self.pipeline) > PIPELINED_AT_MOST:
                raise TooManyPipelined

    def default_lines(self) -> bytes:
        """Return the headers that all answers have, as they stand on the wire; uvicorn renews them each second."""
        headers = self.server_state.default_headers
        if headers is not self._defaults:
            self._defaults, self._default_lines = headers, b"".join([b"%b: %b\r\n" % header for header in headers])
        return self._default_lines

    def _start(self, cycle: Cycle) -> None:
        cycle.task = task = self.loop.create_task(cycle.run_asgi(self.app))
        self.tasks.add(task)  # where it is until its end, of which uvicorn waits for when the server ends

    def on_body(self, body: bytes) -> None:
        """Hand on a piece of the body; what comes after the answer is dropped."""
        cycle: Any = self.cycle
        if not cycle.response_complete:
            cycle.add(body)

    def on_message_complete(self) -> None:
        """Tell the request's task that its body is whole."""
        self._receiving = False
        cycle: Any = self.cycle
        if not cycle.response_complete:
            cycle.end()

    def on_response_complete(self) -> None:
        """Begin the next pipelined request; the sweep, not a timer, ends a connection that stays idle."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._last_sign = self.loop.time()
        self.flow.resume_reading()
        if self.pipeline:
            self._start(self.pipeline.pop()[0])  # type: ignore[arg-type]

    def _size(self) -> int:
        """Return the exact size of a request's head; needed only when much was received at once."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

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

    def silent_too_long(self, now: float) -> bool:
        """Tell whether this connection makes no progress, or hardly any, through the client's silence or slowness."""
        if self._in_headers:
            return now - self._began > HEADER_TIME
        if self._receiving and not self.flow.read_paused and self._too_slow(now):
            return True
        silence = now - self._last_sign
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return silence > KEEP_ALIVE
        waits_for_body = cycle.more_body and not self.flow.read_paused
        return (waits_for_body or self.flow.write_paused) and silence > IDLE_TIME

    def _too_slow(self, now: float) -> bool:
        """Tell whether the request comes drop by drop: whoever holds back a body holds memory, and old rights."""
        return self._header_bytes < (now - self._began - IDLE_TIME) * PACE


async def sweep(connections: set[Any]) -> None:
    """Close silent connections, for ever."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_EVERY)
        now = loop.time()
        for connection in list(connections):
            if isinstance(connection, BoundedProtocol) and connection.silent_too_long(now):
                connection.transport.abort()
