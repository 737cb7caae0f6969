"""The head of a request and the fields behind its body: their limits, and how to write a head again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.errors import FuinError
from fuin.settings import KIB

if TYPE_CHECKING:
    from collections.abc import Iterable

    Headers = list[tuple[bytes, bytes]]

HEADER_LIMIT = 32 * KIB  # request line, headers and trailers together; AWS takes 8 KiB, presigned URLs are long
HEADER_COUNT = 256  # headers and trailers
_OBJECTS = 160  # bytes of overhead for a header: a tuple, two objects


class HeadersTooLarge(FuinError):
    """Ends the parsing: there are more headers or trailers, or longer ones, than any client sends."""


class Trailers:
    """Counts the fields behind a body together with those before it, and keeps none of them.

    RFC 9110 section 6.5.1: a trailer must not be merged into the headers unless its definition permits it, and no
    operation needs that. The trailers of `aws-chunked` are within the body; its decoder reads them.
    """

    __slots__ = ("_bytes", "_lines")

    def __init__(self, url: bytes, headers: Headers) -> None:
        """Begin with the lines and bytes that the head has used."""
        self._lines, self._bytes = len(headers), size(url, headers)

    def count(self, name: bytes, value: bytes) -> None:
        """Count a trailer; raises HeadersTooLarge."""
        self._lines += 1
        self._bytes += len(name) + len(value) + 4
        if self._lines > HEADER_COUNT or self._bytes > HEADER_LIMIT:
            raise HeadersTooLarge


def size(url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return the bytes of a request's target and headers."""
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def weight(url: bytes, headers: Headers) -> int:
    """Return about how many bytes a target and headers take in memory."""
    return size(url, headers) + _OBJECTS * len(headers)


def drop_upgrade(headers: Headers) -> Headers:
    """Return the headers without those that offer another protocol."""
    return [header for header in headers if header[0] != b"upgrade"]


def format_head(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """Return a head as bytes for the wire; the parser has refused any line breaks in it."""
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, url, version.encode(), lines)
