"""The index of a completed snapshot: one encrypted blob that says where each of its blocks is.

    start  8 bytes FUINSNAP, 1 byte version, 3 zeros, 4 bytes the length of the head
    head   encrypted: the number of blocks, the checksum of all of them, the packs, and the first block of each leaf
    leaf   encrypted: up to 4,096 entries of 44 bytes, in the order of the blocks; all leaves but the last are full

An entry has the block's index, the number of its pack in the head, its position there, and the SHA-256 of its
plaintext. A page of a listing needs the head and few leaves. Head and leaves are bound to the snapshot and to the blob.
"""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fuin.blobs.interface import ReadInto
from fuin.envelope import snapshot_key
from fuin.envelope.snapshot_key import SnapshotKey
from fuin.errors import TamperedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fuin.blobs.interface import ReadSteps

LEAF = 4096  # entries
_START = struct.Struct(">8sB3xI")
_MAGIC, _VERSION = b"FUINSNAP", 1
_COUNTS = struct.Struct(">QII32s")  # blocks, packs, leaves, and the checksum
_PACK = struct.Struct(">32s22s")  # the blob, and the snapshot that wrote it
_FIRST = struct.Struct(">I")
_ENTRY = struct.Struct(">III32s")
_SEALED_LEAF = snapshot_key.OVERHEAD + LEAF * _ENTRY.size
_HEAD_AT_MOST = 1 << 30  # bytes


class Pack(NamedTuple):
    """A pack: its blob, and the snapshot under whose key its blocks are."""

    blob: str
    owner: str


class Entry(NamedTuple):
    """A block of a snapshot: where it is, and the SHA-256 of its plaintext."""

    block: int
    pack: Pack
    position: int
    checksum: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an index; `size` is that of the encrypted head, `firsts` the first block of each leaf."""

    blocks: int
    checksum: bytes
    packs: Sequence[Pack]
    firsts: Sequence[int]
    size: int

    def leaf_of(self, index: int) -> int:
        """Return the number of the leaf that has a block, or the next block after it if it was never written."""
        return max(0, bisect_right(self.firsts, index) - 1)


@dataclass(frozen=True, slots=True)
class Place:
    """An index: the cipher of its snapshot, the snapshot's id and the blob."""

    key: SnapshotKey
    snapshot: str
    blob: str

    def binding(self, *parts: bytes) -> bytes:
        """Return the bytes to which a part of the index is bound."""
        every = (self.snapshot.encode(), bytes.fromhex(self.blob), *parts)
        return b"".join(map(snapshot_key.prefix_length, every))


