"""Block tokens and page tokens: what a listing gives out, and what takes it back.

A token is encrypted under a key of its snapshot, so no worker keeps a secret for it: whoever is to use one must be
allowed to open the snapshot's data key anyway. It is bound to the snapshot, the block, the caller's account and its
end. A block token says where the block is, so that reading a block needs no index.
"""

from __future__ import annotations

import base64
import binascii
import struct
from typing import TYPE_CHECKING

from fuin.errors import TamperedError
from fuin.snapshots import sealing
from fuin.snapshots.index import Entry, Pack

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LIFETIME = 7 * 24 * 3600.0  # seconds, AWS's
_BLOCK = struct.Struct(">d32s22sI32s")  # the end, the pack, its owner, the position, the checksum
_PAGE = struct.Struct(">dQ")  # the end, and the block with which the next page begins


class InvalidTokenError(TamperedError):
    """A token that was not given out for this, or whose time is over."""


def _bound(*parts: str) -> bytes:
    return b"".join(sealing.prefix_length(part.encode()) for part in parts)


def block_token(cipher: AESGCM, snapshot: str, account: str, entry: Entry, ends: float) -> str:
    """Return the token of a block for the callers of an account."""
    blob, owner = entry.pack
    plain = _BLOCK.pack(ends, bytes.fromhex(blob), owner.encode(), entry.position, entry.checksum)
    return base64.b64encode(sealing.seal(cipher, plain, _bound("block", snapshot, account, str(entry.block)))).decode()


def open_block_token(cipher: AESGCM, snapshot: str, account: str, index: int, token: str, now: float) -> Entry:
    """Return the block that a token is for; raises InvalidTokenError."""
    plain = _open(cipher, token, _bound("block", snapshot, account, str(index)), _BLOCK.size)
    ends, blob, owner, position, checksum = _BLOCK.unpack(plain)
    if now > ends:
        raise InvalidTokenError("the token has expired")
    return Entry(index, Pack(blob.hex(), owner.rstrip(b"\0").decode()), position, checksum)


def page_token(cipher: AESGCM, listing: str, account: str, start: int, ends: float) -> str:
    """Return the token of the next page of a listing, which begins with a block."""
    return base64.b64encode(sealing.seal(cipher, _PAGE.pack(ends, start), _bound("page", listing, account))).decode()


def open_page_token(cipher: AESGCM, listing: str, account: str, token: str, now: float) -> int:
    """Return the block with which a page begins; raises InvalidTokenError."""
    ends, start = _PAGE.unpack(_open(cipher, token, _bound("page", listing, account), _PAGE.size))
    if now > ends:
        raise InvalidTokenError("the token has expired")
    return int(start)


def _open(cipher: AESGCM, token: str, bound: bytes, size: int) -> bytes:
    try:
        sealed = base64.b64decode(token, validate=True)
        plain = sealing.unseal(cipher, sealed, bound, "a token")
    except (binascii.Error, ValueError, TamperedError):
        raise InvalidTokenError("the token is not valid") from None
    if len(plain) != size:
        raise InvalidTokenError("the token is not valid")
    return plain
