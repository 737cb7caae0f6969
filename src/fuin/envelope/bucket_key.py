"""A data key that is encrypted under a bucket key, and its entry in the header of a message.

Layout: 32 random bytes, then AES-256-GCM of the data key with its tag. The cipher's key is derived from the bucket key
by the KDF in counter mode of NIST SP 800-108r1 with HMAC-SHA-256, from a label and the random bytes. It is used once,
so its nonce is zero, and the bucket key itself is the key of no cipher. The additional data is the encryption context
of the object, so the result opens for its own object only. Page: docs/formats/bucket-key.md.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from fuin.errors import TamperedError
from fuin.formats import context
from fuin.formats.message import EncryptedDataKey

if TYPE_CHECKING:
    from fuin.formats.context import Context

PROVIDER = "fuin-bucket-key"  # of the data key in the message's header
_SALT_LENGTH = 32
_NONCE = bytes(12)
_LABEL = b"fuin bucket key 1"
_U16 = struct.Struct(">H")


def wrap(bucket_key: bytes, data_key: bytes, pairs: Context) -> bytes:
    """Return a data key encrypted under a bucket key, bound to the encryption context of its object."""
    salt = os.urandom(_SALT_LENGTH)
    return salt + _cipher(bucket_key, salt).encrypt(_NONCE, data_key, context.encode(pairs))


def unwrap(bucket_key: bytes, wrapped: bytes, pairs: Context) -> bytes:
    """Return the data key; raises TamperedError for another bucket key or context, or if a byte has changed."""
    salt, sealed = wrapped[:_SALT_LENGTH], wrapped[_SALT_LENGTH:]
    try:
        return _cipher(bucket_key, salt).decrypt(_NONCE, sealed, context.encode(pairs))
    except InvalidTag:
        raise TamperedError("the data key does not open under this bucket key") from None


def header_entry(key_arn: str, blob: bytes, wrapped: bytes) -> EncryptedDataKey:
    """Return the header's entry: the bucket key's ciphertext blob after its length, then the encrypted data key."""
    return EncryptedDataKey(PROVIDER, key_arn.encode(), _U16.pack(len(blob)) + blob + wrapped)


def _cipher(bucket_key: bytes, salt: bytes) -> AESGCM:
    derived = KBKDFHMAC(SHA256(), Mode.CounterMode, 32, 4, 4, CounterLocation.BeforeFixed, _LABEL, salt, None)
    return AESGCM(derived.derive(bucket_key))