class NewIndex:
    """An index in the making: its entries come in order."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.blocks = 0
        self.uses: dict[Pack, int] = {}  # blocks of each pack
        self._numbers: dict[Pack, int] = {}
        self._firsts: list[int] = []
        self._leaves: list[bytes] = []
        self._digest = hashlib.sha256()
        leaf: list[bytes] = []
        for entry in entries:
            if not leaf:
                self._firsts.append(entry.block)
            leaf.append(self._encode(entry))
            if len(leaf) == LEAF:
                self._leaves.append(b"".join(leaf))
                leaf.clear()
        if leaf:
            self._leaves.append(b"".join(leaf))

    def _encode(self, entry: Entry) -> bytes:
        self.blocks += 1
        self.uses[entry.pack] = self.uses.get(entry.pack, 0) + 1
        number = self._numbers.setdefault(entry.pack, len(self._numbers))
        self._digest.update(entry.checksum)
        return _ENTRY.pack(entry.block, number, entry.position, entry.checksum)

    def pieces(self, place: Place) -> Iterator[bytes]:
        """Yield the bytes of the index, encrypted."""
        counts = _COUNTS.pack(self.blocks, len(self._numbers), len(self._leaves), self._digest.digest())
        packs = b"".join(_PACK.pack(bytes.fromhex(pack.blob), pack.owner.encode()) for pack in self._numbers)
        firsts = b"".join(map(_FIRST.pack, self._firsts))
        sealed = place.key.seal(counts + packs + firsts, place.binding(b"head"))
        yield _START.pack(_MAGIC, _VERSION, len(sealed))
        yield sealed
        for number, leaf in enumerate(self._leaves):
            yield place.key.seal(leaf, place.binding(b"leaf", _FIRST.pack(number)))


def read_head(place: Place) -> ReadSteps[Head]:
    """Return the head of an index; raises TamperedError."""
    start = bytearray(_START.size)
    count = yield ReadInto(memoryview(start), 0)
    magic, version, size = _START.unpack(start)
    if count != _START.size or (magic, version) != (_MAGIC, _VERSION) or size > _HEAD_AT_MOST:
        raise TamperedError("the index of a snapshot is damaged")
    sealed = memoryview(bytearray(size))
    if (yield ReadInto(sealed, _START.size)) != size:
        raise TamperedError("the index of a snapshot is too short")
    plain = place.key.unseal(sealed, place.binding(b"head"), "the index of a snapshot")
    blocks, packs, leaves, checksum = _COUNTS.unpack_from(plain)
    middle = _COUNTS.size + packs * _PACK.size
    owners = [
        Pack(blob.hex(), owner.rstrip(b"\0").decode())
        for blob, owner in _PACK.iter_unpack(plain[_COUNTS.size : middle])
    ]
    firsts = [first for (first,) in _FIRST.iter_unpack(plain[middle : middle + leaves * _FIRST.size])]
    return Head(blocks, checksum, owners, firsts, size)


def read_leaf(place: Place, head: Head, number: int) -> ReadSteps[list[Entry]]:
    """Return the entries of a leaf; raises TamperedError."""
    last = number == len(head.firsts) - 1
    count = head.blocks - number * LEAF if last else LEAF
    sealed = memoryview(bytearray(snapshot_key.OVERHEAD + count * _ENTRY.size))
    if (yield ReadInto(sealed, _START.size + head.size + number * _SEALED_LEAF)) != len(sealed):
        raise TamperedError("the index of a snapshot is too short")
    plain = place.key.unseal(sealed, place.binding(b"leaf", _FIRST.pack(number)), "the index of a snapshot")
    packs = head.packs
    return [
        Entry(index, packs[pack], position, checksum) for index, pack, position, checksum in _ENTRY.iter_unpack(plain)
    ]


def read_all(place: Place) -> ReadSteps[list[Entry]]:
    """Return all entries of an index; raises TamperedError."""
    head = yield from read_head(place)
    entries: list[Entry] = []
    for number in range(len(head.firsts)):
        entries += yield from read_leaf(place, head, number)
    return entries


def read_from(place: Place, start: int, limit: int) -> ReadSteps[list[Entry]]:
    """Return up to `limit` entries from a block on; raises TamperedError."""
    head = yield from read_head(place)
    entries: list[Entry] = []
    number = head.leaf_of(start)
    while number < len(head.firsts) and len(entries) < limit:
        leaf = yield from read_leaf(place, head, number)
        entries += [entry for entry in leaf if entry.block >= start]
        number += 1
    return entries[:limit]


def merge(parent: Iterable[Entry], written: Iterable[Entry]) -> Iterator[Entry]:
    """Yield the blocks of a snapshot: those of its parent, and those that were written, which come first.

    A block that was written with the content that the parent has is the parent's.
    """
    rest = iter(parent)
    old = next(rest, None)
    for new in written:
        while old is not None and old.block < new.block:
            yield old
            old = next(rest, None)
        if old is not None and old.block == new.block:
            yield old if old.checksum == new.checksum else new
            old = next(rest, None)
        else:
            yield new
    while old is not None:
        yield old
        old = next(rest, None)


def changes(first: Iterable[Entry], second: Iterable[Entry]) -> Iterator[tuple[Entry | None, Entry | None]]:
    """Yield the blocks that differ between two snapshots, in order: in the first and in the second, None if absent."""
    left, right = iter(first), iter(second)
    old, new = next(left, None), next(right, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old.block < new.block):
            yield old, None
            old = next(left, None)
        elif old is None or new.block < old.block:
            yield None, new
            new = next(right, None)
        else:
            if old[1:3] != new[1:3]:
                yield old, new
            old, new = next(left, None), next(right, None)
