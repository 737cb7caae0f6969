"""The store of blobs in a folder: `interface.BlobStore` by files."""

from __future__ import annotations

import asyncio
import os
from itertools import islice
from typing import TYPE_CHECKING

from fuin.blobs.files import blob as reading
from fuin.blobs.files import locks, marker, threads
from fuin.blobs.files.names import list_files
from fuin.blobs.files.new_blob import NewFile
from fuin.blobs.files.orphans import FileOrphans, list_groups, refuse_failures
from fuin.errors import StoreUnavailable

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from fuin.blobs.interface import Blob, Hold, Marker, NewBlob, Orphans, Removal, StoredBlob


class FileBlobs:
    """The blobs below one folder."""

    is_shared = False

    def __init__(self, root: Path) -> None:
        self._root = root
        self.orphans: Orphans = FileOrphans(root)

    @property
    def place(self) -> str:
        """Return the folder."""
        return str(self._root)

    @property
    def marker_place(self) -> str:
        """Return the mark's file."""
        return str(self._root / marker.NAME)

    def create(self, blob: str) -> NewBlob:
        """Return a new blob, whose file is made with its first byte."""
        return NewFile(self._root, blob)

    def open(self, blobs: Sequence[str]) -> Future[list[Blob]]:
        """Open the files of blobs, all or none."""
        return threads.start(reading.open_blobs, self._root, blobs)

    def remove(self, blobs: Iterable[str]) -> Future[None]:
        """Remove the files of blobs."""
        return threads.start(reading.remove, self._root, blobs)

    def list_removals(self) -> Future[list[Removal]]:
        """Return nothing: files go at once, and who has one open keeps its bytes."""
        nothing: Future[list[Removal]] = asyncio.get_running_loop().create_future()
        nothing.set_result([])
        return nothing

    def end_removal(self, removal: Removal, unnamed: Sequence[str]) -> Future[None]:
        """Raise ValueError: there is no removal."""
        raise ValueError(removal.name)

    async def list_batches(self, size: int) -> AsyncIterator[list[StoredBlob]]:
        """Yield the blobs of all files that are in their folders, in batches."""
        files = list_files(self._root)

        @refuse_failures()
        def next_batch() -> list[StoredBlob]:
            return list(islice(files, size))

        while batch := await threads.start(next_batch):
            yield batch

    def hold_unused(self, blobs: Sequence[StoredBlob]) -> Future[Hold]:
        """Lock the files that nobody writes."""
        return threads.start(locks.hold_unused, self._root, blobs)

    def holds_any(self) -> Future[bool]:
        """Return whether there is any blob's file, out of the way or not; it ends at the first one."""
        return threads.start(self._holds_any)

    def has_room(self, size: int) -> Future[bool]:
        """Return whether the file system has room for bytes and for files.

        Not in the blobs' own threads, which may all wait for a disk that hangs.
        """
        return asyncio.get_running_loop().run_in_executor(None, self._has_room, size)

    def read_marker(self) -> Future[Marker | None]:
        """Read the mark's file."""
        return threads.start(marker.read, self._root)

    def write_marker(self, mark: Marker) -> Future[None]:
        """Write the mark's file."""
        return threads.start(marker.write, self._root, mark)

    def _holds_any(self) -> bool:
        try:
            if next(list_files(self._root), None) is not None:
                return True
            return any(group.orphans for group in list_groups(self._root))
        except OSError as error:
            raise StoreUnavailable(f"{self._root} cannot be read: {os.strerror(error.errno or 0)}") from error

    def _has_room(self, size: int) -> bool:
        try:
            room = os.statvfs(self._root)
        except OSError as error:
            raise StoreUnavailable(f"{self._root} cannot be asked for its room") from error
        return room.f_bavail * room.f_frsize >= size and not (room.f_files and not room.f_favail)
