"""Keyholder frames: requests and answers on the Unix socket between a worker and the keyholder.

Page: docs/formats/keyholder-frames.md. One frame is `u32 length | u64 correlation | u8 code | u8 count | count × u32
field length | the fields`; the length counts what follows it. Numbers are big-endian.
"""

import struct
from collections.abc import Sequence

from fuin.errors import FormatError

LIMIT = 1024 * 1024  # bytes of one frame, its length field not counted
FIELDS_AT_MOST = 16

Frame = tuple[int, int, list[bytes]]  # correlation, code, fields

_FIXED = struct.Struct(">QBB")
_PREFIX = struct.Struct(">I")
_HEADS = [struct.Struct(">IQBB" + "I" * count) for count in range(FIELDS_AT_MOST + 1)]
_LENGTHS = [struct.Struct(">" + "I" * count) for count in range(FIELDS_AT_MOST + 1)]


def encode(correlation: int, code: int, fields: Sequence[bytes]) -> bytes:
    """Return the bytes of one frame; raises FormatError if it would be too long."""
    count = len(fields)
    content = b"".join(fields)
    size = 10 + 4 * count + len(content)
    if count > FIELDS_AT_MOST or size > LIMIT:
        raise FormatError("too much for one keyholder frame")
    return _HEADS[count].pack(size, correlation, code, count, *map(len, fields)) + content


def decode(body: bytes) -> Frame:
    """Return the frame of the bytes after its length field; raises FormatError."""
    if len(body) < 10:
        raise FormatError("a keyholder frame ends early")
    return _decode(body, 0, len(body))


def _decode(data: bytes, start: int, stop: int) -> Frame:
    """Return the frame whose body is `data[start:stop]`, at least 10 bytes; raises FormatError."""
    correlation, code, count = _FIXED.unpack_from(data, start)
    at = start + 10 + 4 * count
    if count > FIELDS_AT_MOST or at > stop:
        raise FormatError("a keyholder frame with too many fields")
    fields: list[bytes] = []
    for length in _LENGTHS[count].unpack_from(data, start + 10):
        end = at + length
        fields.append(data[at:end])
        at = end
    if at != stop:
        raise FormatError("a keyholder frame of a wrong length")
    return correlation, code, fields


class Splitter:
    """Cuts a byte stream into frames; keeps at most one unfinished frame."""

    __slots__ = ("_needed", "_rest")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed = 4  # bytes that `_rest` must have before a frame can be complete

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes; raises FormatError, after which the stream is lost."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        frames: list[Frame] = []
        at, end = 0, len(data)
        while end - at >= 4:
            (size,) = _PREFIX.unpack_from(data, at)
            if not 10 <= size <= LIMIT:
                raise FormatError("a keyholder frame of a wrong length")
            stop = at + 4 + size
            if stop > end:
                self._needed = 4 + size
                break
            frames.append(_decode(data, at + 4, stop))
            at = stop
        else:
            self._needed = 4
        if at < end:
            self._rest += data[at:]
        return frames
