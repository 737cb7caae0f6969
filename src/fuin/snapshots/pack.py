"""A pack: blocks of one snapshot that were written together, each encrypted and bound to its place.

    head   8 bytes FUINPACK, 1 byte version, 1 byte length of the snapshot's id, 22 bytes the id, padded with zeros
    slot   8 bytes the block's index, 12 bytes nonce, 524,288 bytes ciphertext, 16 bytes tag; one after the other

The tag covers the snapshot, the pack, the index and the length: a block that is moved does not open.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from fuin.blobs.interface import ReadInto
from fuin.envelope import snapshot_key
from fuin.envelope.snapshot_key import SnapshotKey
from fuin.errors import TamperedError

if TYPE_CHECKING:
    from fuin.blobs.interface import ReadSteps

BLOCK = 512 * 1024  # bytes
_MAGIC, _VERSION = b"FUINPACK", 1
_HEAD = struct.Struct(">8sBB22s")
_INDEX = struct.Struct(">Q")
SLOT = _INDEX.size + BLOCK + snapshot_key.OVERHEAD


def head(snapshot: str) -> bytes:
    """Return the first bytes of a pack."""
    return _HEAD.pack(_MAGIC, _VERSION, len(snapshot), snapshot.encode())


def _binding(snapshot: str, pack: str, index: int) -> bytes:
    parts = (snapshot.encode(), bytes.fromhex(pack), _INDEX.pack(index), struct.pack(">I", BLOCK))
    return b"".join(map(snapshot_key.prefix_length, parts))


def seal_block(key: SnapshotKey, snapshot: str, pack: str, index: int, block: bytes) -> tuple[bytes, ...]:
    """Return the pieces of a slot: the index, and the encrypted block."""
    if len(block) != BLOCK:
        raise ValueError("a block has 524,288 bytes")
    return _INDEX.pack(index), *key.seal_in_pieces(block, _binding(snapshot, pack, index))


def read_block(key: SnapshotKey, snapshot: str, pack: str, position: int, index: int) -> ReadSteps[bytes]:
    """Return a block of a pack, read and opened where the blob is; raises TamperedError."""
    slot = bytearray(SLOT)
    view = memoryview(slot)
    count = yield ReadInto(view, _HEAD.size + position * SLOT)
    if count != SLOT:
        raise TamperedError("a pack is too short")
    if _INDEX.unpack_from(slot)[0] != index:
        raise TamperedError("a pack has another block in this place")
    return key.unseal(view[_INDEX.size :], _binding(snapshot, pack, index), "a block")
