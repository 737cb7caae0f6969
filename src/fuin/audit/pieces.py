"""Few large copies for many small ones: pieces of a segment become a larger piece, and in the end the whole segment.

A copy is evidence against the log's own disk. So before a piece is removed it is read, and must be the same as the
log; and what replaces it is read back as well.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fuin.audit import copies as names
from fuin.audit.copier import CopyConflict
from fuin.audit.copies import CHUNK, AlreadyThere, CopyMissing, Piece
from fuin.audit.segments import read, segment_path

if TYPE_CHECKING:
    import mmap
    from collections.abc import Sequence
    from pathlib import Path

    from fuin.audit.copies import Copies

MANY = 64  # pieces of about one size that become one


class PieceMerger:
    """Merges the pieces of one node's copies; each method may be repeated after it has raised StoreUnavailable."""

    def __init__(self, folder: Path, copies: Copies, node: str) -> None:
        self._folder = folder
        self._copies = copies
        self._node = node
        self._pieces: dict[int, list[tuple[Piece, int]]] = {}  # with the number of times that it was merged

    def add(self, first: int, piece: Piece) -> None:
        """Take note of a new piece of a segment."""
        self._pieces.setdefault(first, []).append((piece, 0))

    def merge(self, first: int) -> None:
        """Merge the newest pieces of a segment while there are many of one size; raises CopyConflict."""
        pieces = self._pieces.get(first, [])
        while len(pieces) >= MANY and len({level for _, level in pieces[-MANY:]}) == 1:
            old = [piece for piece, _ in pieces[-MANY:]]
            merged = Piece(old[0].start, old[-1].end)
            self._replace(first, old, names.piece_name(self._node, first, merged), merged)
            pieces[-MANY:] = [(merged, pieces[-1][1] + 1)]

    def finish(self, first: int, length: int) -> None:
        """Replace all pieces of a segment by the whole; raises CopyConflict."""
        old = names.copies_of(self._copies, self._node).pieces.get(first, [])
        self._replace(first, old, names.finished_name(self._node, first), Piece(0, length))
        self._pieces.pop(first, None)

    def _replace(self, first: int, old: Sequence[Piece], name: str, new: Piece) -> None:
        data = read(segment_path(self._folder, first))
        for piece in old:
            with contextlib.suppress(CopyMissing):  # an attempt that was interrupted has removed it
                self._check(names.piece_name(self._node, first, piece), piece, data)
        with memoryview(data) as whole, whole[new.start : new.end] as content, contextlib.suppress(AlreadyThere):
            self._copies.put(name, content)  # if it is there already, the check says whether it is the same
        self._check(name, new, data)
        replaced = [names.piece_name(self._node, first, piece) for piece in old]
        self._copies.remove(piece for piece in replaced if piece != name)

    def _check(self, name: str, piece: Piece, data: bytes | mmap.mmap) -> None:
        """Raise CopyConflict unless a copy is the same as the log, CopyMissing if there is no such copy."""
        for start in range(piece.start, piece.end, CHUNK):
            end = min(start + CHUNK, piece.end)
            if self._copies.read(name, start - piece.start, end - start) != data[start:end]:
                raise CopyConflict(f"{self._copies.place}/{name} is not the same as the log")
