"""The audit log's files: segments named by the number of their first record, and the public key of the checkpoints."""

import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fuin import crash
from fuin.errors import FormatError
from fuin.formats import record

PUBLIC_KEY = "public.key"

_U32 = struct.Struct(">I")
_SMALLEST = 24  # bytes of a record without ids and draft


@dataclass(frozen=True, slots=True)
class LogSegment:
    """One file of the log and the number of its first record."""

    path: Path
    first: int


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """One record in a segment: its place, its bytes and the chain hash after them."""

    start: int
    end: int
    data: bytes
    hash: bytes


class SegmentSource(Protocol):
    """A log to read: a folder (`FolderLog`), or the copies of a node's log (`copies.py`)."""

    def segments(self) -> list[LogSegment]:
        """Return the segments, oldest first."""

    def read(self, segment: LogSegment) -> bytes | mmap.mmap:
        """Return a segment's bytes as they are now."""


@dataclass(frozen=True, slots=True)
class FolderLog:
    """The log in a folder."""

    folder: Path

    def segments(self) -> list[LogSegment]:
        """Return the segments, oldest first."""
        return segments(self.folder)

    def read(self, segment: LogSegment) -> bytes | mmap.mmap:
        """Return a segment's bytes as they are now."""
        return read(segment.path)


def source_of(log: Path | SegmentSource) -> SegmentSource:
    """Return a log to read; a path is that of a folder."""
    return FolderLog(log) if isinstance(log, Path) else log


def segment_path(folder: Path, first: int) -> Path:
    """Return the path of the segment that starts with record number `first`."""
    return folder / f"{first:016d}.log"


def segments(folder: Path) -> list[LogSegment]:
    """Return the log's segments, oldest first."""
    named = [path for path in folder.glob("*.log") if len(path.stem) == 16 and path.stem.isascii()]
    found = [path for path in named if path.stem.isdigit()]
    return [LogSegment(path, int(path.stem)) for path in sorted(found)]


def read(path: Path) -> bytes | mmap.mmap:
    """Return a segment's bytes as they are now; a growing file is seen up to its length at this moment."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b""


def read_whole(path: Path) -> bytes:
    """Return a segment's bytes, all of them in memory.

    Raises OSError if the disk fails; reading a mapped file would end the process then (SIGBUS).
    """
    return path.read_bytes()


def entries(data: bytes | mmap.mmap, start: int = record.SEGMENT_HEADER_LENGTH) -> Iterator[SegmentEntry]:
    """Yield the entries from an entry's start on, by their lengths alone, up to the first that is not whole.

    Only the lengths are checked; `verify` and recovery check chain and signatures.
    """
    size = len(data)
    while start + 4 <= size:
        length = _U32.unpack_from(data, start)[0]
        end = start + record.ENTRY_OVERHEAD + length
        if not _SMALLEST <= length <= record.LIMIT or end > size:
            return
        yield SegmentEntry(start, end, data[start + 4 : end - 32], data[end - 32 : end])
        start = end


def entry_start(data: bytes | mmap.mmap, offset: int, start: int = record.SEGMENT_HEADER_LENGTH) -> int | None:
    """Return where the entry that covers `offset` starts, or None in a header or a torn tail.

    `start` is the start of any entry before it.
    """
    size = len(data)
    while start + 4 <= size and start <= offset:
        end = start + record.ENTRY_OVERHEAD + int(_U32.unpack_from(data, start)[0])
        if end > size:
            return None
        if offset < end:
            return start
        start = end
    return None


def write_durably(path: Path, *parts: bytes) -> None:
    """Make a file of parts that appears whole or not at all, even after a crash; raises OSError."""
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            for part in parts:
                write_all(descriptor, part)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        crash.point("audit.before_rename")
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the data; raises OSError if the disk takes only a part, which a single write would not report."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_public_key(folder: Path) -> bytes:
    """Return the Ed25519 public key that signs this log; raises FormatError when its file is missing or malformed."""
    try:
        raw = bytes.fromhex((folder / PUBLIC_KEY).read_text("ascii"))
    except (OSError, ValueError):
        raise FormatError(f"{folder / PUBLIC_KEY} is missing or not a public key") from None
    if len(raw) != 32:
        raise FormatError(f"{folder / PUBLIC_KEY} is not a public key")
    return raw
