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
from fuin.keyholder.sealed.memory import move_to_buffer

RAW, DIGEST, EXTERNAL_MU = "RAW", "DIGEST", "EXTERNAL_MU"  # AWS: MessageType

# The object identifier of each spec's keys, as DER. RFC 8017 appendix C, RFC 5480, 8410, 9881 and 9935.
_RSA, _EC, _ED25519 = map(bytes.fromhex, ("06092a864886f70d010101", "06072a8648ce3d0201", "06032b6570"))
_OBJECT_IDS = {
    **dict.fromkeys(("RSA_2048", "RSA_3072", "RSA_4096"), _RSA),
    **dict.fromkeys(("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1"), _EC),
    "ECC_NIST_EDWARDS25519": _ED25519,
    **{
        f"ML_DSA_{name}": bytes.fromhex(f"06096086480165030403{arc:02x}")
        for name, arc in ((44, 17), (65, 18), (87, 19))
    },
    **{
        f"ML_KEM_{name}": bytes.fromhex(f"06096086480165030404{arc:02x}")
        for name, arc in ((512, 1), (768, 2), (1024, 3))
    },
}


class _Private(Protocol):
    def private_bytes(
        self, encoding: Encoding, format: PrivateFormat, encryption_algorithm: NoEncryption
    ) -> bytes: ...  # fmt: skip


class _Public(Protocol):
    def public_bytes(self, encoding: Encoding, format: PublicFormat) -> bytes: ...


def pkcs8(private: _Private) -> bytearray:
    """Return a private key as PKCS#8 DER."""
    return move_to_buffer(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def spki(public: _Public) -> bytes:
    """Return a public key as SPKI DER."""
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def parse_pkcs8(encoded: bytes | bytearray, spec: str) -> PrivateKeyTypes:
    """Return the private key of PKCS#8 DER; raises FormatError unless its algorithm is that of the spec.

    Whether the numbers of an RSA key belong together is not checked here: see `rsa_numbers`.
    """
    check_pkcs8(encoded, spec)
    try:
        return load_der_private_key(encoded, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise FormatError("not a private key in PKCS#8 DER") from None


def check_pkcs8(encoded: bytes | bytearray, spec: str) -> None:
    """Raise FormatError unless bytes begin as PKCS#8 DER of the spec's algorithm: a version of one byte, the algorithm.

    The loader would take PKCS#1 and SEC 1 as well. And it takes keys of every algorithm: those of Diffie-Hellman it
    checks, which takes minutes for long numbers, and nobody else can run meanwhile.
    """
    at = _content_start(encoded)
    if encoded[at : at + 2] != b"\x02\x01" or not _has_algorithm(encoded, at + 3, _OBJECT_IDS[spec]):
        raise FormatError("not a private key of the key spec in PKCS#8 DER")


def parse_spki(encoded: bytes, spec: str) -> PublicKeyTypes:
    """Return the public key of SPKI DER; raises FormatError unless its algorithm is that of the spec."""
    if not _has_algorithm(encoded, _content_start(encoded), _OBJECT_IDS[spec]):  # for the same reason as above
        raise FormatError("not a public key of the key spec in SPKI DER")
    try:
        return load_der_public_key(encoded)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise FormatError("not a public key in SPKI DER") from None


def _content_start(encoded: bytes | bytearray) -> int:
    """Return where the contents of a SEQUENCE begin; what is none has none of the contents that are looked for."""
    if len(encoded) < 2 or encoded[0] != 0x30:
        return len(encoded)
    return 2 + (encoded[1] & 0x7F if encoded[1] & 0x80 else 0)


def _has_algorithm(encoded: bytes | bytearray, at: int, object_id: bytes) -> bool:
    """Return whether an AlgorithmIdentifier, a short SEQUENCE that begins with an object identifier, is at `at`."""
    return encoded[at : at + 1] == b"\x30" and encoded[at + 2 : at + 2 + len(object_id)] == object_id


def hash_for_message(message_type: str, message: bytes, hash_: HashAlgorithm) -> HashAlgorithm | Prehashed:
    """Return how a message of a type is hashed: RAW by `hash_`, DIGEST without a further hash; raises FormatError."""
    if message_type == RAW:
        return hash_
    if message_type != DIGEST:
        raise FormatError("a message type that the key spec does not have")
    if len(message) != hash_.digest_size:
        raise FormatError("a digest of a wrong length")
    return Prehashed(hash_)
