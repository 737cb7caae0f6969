"""Keys as bytes: PKCS#8 (RFC 5958) and SubjectPublicKeyInfo (RFC 5280), both DER; messages by their type."""

from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from fuin.errors import FormatError
from fuin.keyholder.memory import taken

RAW, DIGEST, EXTERNAL_MU = "RAW", "DIGEST", "EXTERNAL_MU"  # AWS: MessageType


class _Private(Protocol):
    def private_bytes(
        self, encoding: Encoding, format: PrivateFormat, encryption_algorithm: NoEncryption
    ) -> bytes: ...  # fmt: skip


class _Public(Protocol):
    def public_bytes(self, encoding: Encoding, format: PublicFormat) -> bytes: ...


def pkcs8(private: _Private) -> bytearray:
    """Return a private key as PKCS#8 DER."""
    return taken(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def spki(public: _Public) -> bytes:
    """Return a public key as SPKI DER."""
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def parse_pkcs8(encoded: bytes | bytearray) -> PrivateKeyTypes:
    """Return the private key of PKCS#8 DER, fully checked; raises FormatError."""
    if not _starts_as_pkcs8(encoded):  # the loader would take PKCS#1 and SEC 1 as well
        raise FormatError("not a private key in PKCS#8 DER")
    try:
        return load_der_private_key(encoded, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise FormatError("not a private key in PKCS#8 DER") from None


def _starts_as_pkcs8(encoded: bytes | bytearray) -> bool:
    """Tell whether a SEQUENCE begins with an INTEGER of one byte, the version, and a SEQUENCE, the algorithm."""
    if len(encoded) < 2 or encoded[0] != 0x30:
        return False
    at = 2 + (encoded[1] & 0x7F if encoded[1] & 0x80 else 0)
    return encoded[at : at + 2] == b"\x02\x01" and encoded[at + 3 : at + 4] == b"\x30"


def parse_spki(encoded: bytes) -> PublicKeyTypes:
    """Return the public key of SPKI DER; raises FormatError."""
    try:
        return load_der_public_key(encoded)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise FormatError("not a public key in SPKI DER") from None


def hashing(message_type: str, message: bytes, hash_: HashAlgorithm) -> HashAlgorithm | Prehashed:
    """Return how a message of a type is hashed: RAW by `hash_`, DIGEST no more; raises FormatError."""
    if message_type == RAW:
        return hash_
    if message_type != DIGEST:
        raise FormatError("a message type that the key spec does not have")
    if len(message) != hash_.digest_size:
        raise FormatError("a digest of a wrong length")
    return Prehashed(hash_)
