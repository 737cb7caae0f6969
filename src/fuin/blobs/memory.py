"""The stored messages of small objects, which live in the index's database and come with their rows.

They are opened and written as blobs are, but in memory, on the event loop: to change threads costs more than to encrypt
some kilobytes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, TypeVar

from fuin.blobs.interface import run_steps
from fuin.blobs.waiting import wait_until_done

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Iterable, Sequence

    from typing_extensions import Buffer

    from fuin.blobs.interface import Blob, BlobStore, ReadSteps

T = TypeVar("T")


def _finished_future(value: T) -> Future[T]:
    future: Future[T] = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future


class MemoryBlob:
    """A `Blob` whose bytes came with its row."""

    __slots__ = ("_content", "size")

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)
        self.size = len(content)

    def read(self, steps: ReadSteps[T]) -> Future[T]:
        """Do the steps at once."""
        try:
            return _finished_future(run_steps(steps, self.fill))
        except Exception as error:
            failed: Future[T] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed

    def close(self) -> None:
        """Do nothing: the row keeps the bytes."""

    def fill(self, view: memoryview, offset: int) -> int:
        """Fill a view with bytes from an offset on; return how many bytes there were."""
        piece = self._content[offset : offset + len(view)]
        view[: len(piece)] = piece
        return len(piece)


class NewMemoryBlob:
    """A `NewBlob` whose bytes are to be a value of its row; the commit of the row makes it durable."""

    def __init__(self, blob: str) -> None:
        self.blob = blob
        self.size = 0
        self._pieces: list[bytes] = []

    @property
    def content(self) -> bytes:
        """Return all bytes."""
        return b"".join(self._pieces)

    def append(self, pieces: Iterable[Buffer]) -> Future[None]:
        """Append the pieces at once; raises what their iterator raises."""
        for piece in pieces:
            self._pieces.append(bytes(piece))  # the sealer may use its buffer again
            self.size += len(self._pieces[-1])
        return _finished_future(None)

    def commit(self, pieces: Iterable[Buffer] = ()) -> Future[None]:
        """Append the last pieces."""
        return self.append(pieces)

    def discard(self) -> Future[None]:
        """Forget the bytes."""
        self._pieces.clear()
        return _finished_future(None)

    def release(self) -> None:
        """Do nothing: nobody else sees it."""


class StoredMessage(Protocol):
    """A row with a stored message: as a blob, or, if `content` is not None, in the row itself."""

    @property
    def blob(self) -> str:
        """Return the blob's id."""

    @property
    def content(self) -> bytes | None:
        """Return the message of a small object."""


async def open_messages(store: BlobStore, messages: Sequence[StoredMessage]) -> list[Blob]:
    """Return open blobs of the messages, all or none; raises BlobMissing and StoreUnavailable."""
    outside = [message.blob for message in messages if message.content is None]
    found: list[Blob] = await wait_until_done(store.open(outside)) if outside else []
    opened = iter(found)
    return [
        next(opened) if message.content is None else MemoryBlob(message.content) for message in messages
    ]  # fmt: skip
