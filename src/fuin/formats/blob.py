"""The ciphertext blob: what KMS's Encrypt and GenerateDataKey return, and Decrypt takes back.

Page: docs/formats/ciphertext-blob.md. The blob names its own KMS key and key material, so Decrypt needs no key id;
it commits to the key that opens it, and 130 bytes of frame leave a 32-byte data key at 162 bytes (AWS: 184).
"""

import struct
from dataclasses import dataclass
from functools import lru_cache

from fuin import ids
from fuin.errors import FormatError

VERSION = 1
PLAINTEXT_LIMIT = 4096  # bytes; AWS: Encrypt takes 1 to 4,096

_KEY_ID_END = 1 + 17  # version, key id
_NAME_END = _KEY_ID_END + 32  # and key material id
_SALT_AND_COMMITMENT = struct.Struct(">32s32s")
_TAG = 16
HEADER_LENGTH = _NAME_END + _SALT_AND_COMMITMENT.size
LIMIT = HEADER_LENGTH + PLAINTEXT_LIMIT + _TAG


@dataclass(frozen=True, slots=True)
class Blob:
    """The parts of a ciphertext blob: whose key, the salt of its message key, the commitment, and what is sealed."""

    key_id: str
    material_id: bytes
    salt: bytes
    commitment: bytes
    ciphertext: bytes
    tag: bytes


def name(key_id: str, material_id: bytes) -> bytes:
    """Return the first 50 bytes of every blob of this key material; raises FormatError on ids of another form."""
    try:
        raw = ids.key_id_bytes(key_id)
    except ValueError:
        raise FormatError("not a key id") from None
    if len(material_id) != 32:
        raise FormatError("a key material id has 32 bytes")
    return bytes((VERSION,)) + raw + material_id


def encode(blob: Blob) -> bytes:
    """Return the bytes of a blob; raises FormatError when a part has another length than the format's."""
    if len(blob.salt) != 32 or len(blob.commitment) != 32 or len(blob.tag) != _TAG:
        raise FormatError("a part of the blob has a wrong length")
    _check_length(len(blob.ciphertext))
    return name(blob.key_id, blob.material_id) + blob.salt + blob.commitment + blob.ciphertext + blob.tag


def parse(data: bytes) -> Blob:
    """Return the parts of a blob; raises FormatError on bytes that are no blob of a known version."""
    key_id, material_id = whose(data)
    salt, commitment = _SALT_AND_COMMITMENT.unpack_from(data, _NAME_END)
    return Blob(key_id, material_id, salt, commitment, data[HEADER_LENGTH:-_TAG], data[-_TAG:])


def whose(data: bytes) -> tuple[str, bytes]:
    """Return only the ids of the key and the key material that a blob names; raises FormatError as `parse` does."""
    _check_length(len(data) - HEADER_LENGTH - _TAG)
    if data[0] != VERSION:
        raise FormatError("a ciphertext blob of an unknown version")
    return _key_id(data[1:_KEY_ID_END]), data[_KEY_ID_END:_NAME_END]


@lru_cache(maxsize=4096)
def _key_id(raw: bytes) -> str:
    try:
        return ids.key_id_text(raw)
    except ValueError:
        raise FormatError("the blob names no key") from None


def _check_length(length: int) -> None:
    if not 1 <= length <= PLAINTEXT_LIMIT:
        raise FormatError("a ciphertext blob holds 1 to 4,096 bytes")
