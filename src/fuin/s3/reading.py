"""The way of stored frames back to plaintext: which frames a range needs, batch by batch, each verified before use.

A blob must be the one that the index names: its header must bear the row's message id and the object's encryption
context, its size must be the row's, and every frame must stand at its place (`envelope/stream.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.envelope.stream import Opener, frame_span, parse_header, stored_length
from fuin.errors import FormatError, TamperedError
from fuin.formats.message import HEADER_LIMIT
from fuin.s3 import blobs, orphans, pool
from fuin.s3.body import BATCH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from fuin.envelope.stream import FramePlace
    from fuin.store.s3.parts import Part

# Files opened as soon as the index was read, so that an object replaced meanwhile stays readable to its end.
# One of more parts is opened as it goes, since file descriptors are limited.
_OPEN_AT_ONCE = 256
_HEADER_GUESS = 4096  # nearly every header is smaller


@dataclass(frozen=True, slots=True)
class Segment:
    """Plaintext bytes `start` to `end` (exclusive) of one part."""

    part: Part
    start: int
    end: int


def segments(parts: tuple[Part, ...], start: int, end: int) -> list[Segment]:
    """Return which bytes of which parts make up bytes `start` to `end` (exclusive) of the object.

    An empty object still has one, empty, so that it is verified as well.
    """
    found: list[Segment] = []
    offset = 0
    for part in parts:
        first, last = max(start - offset, 0), min(end - offset, part.size)
        if first < last or (start == end == offset and part.size == 0):
            found.append(Segment(part, first, max(last, first)))
        offset += part.size
    return found


def open_files(root: Path, wanted: list[Segment]) -> list[int]:
    """Return open files for the segments, but for those beyond the first 256; `plaintext` closes them.

    Raises FileNotFoundError when the object was replaced since the index was read, and StoreUnavailable.
    """
    files: list[int] = []
    try:
        for segment in wanted[:_OPEN_AT_ONCE]:
            files.append(orphans.open_file(root, segment.part.blob))
    except BaseException:
        close_files(files)
        raise
    return files


def close_files(files: list[int]) -> None:
    """Close what is still open; closed ones are marked by -1."""
    for place, file in enumerate(files):
        if file >= 0:
            files[place] = -1
            os.close(file)


def plaintext(
    root: Path, wanted: list[Segment], files: list[int], data_key: bytes, context: Mapping[str, str]
) -> Iterator[list[memoryview]]:
    """Yield the plaintext of the segments in batches of about 1 MiB; it blocks, so run it in the pool.

    `files` come from `open_files`. Raises TamperedError before anything of a frame that does not hold is given out,
    and StoreUnavailable.
    """
    try:
        for number, segment in enumerate(wanted):
            if number >= len(files):
                files.append(orphans.open_file(root, segment.part.blob))
            file = files[number]
            yield from _opened(file, _opener(file, segment.part, data_key, context), segment)
            files[number] = -1
            os.close(file)
    finally:
        close_files(files)


def _opener(file: int, part: Part, data_key: bytes, context: Mapping[str, str]) -> Opener:
    if os.fstat(file).st_size != part.stored_size:
        raise TamperedError("a blob does not have the size that was stored")
    try:
        header = parse_header(_head(file, part.stored_size, _HEADER_GUESS))
    except FormatError:
        try:
            header = parse_header(_head(file, part.stored_size, HEADER_LIMIT))
        except FormatError as error:
            raise TamperedError("a blob does not start with a message header") from error
    opener = Opener(header, data_key, expected_message_id=part.message_id, expected_context=context)
    if stored_length(header.length, header.frame_length, part.size) != part.stored_size:
        raise TamperedError("a blob does not have the size of its message")
    return opener


def _head(file: int, stored_size: int, limit: int) -> bytearray:
    head = bytearray(min(stored_size, limit))
    blobs.read_into(file, memoryview(head), 0)
    return head


def _opened(file: int, opener: Opener, segment: Segment) -> Iterator[list[memoryview]]:
    header, part = opener.header, segment.part
    span = frame_span(header.length, header.frame_length, part.size, segment.start, segment.end)
    buffer = bytearray()
    for places in _grouped(span.frames()):
        size = sum(place.length for place in places)
        if len(buffer) < size:
            buffer = bytearray(size)
        stored = memoryview(buffer)[:size]
        if blobs.read_into(file, stored, places[0].offset) < size:
            raise TamperedError("a blob ends early")
        batch = []
        for place in places:
            at = place.offset - places[0].offset
            opened = opener.open_frame(place.sequence, place.final, stored[at : at + place.length])
            batch.append(opened[place.skip : place.stop])
        yield batch


def _grouped(places: Iterator[FramePlace]) -> Iterator[list[FramePlace]]:
    """Yield the frames in groups of about 1 MiB; a final frame without content goes with the one before it.

    So an object's end is proven before its last byte is given out.
    """
    group: list[FramePlace] = []
    size = 0
    for place in places:
        if group and size + place.length > BATCH + BATCH // 16 and place.stop > place.skip:
            yield group
            group, size = [], 0
        group.append(place)
        size += place.length
    if group:
        yield group


class Reading:
    """Batches of plaintext for the event loop, one read ahead; `close` it when done, finished or not."""

    def __init__(self, batches: Iterator[list[memoryview]], length: int) -> None:
        self._batches = batches
        self._left = length
        self._ahead: asyncio.Future[list[memoryview] | None] = pool.start(next, batches, None)

    async def next(self) -> list[memoryview] | None:
        """Return the next batch, or None after the last; what a batch refers to stays unchanged while it is kept."""
        batch = await pool.settled(self._ahead)
        if batch is not None:
            self._left -= sum(len(piece) for piece in batch)
            if self._left > 0:
                self._ahead = pool.start(next, self._batches, None)
            else:
                self._ahead = asyncio.get_running_loop().create_future()
                self._ahead.set_result(None)
        return batch

    async def first(self) -> list[memoryview]:
        """Return the first batch; on any error everything is closed."""
        try:
            return await self.next() or []
        except BaseException:
            await self.close()
            raise

    async def rest(self) -> AsyncIterator[list[memoryview]]:
        """Yield the batches that are left."""
        while (batch := await self.next()) is not None:
            yield batch

    async def close(self) -> None:
        """Close the file, once no thread reads it any more."""
        with contextlib.suppress(Exception):
            await pool.settled(self._ahead)
        self._batches.close()  # type: ignore[attr-defined]
