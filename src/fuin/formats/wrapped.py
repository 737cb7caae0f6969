"""Wrapped key material and other sealed secrets: the envelope that stores them, and the names of material.

Page: docs/formats/wrapped-material.md. `Material.encoded` is sent to the keyholder: the binding (key id,
material id, spec; associated data of the envelope) and the envelope itself.
"""

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from fuin import ids
from fuin.errors import FormatError

VERSION = 1
SECRET_LIMIT = 4096  # bytes; room for key material of any kind that is sealed this way

_HEADER = struct.Struct(">BB32s32s")  # version, kind, salt, commitment
_TAG = 16
HEADER_LENGTH = _HEADER.size


class Kind(IntEnum):
    """The content of an envelope; each kind has its own key derivation label."""

    MATERIAL = 1
    SECRET_ACCESS_KEY = 2
    ROOT_KEY = 3
    IMPORT_TOKEN = 4
    SESSION = 5


@dataclass(frozen=True, slots=True)
class Envelope:
    """The parts of a sealed secret; `sealed` is the AES-256-GCM ciphertext followed by its 16-byte tag."""

    kind: Kind
    salt: bytes
    commitment: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Material:
    """One version of a KMS key's material as the store keeps it: `wrapped` opens in the keyholder only.

    Raises FormatError for ids or lengths that the format does not have.
    """

    key_id: str
    material_id: bytes
    spec: str
    wrapped: bytes = field(repr=False)
    encoded: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not HEADER_LENGTH + _TAG < len(self.wrapped) <= HEADER_LENGTH + SECRET_LIMIT + _TAG:
            raise FormatError("wrapped key material of a wrong length")
        object.__setattr__(self, "encoded", binding(self.key_id, self.material_id, self.spec) + self.wrapped)


def binding(key_id: str, material_id: bytes, spec: str) -> bytes:
    """Return the bytes that bind wrapped material to its key: each part with its length (u8) before it."""
    try:
        if not ids.is_key_id(key_id) or len(material_id) != 32 or not 1 <= len(spec) <= 64:
            raise FormatError("not the name of key material")
        texts = (key_id.encode("ascii"), material_id, spec.encode("ascii"))
    except UnicodeEncodeError:
        raise FormatError("not the name of key material") from None
    return b"".join([bytes((len(text),)) + text for text in texts])


def parse_material(data: bytes) -> Material:
    """Return the material of `Material.encoded`; raises FormatError."""
    parts: list[bytes] = []
    at = 0
    for _ in range(3):
        if at >= len(data):
            raise FormatError("key material ends early")
        end = at + 1 + data[at]
        parts.append(data[at + 1 : end])
        at = end
    try:
        return Material(parts[0].decode("ascii"), parts[1], parts[2].decode("ascii"), data[at:])
    except UnicodeDecodeError:
        raise FormatError("not the name of key material") from None


def encode(envelope: Envelope) -> bytes:
    """Return the bytes of an envelope; raises FormatError if a part has a wrong length."""
    if len(envelope.salt) != 32 or len(envelope.commitment) != 32:
        raise FormatError("a part of the envelope has a wrong length")
    _check_length(len(envelope.sealed) - _TAG)
    return _HEADER.pack(VERSION, envelope.kind, envelope.salt, envelope.commitment) + envelope.sealed


def parse(data: bytes) -> Envelope:
    """Return the parts of an envelope; raises FormatError on any other bytes, or an unknown version."""
    _check_length(len(data) - HEADER_LENGTH - _TAG)
    version, kind, salt, commitment = _HEADER.unpack_from(data)
    if version != VERSION:
        raise FormatError("an envelope of an unknown version")
    try:
        return Envelope(Kind(kind), salt, commitment, data[HEADER_LENGTH:])
    except ValueError:
        raise FormatError("an envelope of an unknown kind") from None


def _check_length(length: int) -> None:
    if not 1 <= length <= SECRET_LIMIT:
        raise FormatError("an envelope holds 1 to 4,096 bytes")
