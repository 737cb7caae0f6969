"""Byte ranges of a GET (RFC 9110 section 14), in the form that S3 gives them."""

from __future__ import annotations

import re

import msgspec

from fuin.s3.request.faults import S3Fault

_BYTES = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE | re.ASCII)
_COPY = re.compile(r"bytes=(\d+)-(\d+)", re.ASCII)
_DIGITS = 20  # longer numbers are beyond any object


class Span(msgspec.Struct, frozen=True):
    """Bytes `start` to `end` (exclusive) of an object of `size` bytes."""

    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        """Return the number of bytes."""
        return self.end - self.start

    @property
    def content_range(self) -> str:
        """Return the value of Content-Range."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def parse(header: str | None, size: int) -> Span | None:
    """Return the span that a Range header asks for, or None for the whole object.

    No header, another unit, more than one range and anything malformed mean the whole object (RFC 9110 14.2; S3 has no
    multipart ranges). Raises InvalidRange (416) when the range lies beyond the object.
    """
    found = _BYTES.fullmatch(header) if header else None
    if header is None or found is None:
        return None
    first, last = found[1], found[2]
    if not (first or last) or len(first) > _DIGITS or len(last) > _DIGITS:
        return None
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    else:
        start, end = max(size - int(last), 0), size
    if start >= end:
        raise S3Fault("InvalidRange", RangeRequested=header, ActualObjectSize=str(size))
    return Span(start, end, size)


def parse_copy_range(header: str | None, size: int) -> Span:
    """Return the span of a copy source's range, which must be bytes=FIRST-LAST within the source."""
    if header is None:
        return Span(0, size, size)
    name = "x-amz-copy-source-range"
    found = _COPY.fullmatch(header)
    if found is None or len(found[1]) > _DIGITS or len(found[2]) > _DIGITS or int(found[2]) < int(found[1]):
        text = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
        text += "zero-based offsets of the first and last bytes to copy"
        raise S3Fault("InvalidArgument", text, ArgumentName=name, ArgumentValue=header)
    start, end = int(found[1]), int(found[2]) + 1
    if end > size:
        text = f"Range specified is not valid for source object of size: {size}"
        raise S3Fault("InvalidArgument", text, ArgumentName=name, ArgumentValue=header)
    return Span(start, end, size)
