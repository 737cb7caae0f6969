"""HMAC_224, 256, 384 and 512: random bytes as long as the digest (RFC 2104, FIPS 198-1)."""

import hmac
import os
from typing import NamedTuple

from fuin.errors import FormatError, TamperedError
from fuin.keyholder.backends.software.kinds.material import OpenMaterial, unknown_algorithm
from fuin.keyholder.sealed.memory import move_to_buffer


class _MacForm(NamedTuple):
    length: int  # bytes of key material, and of a MAC
    algorithm: str
    digest: str  # as hashlib calls it


_FORMS = {
    "HMAC_224": _MacForm(28, "HMAC_SHA_224", "sha224"),
    "HMAC_256": _MacForm(32, "HMAC_SHA_256", "sha256"),
    "HMAC_384": _MacForm(48, "HMAC_SHA_384", "sha384"),
    "HMAC_512": _MacForm(64, "HMAC_SHA_512", "sha512"),
}


class Mac(OpenMaterial):
    """Open HMAC material."""

    __slots__ = ("_form",)

    def __init__(self, spec: str, key_id: str, material_id: bytes, key: bytearray) -> None:
        super().__init__(spec, key_id, material_id, key)
        self._form = _FORMS[spec]
        if len(key) != self._form.length:
            raise FormatError("HMAC key material of a wrong length")

    @classmethod
    def make(cls, spec: str) -> bytearray:
        """Return as many random bytes as the digest has."""
        return move_to_buffer(os.urandom(_FORMS[spec].length))

    @classmethod
    def import_material(cls, spec: str, encoded: bytearray) -> bytearray:
        """Return a copy of bytes of the spec's own length; raises FormatError on another."""
        if len(encoded) != _FORMS[spec].length:
            raise FormatError("HMAC key material of a wrong length")
        return bytearray(encoded)

    def generate_mac(self, algorithm: str, message: bytes) -> bytes:
        """Return the whole MAC."""
        if algorithm != self._form.algorithm:
            raise unknown_algorithm()
        return hmac.digest(self.key, message, self._form.digest)

    def verify_mac(self, algorithm: str, message: bytes, mac: bytes) -> None:
        """Raise TamperedError on any other MAC, a shortened one too."""
        if not hmac.compare_digest(self.generate_mac(algorithm, message), mac):
            raise TamperedError("the MAC does not hold")
