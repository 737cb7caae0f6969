"""The ciphertext blob, which KMS's Encrypt and GenerateDataKey return, and Decrypt takes.

Page: docs/formats/ciphertext-blob.md. The blob names its own KMS key and key material, so Decrypt needs no key id;
it commits to the key that opens it, and 130 bytes of frame leave a 32-byte data key at 162 bytes (AWS: 184).

Version 2 is the blob of a key in an external key store: it names key and material in the same place, and holds a
version 1 blob that the external key manager has encrypted once more.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache

from fuin import ids
from fuin.errors import FormatError

VERSION = 1
EXTERNAL = 2  # the version of keys in external key stores
PLAINTEXT_LIMIT = 4096  # bytes; AWS: Encrypt takes 1 to 4,096

_KEY_ID_END = 1 + 17  # version, key id
_NAME_END = _KEY_ID_END + 32  # and key material id
_SALT_AND_COMMITMENT = struct.Struct(">32s32s")
_U16 = struct.Struct(">H")
_TAG = 16
HEADER_LENGTH = _NAME_END + _SALT_AND_COMMITMENT.size
LIMIT = HEADER_LENGTH + PLAINTEXT_LIMIT + _TAG
METADATA_LIMIT = 20  # bytes; AWS's proxy specification: ciphertextMetadata
IV_LENGTHS = (12, 16)  # bytes; the same: initializationVector
TAG_LENGTH = _TAG
EXTERNAL_LIMIT = _NAME_END + 1 + METADATA_LIMIT + 1 + max(IV_LENGTHS) + _TAG + 2 + LIMIT  # AWS's blobs: 6,144


@dataclass(frozen=True, slots=True)
class ParsedBlob:
    """The parts of a ciphertext blob: key ids, the salt of the message key, the commitment, and the ciphertext."""

    key_id: str
    material_id: bytes
    salt: bytes
    commitment: bytes
    ciphertext: bytes
    tag: bytes


@dataclass(frozen=True, slots=True)
class ExternalBlob:
    """The parts of a version 2 blob; `ciphertext` is a version 1 blob, encrypted by the external key manager."""

    key_id: str
    material_id: bytes
    metadata: bytes
    iv: bytes
    tag: bytes
    ciphertext: bytes


def name(key_id: str, material_id: bytes, version: int = VERSION) -> bytes:
    """Return the first 50 bytes of every blob of this key material; raises FormatError on ids of another form."""
    try:
        raw = ids.key_id_bytes(key_id)
    except ValueError:
        raise FormatError("not a key id") from None
    if len(material_id) != 32:
        raise FormatError("a key material id has 32 bytes")
    return bytes((version,)) + raw + material_id


def encode(blob: ParsedBlob) -> bytes:
    """Return the bytes of a blob; raises FormatError if a part has a wrong length."""
    if len(blob.salt) != 32 or len(blob.commitment) != 32 or len(blob.tag) != _TAG:
        raise FormatError("a part of the blob has a wrong length")
    _check_length(len(blob.ciphertext))
    return name(blob.key_id, blob.material_id) + blob.salt + blob.commitment + blob.ciphertext + blob.tag


def parse(data: bytes) -> ParsedBlob:
    """Return the parts of a blob; raises FormatError on any other bytes, or an unknown version."""
    key_id, material_id = _named_ids(data)
    salt, commitment = _SALT_AND_COMMITMENT.unpack_from(data, _NAME_END)
    return ParsedBlob(key_id, material_id, salt, commitment, data[HEADER_LENGTH:-_TAG], data[-_TAG:])


def parse_ids(data: bytes) -> tuple[str, bytes]:
    """Return only the ids of the key and the key material that a blob of either version names.

    Raises FormatError as `parse` and `parse_external` do.
    """
    if data[:1] == b"\x02":
        external = parse_external(data)
        return external.key_id, external.material_id
    return _named_ids(data)


def encode_external(blob: ExternalBlob) -> bytes:
    """Return the bytes of a version 2 blob; raises FormatError if a part has a wrong length."""
    _check_external(blob)
    return b"".join((
        name(blob.key_id, blob.material_id, EXTERNAL),
        bytes((len(blob.metadata),)), blob.metadata, bytes((len(blob.iv),)), blob.iv, blob.tag,
        _U16.pack(len(blob.ciphertext)), blob.ciphertext,
    ))  # fmt: skip


def parse_external(data: bytes) -> ExternalBlob:
    """Return the parts of a version 2 blob; raises FormatError on any other bytes."""
    if len(data) <= _NAME_END or len(data) > EXTERNAL_LIMIT or data[0] != EXTERNAL:
        raise FormatError("not the ciphertext blob of an external key")
    metadata, at = _prefixed_bytes(data, _NAME_END)
    iv, at = _prefixed_bytes(data, at)
    start = at + _TAG + _U16.size
    if len(data) < start or len(data) - start != _U16.unpack_from(data, at + _TAG)[0]:
        raise FormatError("a part of the blob has a wrong length")
    blob = ExternalBlob(
        _key_id(data[1:_KEY_ID_END]), data[_KEY_ID_END:_NAME_END], metadata, iv, data[at : at + _TAG], data[start:]
    )
    _check_external(blob)
    return blob


def _prefixed_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the bytes after a u8 length, and their end."""
    end = at + 1 + (data[at] if at < len(data) else 0)
    if end > len(data):
        raise FormatError("the blob ends early")
    return data[at + 1 : end], end


def _check_external(blob: ExternalBlob) -> None:
    if len(blob.metadata) > METADATA_LIMIT or len(blob.iv) not in IV_LENGTHS or len(blob.tag) != _TAG:
        raise FormatError("a part of the blob has a wrong length")
    _check_length(len(blob.ciphertext) - HEADER_LENGTH - _TAG)


def _named_ids(data: bytes) -> tuple[str, bytes]:
    _check_length(len(data) - HEADER_LENGTH - _TAG)
    if data[0] != VERSION:
        raise FormatError("a ciphertext blob of an unknown version")
    return _key_id(data[1:_KEY_ID_END]), data[_KEY_ID_END:_NAME_END]


@lru_cache(maxsize=4096)
def _key_id(raw: bytes) -> str:
    try:
        return ids.key_id_text(raw)
    except ValueError:
        raise FormatError("the blob does not name a key") from None


def _check_length(length: int) -> None:
    if not 1 <= length <= PLAINTEXT_LIMIT:
        raise FormatError("a ciphertext blob holds 1 to 4,096 bytes")
