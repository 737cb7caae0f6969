"""Locks on blobs' files: the writer of a blob holds one, from before the first byte until the index names the blob.

What a sweep cannot lock is in use. The kernel ends the lock with its process, whatever ends that, so nothing depends on
clocks.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fuin.blobs.files.names import file_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fuin.blobs.interface import Hold, StoredBlob

_PAUSES = (0.001, 0.01, 0.1, 1.0)  # seconds between looks at a lock that a sweep has for a moment

log = logging.getLogger("fuin.blobs")


def try_lock(file: int) -> bool:
    """Lock an open file unless somebody else holds it; return whether it is locked. Closing the file unlocks it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_new_file(file: int) -> None:
    """Lock a file that this process has made; raises OSError when somebody else keeps it locked."""
    if try_lock(file):
        return
    for pause in _PAUSES:
        time.sleep(pause)
        if try_lock(file):
            return
    raise OSError(errno.EAGAIN, "a new file is locked by somebody else")


def is_at(file: int, path: Path) -> bool:
    """Return whether an open file is still the one under a path."""
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(file)
    return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev)


@dataclass(slots=True)
class FileHold:
    """Blobs with their locked files."""

    blobs: list[StoredBlob] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def release(self) -> None:
        """Close the files, which unlocks them."""
        while self.files:
            os.close(self.files.pop())


def hold_unused(root: Path, blobs: Sequence[StoredBlob]) -> Hold:
    """Return the blobs that nobody writes, with their files locked."""
    hold = FileHold()
    for stored in blobs:
        path, file = file_path(root, stored), -1
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            if try_lock(file) and is_at(file, path):
                hold.blobs.append(stored)
                hold.files.append(file)
                file = -1
        except FileNotFoundError:
            pass  # renamed or removed meanwhile
        except OSError as error:  # one that cannot be opened stays, and hinders neither the others nor their end
            log.warning("%s is not swept: %s", path, os.strerror(error.errno or 0))
        finally:
            if file >= 0:
                os.close(file)
    return hold
