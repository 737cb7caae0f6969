"""The copies of the nodes' logs in a second place: their names there, and how to read them as a log.

NODE/0000000000000001.log                      a finished segment
NODE/0000000000000001.part/0000000064-…4711    a piece of an open segment: its bytes from the first number to the second
.keys/NODE                                     the public key that signs this node's log, in hex

A piece is never changed. Many small ones are replaced by a larger one, and all of a segment by the whole; the old ones
are removed when the new one has been read back and is the same (`pieces.py`).
"""

from __future__ import annotations

import contextlib
import mmap
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fuin.audit.segments import LogSegment, segment_path
from fuin.errors import FormatError, FuinError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHUNK = 4 * 1024 * 1024  # bytes that are read or written at once
_KEYS = ".keys/"
_SEGMENT = re.compile(r"(\d{16})\.log", re.ASCII)
_PIECE = re.compile(r"(\d{16})\.part/(\d{10})-(\d{10})", re.ASCII)


class AlreadyThere(FuinError):
    """The place has something of this name."""


class CopyMissing(FuinError):
    """The place has nothing of this name."""


class Copies(Protocol):
    """A place for named bytes, far from the log's disk; every method waits, and raises StoreUnavailable."""

    @property
    def place(self) -> str:
        """Return where it is, for people."""

    def put(self, name: str, content: memoryview) -> None:
        """Store bytes under a new name, durably; raises AlreadyThere."""

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Return bytes, or so many of them from `start` on; raises CopyMissing."""

    def names(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield the names that begin with a folder's name, without that name, and their lengths."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove names; those that are not there do not matter."""


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """The bytes of an open segment from `start` to before `end`."""

    start: int
    end: int


@dataclass(slots=True)
class NodeCopies:
    """The names that the place has of one node: finished segments with their lengths, and pieces of segments."""

    finished: dict[int, int] = field(default_factory=dict)
    pieces: dict[int, list[Piece]] = field(default_factory=dict)

    @property
    def firsts(self) -> list[int]:
        """Return the first record's number of each segment, in order."""
        return sorted({*self.finished, *self.pieces})

    def cover(self, first: int) -> list[Piece]:
        """Return pieces of a segment that follow one another from its beginning on, as far as there are any."""
        chosen: list[Piece] = []
        end = 0
        for piece in sorted(self.pieces.get(first, ()), key=lambda one: (one.start, -one.end)):
            if piece.start <= end < piece.end:
                chosen.append(piece)
                end = piece.end
        return chosen

    def length(self, first: int) -> int:
        """Return how many bytes of a segment are copied, from its beginning on."""
        if first in self.finished:
            return self.finished[first]
        cover = self.cover(first)
        return cover[-1].end if cover else 0


def finished_name(node: str, first: int) -> str:
    """Return the name of a finished segment."""
    return f"{node}/{first:016d}.log"


def piece_name(node: str, first: int, piece: Piece) -> str:
    """Return the name of a piece."""
    return f"{node}/{first:016d}.part/{piece.start:010d}-{piece.end:010d}"


def copies_of(copies: Copies, node: str) -> NodeCopies:
    """Return the names that the place has of one node."""
    there = NodeCopies()
    for name, length in copies.names(f"{node}/"):
        if found := _SEGMENT.fullmatch(name):
            there.finished[int(found[1])] = length
        elif found := _PIECE.fullmatch(name):
            there.pieces.setdefault(int(found[1]), []).append(Piece(int(found[2]), int(found[3])))
    return there


def nodes(copies: Copies) -> list[str]:
    """Return the names of the nodes whose logs are copied to the place."""
    return sorted(name for name, _ in copies.names(_KEYS))


def read_key(copies: Copies, node: str) -> bytes:
    """Return the public key of a node's log; raises CopyMissing or FormatError."""
    text = copies.read(_KEYS + node)
    with contextlib.suppress(ValueError):
        if len(key := bytes.fromhex(text.decode("ascii", "replace"))) == 32:
            return key
    raise FormatError(f"the copy of the public key of {node} is not a public key")


def keep_key(copies: Copies, node: str, key: bytes) -> None:
    """Store the public key of a node's log; raises FormatError when there is another one."""
    try:
        copies.put(_KEYS + node, memoryview(key.hex().encode() + b"\n"))
    except AlreadyThere:
        if read_key(copies, node) != key:
            raise FormatError(f"the copies of {node} belong to another root key") from None


class CopiedLog:
    """A node's log as the copies have it: a source of segments (`segments.py`), one at a time on this disk."""

    def __init__(self, copies: Copies, node: str, folder: Path) -> None:
        """Use `folder`, an empty one, for the segment that is read."""
        self.place = f"{copies.place}/{node}"
        self._copies = copies
        self._node = node
        self._folder = folder

    def segments(self) -> list[LogSegment]:
        """Return the segments, oldest first."""
        return [LogSegment(segment_path(self._folder, first), first) for first in self._list().firsts]

    def read(self, segment: LogSegment) -> bytes | mmap.mmap:
        """Return a segment's bytes; raises StoreUnavailable, or FormatError when the place has no longer any."""
        for _ in range(3):  # pieces become a whole while they are read
            there = self._list()
            with contextlib.suppress(CopyMissing):
                return self._fetch(there, segment)
        raise FormatError(f"{segment.path.name} of {self._node} cannot be read from its copies")

    def _list(self) -> NodeCopies:
        return copies_of(self._copies, self._node)

    def _fetch(self, there: NodeCopies, segment: LogSegment) -> bytes | mmap.mmap:
        first, end = segment.first, 0
        with segment.path.open("w+b") as file:
            segment.path.unlink()
            if first in there.finished:
                sources = [(finished_name(self._node, first), Piece(0, there.finished[first]))]
            else:
                sources = [(piece_name(self._node, first, piece), piece) for piece in there.cover(first)]
            for name, piece in sources:
                for start in range(end, piece.end, CHUNK):
                    length = min(CHUNK, piece.end - start)
                    file.write(self._copies.read(name, start - piece.start, length))
                end = piece.end
            file.flush()
            return mmap.mmap(file.fileno(), end, access=mmap.ACCESS_READ) if end else b""
