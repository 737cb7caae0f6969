"""The way of stored frames back to plaintext: which frames a range needs, batch by batch, each verified before use.

A blob must be the one that the index names: its header must bear the row's message id and the object's encryption
context, its size must be the row's, and every frame must be in its place (`envelope/stream.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from fuin.blobs.interface import ReadInto
from fuin.blobs.memory import open_messages
from fuin.blobs.waiting import wait_until_done
from fuin.envelope import layers
from fuin.envelope.stream import Opener, frame_span, stored_length
from fuin.errors import TamperedError
from fuin.s3.payload import messages
from fuin.s3.payload.intake import BATCH

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import AsyncIterator, Iterator, Mapping

    from fuin.blobs.interface import Blob, BlobStore, ReadSteps
    from fuin.envelope.stream import FramePlace
    from fuin.store.s3.parts import Part

# Blobs opened as soon as the index was read, so that an object replaced meanwhile stays readable to its end.
# One of more parts is opened as it goes, since a process can only have so many open.
_OPEN_AT_ONCE = 256


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


async def open_blobs(store: BlobStore, wanted: list[Segment]) -> list[Blob]:
    """Return open blobs for the segments, but for those beyond the first 256.

    Raises BlobMissing when the object was replaced since the index was read, and StoreUnavailable.
    """
    return await open_messages(store, [segment.part for segment in wanted[:_OPEN_AT_ONCE]])


def close_blobs(blobs: list[Blob]) -> None:
    """Close blobs that nobody will read."""
    for blob in blobs:
        blob.close()


class PartReader:
    """Reads one segment, batch by batch; its blob is opened when its turn comes, unless it is open already."""

    def __init__(self, segment: Segment, data_key: bytes, context: Mapping[str, str], blob: Blob | None) -> None:
        self.segment = segment
        self.blob = blob
        self.left = segment.end - segment.start  # bytes of plaintext that have not been read
        *outer, self._data_key = layers.split(data_key)
        self._outer = messages.OuterLayer(outer[0], context, segment.part.message_id) if outer else None
        self._context = context
        self._opener: Opener | None = None
        self._batches: Iterator[list[FramePlace]] = iter(())
        self._buffer = bytearray()

    def close(self) -> None:
        """Close the blob."""
        if self.blob is not None:
            self.blob.close()

    def start(self, blob: Blob) -> Future[list[memoryview] | None]:
        """Begin to read the next batch from the segment's blob."""
        self.blob = blob
        return blob.read(self.read(blob.size))

    def read(self, size: int) -> ReadSteps[list[memoryview] | None]:
        """Return the steps that read the next batch from a blob of `size` bytes."""
        if size != self.segment.part.stored_size:
            raise TamperedError("a blob does not have the size that was stored")
        if self._outer is None:
            return (yield from self._next_batch(size))
        return (yield from self._outer.read(size, self._next_batch))

    def _next_batch(self, size: int) -> ReadSteps[list[memoryview] | None]:
        """Return about 1 MiB of plaintext; raises TamperedError before anything that does not hold is given out."""
        if self._opener is None:
            self._opener = yield from self._opener_of(size)
        places = next(self._batches)
        length = sum(place.length for place in places)
        if len(self._buffer) < length:
            self._buffer = bytearray(length)
        stored = memoryview(self._buffer)[:length]
        if (yield ReadInto(stored, places[0].offset)) < length:
            raise TamperedError("a blob ends early")
        batch = []
        for place in places:
            at = place.offset - places[0].offset
            opened = self._opener.open_frame(place.sequence, place.final, stored[at : at + place.length])
            batch.append(opened[place.skip : place.stop])
            self.left -= place.stop - place.skip
        return batch

    def _opener_of(self, size: int) -> ReadSteps[Opener]:
        part = self.segment.part
        message_id = part.message_id if self._outer is None else None
        opener = yield from messages.open_message(size, self._data_key, self._context, message_id)
        header = opener.header
        if stored_length(header.length, header.frame_length, part.size) != size:
            raise TamperedError("a blob does not have the size of its message")
        span = frame_span(header.length, header.frame_length, part.size, self.segment.start, self.segment.end)
        self._batches = _group_frames(span.frames())
        return opener


def part_readers(
    wanted: list[Segment], blobs: list[Blob], data_key: bytes, context: Mapping[str, str]
) -> deque[PartReader]:
    """Return the readers of the segments; `blobs` are those of the first segments, open."""
    return deque(
        PartReader(segment, data_key, context, blob) for segment, blob in zip_longest(wanted, blobs, fillvalue=None)
        if segment is not None
    )  # fmt: skip


def _group_frames(places: Iterator[FramePlace]) -> Iterator[list[FramePlace]]:
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


class Download:
    """Batches of plaintext for the event loop, one read ahead; `close` it when done, finished or not."""

    def __init__(self, store: BlobStore, parts: deque[PartReader], length: int) -> None:
        self._store = store
        self._parts = parts
        self._left = length
        self._ahead = self._start()

    def _start(self) -> Future[list[memoryview] | None]:
        """Begin to read the next batch."""
        part = self._parts[0]
        if part.blob is None:
            return asyncio.ensure_future(self._open_and_read(part))
        return part.start(part.blob)

    async def _open_and_read(self, part: PartReader) -> list[memoryview] | None:
        (blob,) = await self._store.open([part.segment.part.blob])
        return await part.start(blob)

    async def next_batch(self) -> list[memoryview] | None:
        """Return the next batch, or None after the last; what a batch refers to stays unchanged while it is kept."""
        batch = await wait_until_done(self._ahead)
        if batch is not None:
            self._left -= sum(len(piece) for piece in batch)
            if self._left > 0:
                if self._parts[0].left == 0:
                    self._parts.popleft().close()
                self._ahead = self._start()
            else:
                self._ahead = asyncio.get_running_loop().create_future()
                self._ahead.set_result(None)
        return batch

    async def first(self) -> list[memoryview]:
        """Return the first batch; on any error everything is closed."""
        try:
            return await self.next_batch() or []
        except BaseException:
            await self.close()
            raise

    async def rest(self) -> AsyncIterator[list[memoryview]]:
        """Yield the batches that are left."""
        while (batch := await self.next_batch()) is not None:
            yield batch

    async def close(self) -> None:
        """Close the blobs, once nothing reads them any longer."""
        with contextlib.suppress(Exception):
            await wait_until_done(self._ahead)
        for part in self._parts:
            part.close()
