"""Reading a blob's file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from fuin.blobs.files import orphans, threads
from fuin.blobs.files.names import blob_path
from fuin.blobs.interface import BlobMissing, run_steps
from fuin.errors import StoreUnavailable

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from fuin.blobs.interface import Blob, ReadSteps

T = TypeVar("T")


class FileBlob:
    """A `Blob` in an open file: the kernel keeps its bytes until it is closed, whatever becomes of its name."""

    __slots__ = ("_file", "size")

    def __init__(self, file: int) -> None:
        self._file = file
        self.size = os.fstat(file).st_size

    def read(self, steps: ReadSteps[T]) -> Future[T]:
        """Begin to do the steps, and the work between them, in one thread."""
        return threads.start(run_steps, steps, self._fill)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)

    def _fill(self, view: memoryview, offset: int) -> int:
        """Fill the view from the file's bytes at `offset`, and return how many there were."""
        filled = 0
        try:
            while filled < len(view):
                count = os.preadv(self._file, [view[filled:]], offset + filled)
                if count == 0:
                    break
                filled += count
        except OSError as error:
            raise StoreUnavailable("a blob could not be read") from error
        return filled


def open_blobs(root: Path, blobs: Sequence[str]) -> list[Blob]:
    """Return open blobs, all or none; raises BlobMissing or StoreUnavailable."""
    opened: list[Blob] = []
    try:
        for blob in blobs:
            opened.append(_open(root, blob))
    except BaseException:
        for each in opened:
            each.close()
        raise
    return opened


def _open(root: Path, blob: str) -> FileBlob:
    """Return an open blob, put back first if a sweep has moved it."""
    try:
        return open_file(root, blob)
    except BlobMissing:
        orphans.put_back(root, blob)
    # Also when it was not out of the way: another reader, or the sweep, may have put it back a moment ago.
    return open_file(root, blob)


def open_file(root: Path, blob: str) -> FileBlob:
    """Return the open file of a blob that is in its place; raises BlobMissing or StoreUnavailable."""
    try:
        return FileBlob(os.open(blob_path(root, blob), os.O_RDONLY | os.O_CLOEXEC))
    except FileNotFoundError:
        raise BlobMissing("a blob is missing") from None
    except OSError as error:
        raise StoreUnavailable("a blob could not be opened") from error


def remove(root: Path, blobs: Iterable[str]) -> None:
    """Remove the files of blobs; what fails here is left to the sweep."""
    for blob in blobs:
        try:
            blob_path(root, blob).unlink(missing_ok=True)
        except OSError:
            continue
