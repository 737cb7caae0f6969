"""The keys of one snapshot, derived from its data key, and what each of them encrypts.

A snapshot has the data key of its volume, of 64 bytes, and the snapshots of one lineage share it. So each snapshot has
keys of its own, by HKDF with the snapshot's id: a nonce that is drawn for one snapshot never meets a key of another.
`docs/formats/snapshot.md` has the formats.
"""

from __future__ import annotations

import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fuin.errors import TamperedError

BLOCKS, INDEX, ROWS, TOKENS = "blocks", "index", "rows", "tokens"  # what a key is for
_NONCE, _TAG = 12, 16  # bytes
OVERHEAD = _NONCE + _TAG
_KEY = 32  # bytes: AES-256


def prefix_length(part: bytes) -> bytes:
    """Return bytes with their length before them, so that two different lists of parts never look alike."""
    return struct.pack(">H", len(part)) + part


class SnapshotKey:
    """The key of a snapshot for one purpose: AES-256-GCM with a random nonce for each message."""

    __slots__ = ("_cipher",)

    def __init__(self, data_key: bytes, purpose: str, snapshot: str) -> None:
        info = b"fuin snapshot 1" + prefix_length(purpose.encode()) + prefix_length(snapshot.encode())
        self._cipher = AESGCM(HKDF(SHA256(), _KEY, None, info).derive(data_key))

    def seal(self, plaintext: bytes, binding: bytes) -> bytes:
        """Return nonce, ciphertext and tag; the binding must be the same when it is opened."""
        return b"".join(self.seal_in_pieces(plaintext, binding))

    def seal_in_pieces(self, plaintext: bytes, binding: bytes) -> tuple[bytes, bytes]:
        """Return the same in two pieces, which spares a copy of what is long."""
        nonce = os.urandom(_NONCE)
        return nonce, self._cipher.encrypt(nonce, plaintext, binding)

    def unseal(self, sealed: bytes | memoryview, binding: bytes, what: str) -> bytes:
        """Return the plaintext of sealed bytes; raises TamperedError, which names `what`."""
        try:
            return self._cipher.decrypt(bytes(sealed[:_NONCE]), sealed[_NONCE:], binding)
        except (InvalidTag, ValueError):
            raise TamperedError(f"{what} does not open") from None
