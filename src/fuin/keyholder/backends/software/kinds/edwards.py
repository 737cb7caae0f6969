"""ECC_NIST_EDWARDS25519: Ed25519 and Ed25519ph (RFC 8032). Sealed as the 32-byte seed."""

import os

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fuin.errors import FormatError, TamperedError
from fuin.keyholder.backends.interface import Pair
from fuin.keyholder.backends.software.kinds.encodings import DIGEST, RAW, parse_pkcs8, pkcs8, spki
from fuin.keyholder.backends.software.kinds.material import OpenMaterial, unknown_algorithm
from fuin.keyholder.sealed.memory import move_to_buffer

_PURE, _PREHASHED = "ED25519_SHA_512", "ED25519_PH_SHA_512"
_DIGEST_LENGTH = 64


def make_pair(spec: str) -> Pair:
    """Return a fresh data key pair."""
    private = Ed25519PrivateKey.generate()
    return Pair(pkcs8(private), spki(private.public_key()))


class Edwards(OpenMaterial):
    """Open Ed25519 material; the seed stays in our own buffer, since Ed25519ph is another library's."""

    __slots__ = ("_private", "_public")

    def __init__(self, spec: str, key_id: str, material_id: bytes, key: bytearray) -> None:
        super().__init__(spec, key_id, material_id, key)
        try:
            self._private = Ed25519PrivateKey.from_private_bytes(key)
        except ValueError:
            raise FormatError("an Ed25519 seed of a wrong length") from None
        self._public = self._private.public_key()

    @classmethod
    def make(cls, spec: str) -> bytearray:
        """Return a random seed."""
        return move_to_buffer(os.urandom(32))

    @classmethod
    def import_material(cls, spec: str, encoded: bytearray) -> bytearray:
        """Return the seed of a private key in PKCS#8 DER (RFC 8410); raises FormatError."""
        private = parse_pkcs8(encoded, spec)
        if not isinstance(private, Ed25519PrivateKey):
            raise FormatError("not a private key of the key spec")
        return move_to_buffer(private.private_bytes_raw())

    def sign(self, algorithm: str, message_type: str, message: bytes) -> bytes:
        """Return the 64 bytes of a signature: of a RAW message, or Ed25519ph's of a 64-byte DIGEST.

        AWS hashes that digest once more, as it does with any message of Ed25519ph.
        """
        if _is_pure(algorithm, message_type, message):
            return self._private.sign(message)
        from fuin.keyholder.backends.software.kinds import ed25519ph  # noqa: PLC0415 - a third of the start-up time, for a rare algorithm

        return ed25519ph.sign(self.key, message)

    def verify(self, algorithm: str, message_type: str, message: bytes, signature: bytes) -> None:
        """Raise TamperedError unless the signature holds."""
        if not _is_pure(algorithm, message_type, message):
            from fuin.keyholder.backends.software.kinds import ed25519ph  # noqa: PLC0415 - as in `sign`

            ed25519ph.verify(self._public.public_bytes_raw(), message, signature)
            return
        try:
            self._public.verify(signature, message)
        except InvalidSignature:
            raise TamperedError("the signature does not hold") from None

    def public_key(self) -> bytes:
        """Return the public key as SPKI DER (RFC 8410)."""
        return spki(self._public)


def _is_pure(algorithm: str, message_type: str, message: bytes) -> bool:
    """Return whether it is Ed25519, and not Ed25519ph; raises FormatError for other values."""
    if algorithm not in (_PURE, _PREHASHED):
        raise unknown_algorithm()
    if message_type != (RAW if algorithm == _PURE else DIGEST):
        raise FormatError("a message type that the algorithm does not have")
    if algorithm == _PREHASHED and len(message) != _DIGEST_LENGTH:
        raise FormatError("a digest of a wrong length")
    return algorithm == _PURE
