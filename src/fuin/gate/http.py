"""One HTTP request as the services see it: bytes from ASGI, bounded reads, no framework."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from fuin import ids
from fuin.clock import CLOCK
from fuin.errors import FuinError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


# A message that ASGI does not have: a whole answer. Status, headers and body in one go spare the hottest requests two
# microseconds (docs/decisions/0004).
WHOLE = "fuin.response"

# In a message with a part of a body: a function that takes the number of bytes kept until the rest has come. The
# server bounds what all requests keep together (server/held.py).
HOLD = "fuin.hold"

# In a message with a part of a body: a function that lets the rest come as views into buffers. A buffer is used again
# once nobody refers to it (server/large_body.py).
VIEWS = "fuin.views"

_TLS = {0x0303: "1.2", 0x0304: "1.3"}  # RFC 8446 appendix D


class BodyTooLarge(FuinError):
    """The body is longer than the operation takes."""


class ClientGone(FuinError):
    """The connection ended before the request was complete: the client closed it, or it was idle for too long."""


class Request:
    """Method, path, query, headers and the body as a stream.

    `path` is the raw path as sent (percent-encoded bytes), `query` the raw query string. `headers` maps lower-case
    names to values; when a name came more than once, the values are joined by a comma, as RFC 9110 allows.
    """

    __slots__ = ("_receive", "_takes_views", "headers", "id", "method", "now", "path", "query", "secure", "source_ip",
                 "tls_version", "wall")  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.id = ids.request_id()
        self.wall = wall = time.time()
        self.now = wall if wall > CLOCK.floor else CLOCK.steady_now(wall)  # so that what has ended stays ended
        self.method: str = scope["method"]
        self.path: bytes = scope.get("raw_path") or scope["path"].encode()
        self.query: bytes = scope["query_string"]
        pairs = scope["headers"]
        headers: dict[bytes, bytes] = dict(pairs)
        self.headers = headers if len(headers) == len(pairs) else _join_repeated_headers(pairs)
        client = scope.get("client")
        self.source_ip: str = client[0] if client else ""
        self.secure: bool = scope.get("scheme") == "https"
        self.tls_version = _tls_version(scope) if self.secure else ""  # 1.3
        self._receive = receive
        self._takes_views = False

    def header(self, name: bytes) -> str | None:
        """Return a header's value as Latin-1 text, or None."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; raises ClientGone.

        The time between two pieces is bounded by the protocol (`server/protocol.py`), which closes an idle connection:
        a timer for each piece would cost more than all the cryptography of a small request.
        """
        while True:
            body, more = await self.piece()
            if body:
                yield body
            if not more:
                return

    async def piece(self) -> tuple[bytes, bool]:
        """Return the next piece of the body and whether more may follow; raises ClientGone."""
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientGone("the client closed the connection")
        return message.get("body", b""), message.get("more_body", False)

    async def view(self) -> tuple[bytes | memoryview, bool]:
        """Return what `piece` does, or a view of the next bytes where that saves the server copies; raises ClientGone.

        Who has begun with views goes on with them.
        """
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientGone("the client closed the connection")
        if not self._takes_views and VIEWS in message:
            self._takes_views = True
            message[VIEWS]()
        return message.get("body", b""), message.get("more_body", False)

    async def gather_pieces(self, take: Callable[[bytes], bool]) -> bool:
        """Give pieces of the body to a function that keeps them until it returns True; return whether more may follow.

        What it keeps while the client is silent is counted, as an unfinished body is (`server/bounds.py`).
        """
        kept, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientGone("the client closed the connection")
            piece, more = message.get("body", b""), message.get("more_body", False)
            has_enough = take(piece)
            hold = message.get(HOLD)
            if hold is not None and (kept or not has_enough):
                kept = 0 if has_enough else kept + len(piece)
                hold(kept)
            if has_enough:
                break
        return more

    async def body(self, limit: int) -> bytes:
        """Return the whole body of at most `limit` bytes; raises BodyTooLarge before reading more."""
        length = self.headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > limit:
            raise BodyTooLarge(f"the body is longer than {limit} bytes")
        message = await self._receive()  # nearly always all of it
        if message["type"] != "http.request":
            raise ClientGone("the client closed the connection")
        whole: bytes = message.get("body", b"")
        if message.get("more_body", False) and len(whole) <= limit:
            whole = await self._gather_body(whole, limit, message.get(HOLD))
        if len(whole) > limit:
            raise BodyTooLarge(f"the body is longer than {limit} bytes")
        return whole

    async def _gather_body(self, begun: bytes, limit: int, hold: Callable[[int], None] | None) -> bytes:
        """Return a body that comes in pieces; a body longer than `limit` is not read to its end."""
        whole, more = bytearray(begun), True  # joined at once: a thousand pieces take more room than their bytes
        while more and len(whole) <= limit:
            if hold is not None:
                hold(len(whole))
            body, more = await self.piece()
            whole += body
        return bytes(whole)


def _tls_version(scope: Scope) -> str:
    """Return the version from ASGI's TLS extension, or an empty text."""
    number: int = scope.get("extensions", {}).get("tls", {}).get("tls_version") or 0
    return _TLS.get(number, "")


def _join_repeated_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        headers[name] = headers[name] + b"," + value if name in headers else value
    return headers


class Answer:
    """A whole small response: status, headers, body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes | memoryview = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def message(self) -> dict[str, Any]:
        """Return the message that gives the response to the server, which adds its length."""
        return {"type": WHOLE, "status": self.status, "headers": self.headers, "body": self.body}
