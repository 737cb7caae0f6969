"""The places of a message's frames: exact lengths and byte ranges, by arithmetic alone.

The official SDK's rule makes this exact: every full frame is a regular frame, and the final frame holds the rest, which
is always shorter than a full frame, and empty if the plaintext is a multiple of the frame length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.formats import message

if TYPE_CHECKING:
    from collections.abc import Iterator


def stored_length(header_length: int, frame_length: int, plaintext_length: int) -> int:
    """Return the size of a whole message; `header_length` includes the header's tag."""
    full, rest = divmod(plaintext_length, frame_length)
    return header_length + full * (frame_length + message.FRAME_OVERHEAD) + message.FINAL_OVERHEAD + rest


def plaintext_length(header_length: int, frame_length: int, stored: int) -> int:
    """Return the plaintext bytes of a whole message of `stored` bytes; raises ValueError if no message has so many."""
    full, rest = divmod(stored - header_length - message.FINAL_OVERHEAD, frame_length + message.FRAME_OVERHEAD)
    if full < 0 or rest >= frame_length:
        raise ValueError("no message has this length")
    return full * frame_length + rest


@dataclass(frozen=True, slots=True)
class FramePlace:
    """One frame of a range read: `length` bytes at `offset` of the file; of its plaintext, `[skip:stop]` is wanted."""

    sequence: int
    final: bool
    offset: int
    length: int
    skip: int
    stop: int


@dataclass(frozen=True, slots=True)
class FrameSpan:
    """The frames `first` to `last` (from 1) that hold plaintext bytes `start` to `end` (exclusive).

    They are the `file_length` bytes at `file_offset` of the message. The wanted part of their plaintext is the
    `end - start` bytes after the first `skip` bytes.
    """

    first: int
    last: int
    file_offset: int
    file_length: int
    skip: int
    start: int
    end: int
    frame_length: int
    plaintext_length: int

    def frames(self) -> Iterator[FramePlace]:
        """Yield the frames in order; an empty final frame is among them if the range reaches the end."""
        final = self.plaintext_length // self.frame_length + 1
        offset = self.file_offset
        for sequence in range(self.first, self.last + 1):
            begin = (sequence - 1) * self.frame_length
            content = min(self.frame_length, self.plaintext_length - begin)
            overhead = message.FINAL_OVERHEAD if sequence == final else message.FRAME_OVERHEAD
            skip = max(self.start - begin, 0)
            stop = max(min(self.end - begin, content), skip)
            yield FramePlace(sequence, sequence == final, offset, content + overhead, skip, stop)
            offset += content + overhead


def frame_span(header_length: int, frame_length: int, plaintext_length: int, start: int, end: int) -> FrameSpan:
    """Return the frames that hold plaintext bytes `start` to `end` (exclusive), with their places in the file.

    A range that reaches the end of the plaintext includes the final frame, even an empty one, so that reading a
    whole object also proves that it is complete. Raises ValueError unless 0 <= start <= end <= plaintext_length.
    """
    if not 0 <= start <= end <= plaintext_length:
        raise ValueError("the range does not lie within the plaintext")
    final = plaintext_length // frame_length + 1
    first = start // frame_length + 1
    last = final if end == plaintext_length else max((end - 1) // frame_length + 1, first)
    size = frame_length + message.FRAME_OVERHEAD
    offset = header_length + (first - 1) * size
    if last == final:
        file_end = stored_length(header_length, frame_length, plaintext_length)
    else:
        file_end = header_length + last * size
    skip = start - (first - 1) * frame_length
    return FrameSpan(first, last, offset, file_end - offset, skip, start, end, frame_length, plaintext_length)
