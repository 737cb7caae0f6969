"""One request and its response on uvicorn's protocol, with less work for each of them.

What uvicorn does for any application and this one does not need is left out: regular expressions over every header,
a write of its own for the head, the access log. Measured: docs/decisions/0004.
"""

from __future__ import annotations

import http
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus}
_WITHOUT_BODY = frozenset({204, 304})
_SMALL = 16 * 1024  # bytes of body that are cheaper to copy behind the head than to write apart


class HeaderInjection(Exception):
    """A response header holds a line break; nothing of the response has been sent."""


class Cycle(RequestResponseCycle):
    """A response whose head leaves together with the first piece of its body."""

    _head = b""
    _left = 0  # bytes of the body that the head promises and that have not been sent

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]
        """Take one message of the application; raises RuntimeError for a sequence that ASGI does not know."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected or self.transport.is_closing():  # also when a later, pipelined request was told of it
            return
        if not self.response_started:
            self._start(message)
        elif not self.response_complete and message["type"] == "http.response.body":
            self._continue(message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError(f"unexpected ASGI message {message['type']}")

    def _start(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] != "http.response.start":
            raise RuntimeError(f"expected http.response.start, got {message['type']}")
        status, headers = message["status"], [*self.default_headers, *message["headers"]]
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers) or b"\0" in lines:
            raise HeaderInjection
        length = next((int(value) for name, value in headers if name == b"content-length"), None)
        if length is None and status not in _WITHOUT_BODY and self.scope["method"] != "HEAD":
            raise RuntimeError("a response needs its content-length")
        close = b"" if self.keep_alive else b"connection: close\r\n"
        self._head = b"%b%b%b\r\n" % (_STATUS_LINES[status], lines, close)
        self._left = 0 if length is None or self.scope["method"] == "HEAD" else length
        self.response_started = True
        self.waiting_for_100_continue = False

    def _continue(self, body: Any, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            body = b""
        self._left -= len(body)
        if self._left < 0 or (self._left and not more):
            raise RuntimeError("the body is not as long as its content-length")
        if self._head:
            head, self._head = self._head, b""
            if len(body) <= _SMALL:
                self.transport.write(head + body)
            else:
                self.transport.write(head)
                self.transport.write(body)
        elif body:
            self.transport.write(body)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()
