"""Reading a blob from S3: one request that goes on while the reader does, and is taken up again when it breaks."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any, TypeVar

from fuin.blobs.interface import BlobMissing, run_steps
from fuin.blobs.s3 import threads
from fuin.blobs.s3.client import BROKEN, NotFoundError, OutOfRangeError
from fuin.errors import StoreUnavailable

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Sequence

    from fuin.blobs.interface import Blob, ReadSteps
    from fuin.blobs.s3.client import Client

T = TypeVar("T")
KIB = 1024
MIB = 1024 * KIB

# The first bytes of a blob come with its length: all of a small one, and of one among many its header.
_HEAD = 64 * KIB
_HEAD_OF_MANY = 4 * KIB
_MANY = 16
# One request asks for at most so many bytes. It begins small, since nobody says how far a reader will go.
_FIRST = 1 * MIB + 64 * KIB
_LARGEST = 64 * MIB
_GROWTH = 8
_PATIENCE = 30.0  # seconds for what one step asks for, about 1 MiB
_TRIES = 4  # without a byte between them
_SLICE = 256 * KIB  # bytes between two looks at the clock
_SPAN = re.compile(r"bytes \d+-\d+/(\d+)")


class S3Blob:
    """A `Blob` in a bucket. Its bytes stay for an hour after it was removed (`removals.py`)."""

    def __init__(self, client: Client, blob: str, size: int, head: bytes) -> None:
        self.size = size
        self._client = client
        self._key = client.address.blob_key(blob)
        self._head = head
        self._body: Any = None  # of the request under way
        self._at = 0  # the blob's next byte from it
        self._end = 0  # the first byte that it does not give
        self._window = _FIRST

    def read(self, steps: ReadSteps[T]) -> Future[T]:
        """Begin to do the steps, and the work between them, in one thread."""
        return threads.start(run_steps, steps, self._fill)

    def close(self) -> None:
        """Close the connection, unless its answer was read to the end."""
        body, self._body = self._body, None
        if body is not None:
            body.close()

    def _fill(self, view: memoryview, offset: int) -> int:
        """Fill the view from the blob's bytes at `offset`, and return how many there were."""
        wanted = min(len(view), max(self.size - offset, 0))
        known = self._head[offset : offset + wanted]
        view[: len(known)] = known
        filled, failures, deadline = len(known), 0, time.monotonic() + _PATIENCE
        while filled < wanted:
            try:
                filled += self._receive(view[filled : min(wanted, filled + _SLICE)], offset + filled)
                failures = 0
            except BROKEN as error:
                self.close()
                failures += 1
                if failures == _TRIES:
                    raise StoreUnavailable("a blob could not be read from S3") from error
            if time.monotonic() > deadline:
                raise StoreUnavailable("S3 gives a blob too slowly")
        return filled

    def _receive(self, view: memoryview, offset: int) -> int:
        if self._body is None or self._at != offset:
            self.close()
            self._ask(offset, len(view))
        count: int = self._body.readinto(view[: self._end - offset])
        if count == 0:
            raise OSError("an answer of S3 ends early")
        self._at += count
        if self._at == self._end:
            self.close()
        return count

    def _ask(self, offset: int, least: int) -> None:
        """Ask for the bytes from `offset` on; who has read one request's bytes to the end gets a larger one."""
        if offset != self._end:
            self._window = _FIRST
        self._end = min(offset + max(self._window, least), self.size)
        self._window = min(self._window * _GROWTH, _LARGEST)
        try:
            answer = self._client.call("get_object", Key=self._key, Range=f"bytes={offset}-{self._end - 1}")
        except (NotFoundError, OutOfRangeError) as error:
            raise StoreUnavailable("a blob has gone while it was read") from error
        if answer["ContentLength"] != self._end - offset:
            answer["Body"].close()
            raise StoreUnavailable("a blob has another length than before")
        self._body, self._at = answer["Body"], offset


async def open_blobs(client: Client, blobs: Sequence[str]) -> list[Blob]:
    """Return open blobs, all or none; raises BlobMissing or StoreUnavailable."""
    head = _HEAD if len(blobs) <= _MANY else _HEAD_OF_MANY
    opened = await asyncio.gather(*(threads.start(_open, client, blob, head) for blob in blobs), return_exceptions=True)
    for error in opened:
        if isinstance(error, BaseException):
            raise error  # nothing is to be closed: each head was read to its end
    return [blob for blob in opened if isinstance(blob, S3Blob)]


def _open(client: Client, blob: str, head: int) -> S3Blob:
    try:
        content, answer = client.read(client.address.blob_key(blob), f"bytes=0-{head - 1}")
    except NotFoundError as error:
        if error.code == "NoSuchKey":
            raise BlobMissing("a blob is missing") from None
        raise StoreUnavailable(f"{client.address.place} cannot be read: {error.code}") from error
    except OutOfRangeError:
        return S3Blob(client, blob, 0, b"")
    span = _SPAN.fullmatch(answer.get("ContentRange", ""))
    size = len(content) if span is None else int(span[1])
    if len(content) != min(size, head):
        raise StoreUnavailable("an answer of S3 has a wrong length")
    return S3Blob(client, blob, size, content)
