"""The page that a node's processes share: its keeper writes the lease there, and workers read it at each turn.

It is a small file in the run folder, mapped into memory. Each value is one word of eight bytes, which a processor reads
and writes whole. Epoch and end of the lease belong together, so a third word checks the two: a reader that sees one of
them from before a write and the other from after it reads again. It does so whatever order the processor gives to
reads. A keeper that dies between two words leaves a page without a lease.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from functools import cache
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime_ns
from typing import NamedTuple, Self

from fuin.errors import StoreUnavailable
from fuin.store.engine.leases.protocol import NOBODY, Lease

NO_LEASE = "this node has no lease on the database"
WORDS = 12
_MAGIC = 0x4655494E4C454153  # "FUINLEAS"
(_KIND, _EPOCH, _UNTIL, _CHECK, _ACKED, _WRITES_FROM, _TIMELINE, _LENGTH, _UPPER, _LOWER, _BOOT, _LIFE) = range(WORDS)
_SIZE = 8 * WORDS
_TRIES = 100
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_time() -> int:
    """Return CLOCK_BOOTTIME in nanoseconds."""
    return clock_gettime_ns(CLOCK_BOOTTIME)


class Former(NamedTuple):
    """What a keeper leaves to the next one of its node."""

    incarnation: bytes = b""
    timeline: int = 0
    writes_from: int = 0


class Page:
    """A mapped page; make it by `create` or `open`."""

    def __init__(self, descriptor: int, *, writable: bool) -> None:
        """Map an open file; raises OSError or ValueError."""
        found = os.fstat(descriptor)
        self._file = (found.st_dev, found.st_ino)
        protection = mmap.PROT_READ | mmap.PROT_WRITE if writable else mmap.PROT_READ
        self._map = mmap.mmap(descriptor, _SIZE, mmap.MAP_SHARED, protection)
        self._view = memoryview(self._map)
        self.words = self._view.cast("q")
        if writable and self.words[_KIND] != _MAGIC:
            self.words[:] = memoryview(bytes(_SIZE)).cast("q")

    @classmethod
    def create(cls, path: Path) -> Self:
        """Map a page for its one writer, and take back what it says of a lease; raises OSError."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, _SIZE)
            page = cls(descriptor, writable=True)
        finally:
            os.close(descriptor)
        page.words[_UNTIL] = 0
        page.words[_CHECK] = page.words[_EPOCH]
        page.words[_KIND] = _MAGIC
        return page

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map a page for reading; raises StoreUnavailable when no keeper has made it."""
        with contextlib.suppress(OSError, ValueError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                page = cls(descriptor, writable=False)
            finally:
                os.close(descriptor)
            if page.words[_KIND] == _MAGIC:
                return page
            page.close()
        raise StoreUnavailable(f"{NO_LEASE}: {path} has not been made")

    def former(self) -> Former:
        """Return what the last keeper has left since the machine's start; for the next one, before its first write."""
        words = self.words
        if words[_BOOT] != _boot():
            return Former()
        halves = (words[_UPPER], words[_LOWER])
        incarnation = b"".join(half.to_bytes(8, "big", signed=True) for half in halves) if any(halves) else b""
        return Former(incarnation, words[_TIMELINE], words[_WRITES_FROM])

    def show(self, lease: Lease) -> None:
        """Write a lease: the epoch first, so that no reader meets the end of a lease without its epoch."""
        words = self.words
        words[_EPOCH] = lease.epoch
        words[_UNTIL] = lease.until
        words[_CHECK] = lease.epoch ^ lease.until
        words[_WRITES_FROM] = lease.writes_from  # before the timeline that it is about
        words[_TIMELINE] = lease.timeline
        words[_ACKED] = lease.acked_by_all
        words[_LENGTH] = lease.length
        words[_UPPER] = int.from_bytes(lease.incarnation[:8], "big", signed=True)
        words[_LOWER] = int.from_bytes(lease.incarnation[8:], "big", signed=True)
        words[_BOOT] = _boot()

    def epoch(self) -> int:
        """Return the epoch in force; raises StoreUnavailable without a living lease. It costs about half a microsecond.

        The clock is read last: a process that was stopped in between finds that the lease has ended.
        """
        words = self.words
        until, epoch = words[_UNTIL], words[_EPOCH]
        if until ^ epoch != words[_CHECK]:
            until, epoch = self._read_again()
        if clock_gettime_ns(CLOCK_BOOTTIME) >= until:
            raise StoreUnavailable(NO_LEASE)
        return epoch

    def _read_again(self) -> tuple[int, int]:
        words = self.words
        for _ in range(_TRIES):
            until, epoch = words[_UNTIL], words[_EPOCH]
            if until ^ epoch == words[_CHECK]:
                return until, epoch
        return 0, NOBODY  # its writer was stopped between two words

    def is_file(self, path: Path) -> bool:
        """Return whether the page is the file that is at a path now."""
        try:
            found = path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._file

    @property
    def epoch_in_force(self) -> int:
        """Return the epoch in force, without a look at the lease; it only grows while a keeper lives."""
        return self.words[_EPOCH]

    @property
    def acked_by_all(self) -> int:
        """Return the epoch that every node has in force, or a later one."""
        return self.words[_ACKED]

    @property
    def length(self) -> int:
        """Return the length of a lease in nanoseconds."""
        return self.words[_LENGTH]

    @property
    def timeline(self) -> int:
        """Return the database's timeline of the last renewal."""
        return self.words[_TIMELINE]

    @property
    def writes_from(self) -> int:
        """Return the time before which nothing but renewals is written on that timeline."""
        return self.words[_WRITES_FROM]

    def may_write(self, timeline: int) -> bool:
        """Return whether anything but a renewal may be written now on a timeline; as `Lease.may_write`."""
        words = self.words
        return timeline == words[_TIMELINE] and boot_time() >= words[_WRITES_FROM]

    def close(self) -> None:
        """Unmap the page."""
        self.words.release()
        self._view.release()
        self._map.close()


@cache
def _boot() -> int:
    """Return a number for this start of the machine: the clock of an earlier one says nothing."""
    try:
        return int(_BOOT_ID.read_text("ascii").replace("-", "")[:15], 16)
    except (OSError, ValueError):
        return 0
