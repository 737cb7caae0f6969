"""Copying a node's log to a second place while it grows: record after record, checked against its chain.

The copier reads the log's files up to the last record that the keyholder calls durable, and follows the chain with each
record. So a copy never holds what the keyholder has not signed. Where the place already has more, or other bytes, than
the log, an older log has come back, or two servers have one name: the copies are evidence, nothing is written, and
`CopyConflict` says so.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from fuin.audit import copies as names
from fuin.audit.chain import ChainPosition, advance
from fuin.audit.copies import CHUNK, AlreadyThere, Piece
from fuin.audit.segments import entries, read, segment_path, segments
from fuin.errors import FormatError, FuinError, TamperedError
from fuin.formats import record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fuin.audit.copies import Copies

HEADER = record.SEGMENT_HEADER_LENGTH
_COMPARED = 64 * 1024  # bytes at the end of the copies; their chain hash covers all before them


class CopyConflict(FuinError):
    """The place holds another log than this one; nothing was changed there."""


class LogCopier:
    """Copies one log to one place; `end` is the last record that has a copy."""

    def __init__(
        self, folder: Path, copies: Copies, node: str, added: Callable[[int, Piece, bytes], None] = lambda *_: None,
        finished: Callable[[int, int], None] = lambda *_: None,
    ) -> None:  # fmt: skip
        """Call `added` with each piece and its SHA-256, and `finished` with a segment that is over and its length.

        The digest is empty for a piece of an earlier copier.
        """
        self._folder = folder
        self._copies = copies
        self._node = node
        self._added = added
        self._finished = finished
        self._first = 0  # of the segment that is being copied
        self._offset = 0  # in it
        self.end = ChainPosition(0, record.ZERO)

    def resume(self, public_key: bytes) -> None:
        """Find where the copies end, and that they are copies of this log; raises CopyConflict or StoreUnavailable."""
        try:
            names.keep_key(self._copies, self._node, public_key)
        except FormatError as error:
            raise CopyConflict(str(error)) from None
        there = names.copies_of(self._copies, self._node)
        own = segments(self._folder)
        if not there.firsts:
            self._begin(own[0].first, own[0].first - 1)
            return
        for first in there.pieces:
            if first != there.firsts[-1] or first in there.finished:
                path = segment_path(self._folder, first)
                if path.exists():
                    self._finished(first, path.stat().st_size)
            else:
                for piece in sorted(there.pieces[first]):
                    self._added(first, piece, b"")
        last, length = there.firsts[-1], there.length(there.firsts[-1])
        self._begin(last, last - 1)
        self._go_to(length)
        self._compare_end(there, last, length)

    def copy(self, end: ChainPosition) -> None:
        """Copy all records up to `end`, the end of the durable log; raises CopyConflict or StoreUnavailable."""
        while self.end.sequence < end.sequence:
            if not self._copy_piece(end):
                self._next_segment()
        if self.end.sequence > end.sequence:
            raise self._conflict(self.end.sequence)
        if self.end != end:
            raise CopyConflict(f"record {end.sequence} is not in the log as the keyholder wrote it")

    def _begin(self, first: int, before: int) -> None:
        try:
            with segment_path(self._folder, first).open("rb") as file:
                header = record.parse_segment_header(file.read(HEADER))
        except FileNotFoundError:
            raise self._conflict(first) from None
        except FormatError:
            raise CopyConflict(f"{segment_path(self._folder, first).name} is no audit segment") from None
        self._first, self._offset = first, 0
        self.end = ChainPosition(before, header[1])

    def _conflict(self, sequence: int) -> CopyConflict:
        return CopyConflict(
            f"{self._copies.place}/{self._node} holds record {sequence}, which is not in this log: an older log was "
            "put back, or another server has this node's name. Put back the newest log, or give this node a new name"
        )

    def _go_to(self, length: int) -> None:
        """Follow the chain through the open segment's first `length` bytes, which are copied."""
        data = read(segment_path(self._folder, self._first))
        at = HEADER
        for entry in entries(data):
            if entry.end > length:
                break
            self.end, at = self._advance(entry.data, entry.hash), entry.end
        if length and at != length:
            raise self._conflict(self.end.sequence + 1)
        self._offset = length

    def _advance(self, data: bytes, chain_hash: bytes) -> ChainPosition:
        try:
            return advance(self.end, data, chain_hash)
        except TamperedError as error:
            raise CopyConflict(f"the log is damaged: {error}") from None

    def _compare_end(self, there: names.NodeCopies, first: int, length: int) -> None:
        if not length:
            return
        if first in there.finished:
            name, piece = names.finished_name(self._node, first), Piece(0, length)
        else:
            piece = there.cover(first)[-1]
            name = names.piece_name(self._node, first, piece)
        start = max(piece.start, length - _COMPARED)
        copied = self._copies.read(name, start - piece.start, length - start)
        if copied != bytes(read(segment_path(self._folder, first))[start:length]):
            raise self._conflict(self.end.sequence)

    def _copy_piece(self, end: ChainPosition) -> bool:
        """Copy the next records of the open segment, at most CHUNK bytes; returns whether there were any."""
        with segment_path(self._folder, self._first).open("rb") as file:
            data = os.pread(file.fileno(), CHUNK, self._offset)
        position, at = self.end, 0
        for entry in entries(data, HEADER if self._offset == 0 else 0):
            if self.end.sequence == end.sequence:
                break
            self.end, at = self._advance(entry.data, entry.hash), entry.end
        if not at:
            return False
        piece = Piece(self._offset, self._offset + at)
        try:
            self._put(piece, memoryview(data)[:at])
        except BaseException:
            self.end = position
            raise
        self._offset = piece.end
        self._added(self._first, piece, hashlib.sha256(memoryview(data)[:at]).digest())
        return True

    def _put(self, piece: Piece, content: memoryview) -> None:
        name = names.piece_name(self._node, self._first, piece)
        try:
            self._copies.put(name, content)
        except AlreadyThere:  # by an attempt whose answer was lost, or by another server
            if self._copies.read(name) != content:
                raise self._conflict(self.end.sequence) from None

    def _next_segment(self) -> None:
        first = self.end.sequence + 1
        if not segment_path(self._folder, first).exists():
            raise CopyConflict(f"the log has no record {first}, which the keyholder wrote")
        ended, length, position = self._first, self._offset, self.end
        self._begin(first, self.end.sequence)
        if self.end != position:
            raise CopyConflict(f"the segment of record {first} does not follow from the one before it")
        self._finished(ended, length)
