"""ML_DSA_44, 65 and 87 (FIPS 204), pure and with an empty context. Sealed as the 32-byte seed."""

import os
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA65PrivateKey, MLDSA87PrivateKey

from fuin.errors import FormatError, TamperedError
from fuin.keyholder.backends.software.kinds.encodings import EXTERNAL_MU, RAW, parse_pkcs8, spki
from fuin.keyholder.backends.software.kinds.material import OpenMaterial, unknown_algorithm
from fuin.keyholder.sealed.memory import move_to_buffer, wipe

_Private = MLDSA44PrivateKey | MLDSA65PrivateKey | MLDSA87PrivateKey
_FORMS: dict[str, tuple[type[_Private], Callable[[bytearray], _Private]]] = {
    "ML_DSA_44": (MLDSA44PrivateKey, MLDSA44PrivateKey.from_seed_bytes),
    "ML_DSA_65": (MLDSA65PrivateKey, MLDSA65PrivateKey.from_seed_bytes),
    "ML_DSA_87": (MLDSA87PrivateKey, MLDSA87PrivateKey.from_seed_bytes),
}
_ALGORITHM = "ML_DSA_SHAKE_256"
_MU_LENGTH = 64


class MlDsa(OpenMaterial):
    """Open ML-DSA material; OpenSSL holds the key, our own bytes of it are wiped as soon as it does."""

    __slots__ = ("_private", "_public")

    def __init__(self, spec: str, key_id: str, material_id: bytes, key: bytearray) -> None:
        super().__init__(spec, key_id, material_id, key)
        try:
            self._private = _FORMS[spec][1](key)
        except ValueError:
            raise FormatError("an ML-DSA seed of a wrong length") from None
        wipe(key)
        self._public = self._private.public_key()

    @classmethod
    def make(cls, spec: str) -> bytearray:
        """Return a random seed."""
        return move_to_buffer(os.urandom(32))

    @classmethod
    def import_material(cls, spec: str, encoded: bytearray) -> bytearray:
        """Return the seed of a private key in PKCS#8 DER (RFC 9881); raises FormatError."""
        private = parse_pkcs8(encoded, spec)
        if not isinstance(private, _FORMS[spec][0]):
            raise FormatError("not a private key of the key spec")
        return move_to_buffer(private.private_bytes_raw())

    def sign(self, algorithm: str, message_type: str, message: bytes) -> bytes:
        """Return a signature, hedged with fresh randomness: of a RAW message, or of a 64-byte EXTERNAL_MU."""
        if _is_external(algorithm, message_type, message):
            return self._private.sign_mu(message)
        return self._private.sign(message)

    def verify(self, algorithm: str, message_type: str, message: bytes, signature: bytes) -> None:
        """Raise TamperedError unless the signature holds."""
        external = _is_external(algorithm, message_type, message)
        try:
            self._public.verify_mu(signature, message) if external else self._public.verify(signature, message)
        except InvalidSignature:
            raise TamperedError("the signature does not hold") from None

    def public_key(self) -> bytes:
        """Return the public key as SPKI DER (RFC 9881)."""
        return spki(self._public)


def _is_external(algorithm: str, message_type: str, message: bytes) -> bool:
    """Return whether `message` is a message representative; raises FormatError if it is not a message either."""
    if algorithm != _ALGORITHM:
        raise unknown_algorithm()
    if message_type not in (RAW, EXTERNAL_MU):
        raise FormatError("a message type that the key spec does not have")
    if message_type == EXTERNAL_MU and len(message) != _MU_LENGTH:
        raise FormatError("a message representative of a wrong length")
    return message_type == EXTERNAL_MU
