"""The blocks of an open disk, past the page cache: the cache of the device does not see what a file system writes."""

from __future__ import annotations

import mmap
import os
import threading
from typing import TYPE_CHECKING

from fuin.host.wire.clients import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class BlockReader:
    """Reads blocks of a device with O_DIRECT, from several threads."""

    def __init__(self, device: Path) -> None:
        self._file = os.open(device, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
        self._local = threading.local()
        self.count = -(-os.lseek(self._file, 0, os.SEEK_END) // BLOCK)

    def __enter__(self) -> BlockReader:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._file)

    def read(self, index: int) -> bytes:
        """Return a block; the last one is filled up with zeros."""
        if not hasattr(self._local, "buffer"):
            self._local.buffer = mmap.mmap(-1, BLOCK)  # at a page's beginning, as O_DIRECT asks for it
        buffer: mmap.mmap = self._local.buffer
        length = os.preadv(self._file, [buffer], index * BLOCK)
        return buffer[:length].ljust(BLOCK, b"\0")


def written_blocks(disk: Path, offset: int, count: int) -> Iterator[int]:
    """Yield the indexes of blocks that were ever written, where the disk is a file with holes; else all.

    What was never written is no plaintext: decrypted, a hole is noise. It counts as zeros.
    """
    if not disk.is_file():
        yield from range(count)
        return
    file = os.open(disk, os.O_RDONLY | os.O_CLOEXEC)
    try:
        following = 0
        while following < count:
            start = os.lseek(file, offset + following * BLOCK, os.SEEK_DATA)
            end = os.lseek(file, start, os.SEEK_HOLE)
            first = max(following, (start - offset) // BLOCK)
            following = min(count, -(-(end - offset) // BLOCK))
            yield from range(first, following)
    except OSError:  # no data after this place
        return
    finally:
        os.close(file)
