"""The files of the stored ciphertext: written whole or not at all, under random names.

A blob's id is its message id in hexadecimal: 64 digits that no client chooses. The file is written as ID.part in its
final folder, made durable (fsync), renamed to ID, and the folders are made durable; only then may the index name it.

Whoever writes a blob holds a lock on its file, from before the first byte until the index names it: what the sweep
cannot lock is in use. The kernel ends the lock with its process, whatever ends that, so nothing depends on clocks.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from typing import TYPE_CHECKING

from fuin.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from typing_extensions import Buffer

_ID = re.compile(r"[0-9a-f]{64}")
UNFINISHED = ".part"
_PAUSES = (0.001, 0.01, 0.1, 1.0)  # seconds between looks at a lock that a sweep has for a moment
_TRIES = 5  # to make a file that a sweep does not take away before it is locked


def place(root: Path, blob: str) -> Path:
    """Return the path of a blob: two levels of folders, 4,096 in all; raises ValueError unless it is an id."""
    if not _ID.fullmatch(blob):
        raise ValueError("not a blob id")
    return root / blob[0] / blob[1:3] / blob


class NewBlob:
    """A blob being written; `commit` makes it durable, `discard` removes what there is. For one thread at a time.

    It is in use until `release`, or this process's end: no sweep touches it. Every method raises StoreUnavailable when
    the file system fails, such as on a full disk.
    """

    def __init__(self, root: Path, blob: str) -> None:
        self.blob = blob
        self.size = 0
        self._root = root
        self._final = place(root, blob)
        self._temporary = self._final.with_name(blob + UNFINISHED)
        self._file = -1

    def write(self, pieces: Iterable[Buffer]) -> None:
        """Append the pieces, in order."""
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
                _lock(file)
            except OSError:
                os.close(file)
                raise
            if is_at(file, self._temporary):
                self._file = file
                return
            os.close(file)  # a sweep has seen it before it was locked, and moved it away
        raise OSError(errno.EAGAIN, "a new file is moved away again and again")

    def commit(self) -> None:
        """Make the file durable under its final name."""
        try:
            os.fsync(self._file)
            self._temporary.rename(self._final)
            # All three, even when the upper ones were there: another process may have made them a moment ago and not
            # have them durable yet. On an unchanged folder this costs microseconds.
            for folder in (self._final.parent, self._final.parent.parent, self._root):
                sync_folder(folder)
        except OSError as error:
            raise StoreUnavailable("a blob could not be made durable") from error

    def discard(self) -> None:
        """Remove the file, finished or not; never raises, since the sweep takes what is left."""
        for path in (self._temporary, self._final):
            try:
                path.unlink(missing_ok=True)
            except OSError:
                continue
        self.release()

    def release(self) -> None:
        """Let go of the file: from now on it is an orphan unless the index names it. May be repeated."""
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)


def _lock(file: int) -> None:
    """Lock a file that this process has made; raises OSError when somebody does not let go of it."""
    if try_lock(file):
        return
    for pause in _PAUSES:
        time.sleep(pause)
        if try_lock(file):
            return
    raise OSError(errno.EAGAIN, "a new file is locked by somebody else")


def try_lock(file: int) -> bool:
    """Lock an open file unless somebody else holds it; tells whether it did. Closing the file unlocks it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(file: int, path: Path) -> bool:
    """Tell whether an open file still stands under a path."""
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(file)
    return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_file(root: Path, blob: str) -> int:
    """Return a file descriptor for reading a blob; it stays readable when the blob is removed meanwhile.

    Raises FileNotFoundError, or StoreUnavailable for any other failure.
    """
    try:
        return os.open(place(root, blob), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreUnavailable("a blob could not be opened") from error


def read_into(file: int, buffer: memoryview, offset: int) -> int:
    """Fill the buffer from the file's bytes at `offset`; returns how many there were. Raises StoreUnavailable."""
    filled = 0
    try:
        while filled < len(buffer):
            count = os.preadv(file, [buffer[filled:]], offset + filled)
            if count == 0:
                break
            filled += count
    except OSError as error:
        raise StoreUnavailable("a blob could not be read") from error
    return filled


def remove(root: Path, blobs: Iterable[str]) -> None:
    """Remove blobs that the index does not name any more; what fails here is left to the sweep."""
    for blob in blobs:
        try:
            place(root, blob).unlink(missing_ok=True)
        except OSError:
            continue


def stored(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files of the blobs, each with its blob id or, for unfinished ones, an empty string."""
    for upper in _folders(root, 1):
        for folder in _folders(upper, 2):
            for entry in _entries(folder):
                yield folder / entry.name, entry.name if _ID.fullmatch(entry.name) else ""


def blob_of(name: str) -> str:
    """Return the blob id that a file's name is, empty for an unfinished file; raises ValueError for any other name."""
    if not _ID.fullmatch(name.removesuffix(UNFINISHED)):
        raise ValueError("not a blob's file")
    return name if _ID.fullmatch(name) else ""


def _folders(folder: Path, digits: int) -> list[Path]:
    found = [entry for entry in _scanned(folder) if entry.is_dir(follow_symlinks=False)]
    return [folder / entry.name for entry in found if re.fullmatch(f"[0-9a-f]{{{digits}}}", entry.name)]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    found = [entry for entry in _scanned(folder) if entry.is_file(follow_symlinks=False)]
    return [entry for entry in found if _ID.fullmatch(entry.name.removesuffix(UNFINISHED))]


def _scanned(folder: Path) -> list[os.DirEntry[str]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        return list(entries)
    return []
