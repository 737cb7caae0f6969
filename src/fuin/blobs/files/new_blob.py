"""Writing a blob's file: whole or not at all.

The file is written as ID.part in its final folder, made durable (fsync), renamed to ID, and the folders are made
durable. It is locked all the time (`locks.py`).
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from fuin.audit.segments import sync_folder
from fuin.blobs.files import locks, threads
from fuin.blobs.files.names import UNFINISHED, blob_path
from fuin.errors import StoreUnavailable

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Iterable
    from pathlib import Path

    from typing_extensions import Buffer

_TRIES = 5  # to make a file that a sweep does not take away before it is locked


class NewFile:
    """A `NewBlob` in a file."""

    def __init__(self, root: Path, blob: str) -> None:
        self.blob = blob
        self.size = 0
        self._root = root
        self._final = blob_path(root, blob)
        self._temporary = self._final.with_name(blob + UNFINISHED)
        self._file = -1

    def append(self, pieces: Iterable[Buffer]) -> Future[None]:
        """Append the pieces, in order."""
        return threads.start(self._write, pieces)

    def commit(self, pieces: Iterable[Buffer] = ()) -> Future[None]:
        """Append the last pieces, and make the file durable under its final name."""
        return threads.start(self._commit, pieces)

    def discard(self) -> Future[None]:
        """Remove the file, finished or not."""
        return threads.start(self._discard)

    def release(self) -> None:
        """Close the file, which unlocks it."""
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)

    def _write(self, pieces: Iterable[Buffer]) -> None:
        try:
            if self._file < 0:
                self._open()
            for piece in pieces:
                view = memoryview(piece)
                self.size += len(view)
                while view:
                    view = view[os.write(self._file, view) :]
        except OSError as error:
            raise StoreUnavailable("a blob could not be written") from error

    def _open(self) -> None:
        self._final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(_TRIES):
            file = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                locks.lock_new_file(file)
            except OSError:
                os.close(file)
                raise
            if locks.is_at(file, self._temporary):
                self._file = file
                return
            os.close(file)  # a sweep has seen it before it was locked, and moved it away
        raise OSError(errno.EAGAIN, "a new file is moved away again and again")

    def _commit(self, pieces: Iterable[Buffer]) -> None:
        self._write(pieces)
        try:
            os.fsync(self._file)
            self._temporary.rename(self._final)
            # All three, even when the upper ones were there: another process may have made them a moment ago and not
            # have them durable yet. On an unchanged folder this costs microseconds.
            for folder in (self._final.parent, self._final.parent.parent, self._root):
                sync_folder(folder)
        except OSError as error:
            raise StoreUnavailable("a blob could not be made durable") from error

    def _discard(self) -> None:
        for path in (self._temporary, self._final):
            try:
                path.unlink(missing_ok=True)
            except OSError:
                continue
        self.release()
