"""A data key that is encrypted under a key of the client's, which comes with each request and is nowhere kept (SSE-C).

Layout: 32 random bytes, then AES-256-GCM of the data key with its tag. The cipher's key is HKDF-SHA-512 (RFC 5869) of
the client's key, salted with the random bytes. It is used once, so its nonce is zero however many objects a client
writes under one key. The additional data is the encryption context, so the result opens for its own object only.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fuin.errors import TamperedError
from fuin.formats import context

if TYPE_CHECKING:
    from fuin.formats.context import Context

LENGTH = 32  # bytes of the client's key
_SALT_LENGTH = 32
_NONCE = bytes(12)
_INFO = b"fuin customer key 1"


def wrap(key: bytes, data_key: bytes, pairs: Context) -> bytes:
    """Return a data key encrypted under a client's key of 32 bytes, bound to an encryption context."""
    salt = os.urandom(_SALT_LENGTH)
    return salt + _cipher(key, salt).encrypt(_NONCE, data_key, context.encode(pairs))


def unwrap(key: bytes, wrapped: bytes, pairs: Context) -> bytes:
    """Return the data key; raises TamperedError for another key or context, or if a byte has changed."""
    salt, sealed = wrapped[:_SALT_LENGTH], wrapped[_SALT_LENGTH:]
    try:
        return _cipher(key, salt).decrypt(_NONCE, sealed, context.encode(pairs))
    except InvalidTag:
        raise TamperedError("the data key does not open under this customer key") from None


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    if len(key) != LENGTH:
        raise ValueError(f"a customer key is {LENGTH} bytes long")
    return AESGCM(HKDF(SHA512(), 32, salt, _INFO).derive(key))
