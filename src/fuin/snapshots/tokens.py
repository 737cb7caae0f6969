"""Block tokens and page tokens: what a listing gives out, and what takes it back.

A token is encrypted under a key of its snapshot, so no worker keeps a secret for it: a caller must be allowed to open
the snapshot's data key anyway. It is bound to the snapshot, the block, the caller's account and its
end. A block token says where the block is, so that reading a block needs no index.
"""

from __future__ import annotations

import base64
import binascii
import struct

from fuin.envelope import snapshot_key
from fuin.envelope.snapshot_key import SnapshotKey
from fuin.errors import TamperedError
from fuin.snapshots.index import Entry, Pack

LIFETIME = 7 * 24 * 3600.0  # seconds, AWS's
_BLOCK = struct.Struct(">d32s22sI32s")  # the end, the pack, its owner, the position, the checksum
_PAGE = struct.Struct(">dQ")  # the end, and the block with which the next page begins


class InvalidTokenError(TamperedError):
    """A token that was not given out for this, or whose time is over."""


def _binding(*parts: str) -> bytes:
    return b"".join(snapshot_key.prefix_length(part.encode()) for part in parts)


def block_token(key: SnapshotKey, snapshot: str, account: str, entry: Entry, ends: float) -> str:
    """Return the token of a block for the callers of an account."""
    blob, owner = entry.pack
    plain = _BLOCK.pack(ends, bytes.fromhex(blob), owner.encode(), entry.position, entry.checksum)
    return base64.b64encode(key.seal(plain, _binding("block", snapshot, account, str(entry.block)))).decode()


def open_block_token(key: SnapshotKey, snapshot: str, account: str, index: int, token: str, now: float) -> Entry:
    """Return the block that a token is for; raises InvalidTokenError."""
    plain = _open(key, token, _binding("block", snapshot, account, str(index)), _BLOCK.size)
    ends, blob, owner, position, checksum = _BLOCK.unpack(plain)
    if now > ends:
        raise InvalidTokenError("the token has expired")
    return Entry(index, Pack(blob.hex(), owner.rstrip(b"\0").decode()), position, checksum)


def page_token(key: SnapshotKey, listing: str, account: str, start: int, ends: float) -> str:
    """Return the token of the next page of a listing, which begins with a block."""
    return base64.b64encode(key.seal(_PAGE.pack(ends, start), _binding("page", listing, account))).decode()


def open_page_token(key: SnapshotKey, listing: str, account: str, token: str, now: float) -> int:
    """Return the block with which a page begins; raises InvalidTokenError."""
    ends, start = _PAGE.unpack(_open(key, token, _binding("page", listing, account), _PAGE.size))
    if now > ends:
        raise InvalidTokenError("the token has expired")
    return int(start)


def _open(key: SnapshotKey, token: str, binding: bytes, size: int) -> bytes:
    try:
        sealed = base64.b64decode(token, validate=True)
        plain = key.unseal(sealed, binding, "a token")
    except (binascii.Error, ValueError, TamperedError):
        raise InvalidTokenError("the token is not valid") from None
    if len(plain) != size:
        raise InvalidTokenError("the token is not valid")
    return plain
