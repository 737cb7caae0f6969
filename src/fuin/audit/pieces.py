"""Few large copies for many small ones: pieces of a segment become a larger piece, and in the end the whole segment.

A copy is evidence against the log's own disk. So a piece is only removed if the log is still the same as when it was
copied: by its digest from that moment, or, after a restart, by the piece itself. What replaces it is read back.
"""

from __future__ import annotations

import contextlib
import hashlib
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
        self._digests: dict[tuple[int, Piece], bytes] = {}

    def add(self, first: int, piece: Piece, digest: bytes = b"") -> None:
        """Take note of a new piece of a segment, and of its SHA-256 if it was copied just now."""
        self._pieces.setdefault(first, []).append((piece, 0))
        if digest:
            self._digests[first, piece] = digest

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
        for key in [key for key in self._digests if key[0] == first]:
            del self._digests[key]

    def _replace(self, first: int, old: Sequence[Piece], name: str, new: Piece) -> None:
        data = read(segment_path(self._folder, first))
        for piece in old:
            name_of_piece = names.piece_name(self._node, first, piece)
            digest = self._digests.get((first, piece))
            if digest is None:
                with contextlib.suppress(CopyMissing):  # an attempt that was interrupted has removed it
                    self._check(name_of_piece, piece, data)
            elif hashlib.sha256(data[piece.start : piece.end]).digest() != digest:
                raise self._conflict(name_of_piece)
        with memoryview(data) as whole, whole[new.start : new.end] as content, contextlib.suppress(AlreadyThere):
            self._copies.put(name, content)  # if it is there already, the check says whether it is the same
        self._check(name, new, data)
        replaced = [names.piece_name(self._node, first, piece) for piece in old]
        self._copies.remove(piece for piece in replaced if piece != name)
        for piece in old:
            self._digests.pop((first, piece), None)
        self._digests[first, new] = hashlib.sha256(data[new.start : new.end]).digest()

    def _check(self, name: str, piece: Piece, data: bytes | mmap.mmap) -> None:
        """Raise CopyConflict unless a copy is the same as the log, CopyMissing if there is no such copy."""
        for start in range(piece.start, piece.end, CHUNK):
            end = min(start + CHUNK, piece.end)
            if self._copies.read(name, start - piece.start, end - start) != data[start:end]:
                raise self._conflict(name)

    def _conflict(self, name: str) -> CopyConflict:
        return CopyConflict(f"{self._copies.place}/{name} is not the same as the log")
