"""ML_KEM_512, 768 and 1024 (FIPS 203). Sealed as the 64-byte seed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM1024PrivateKey

from fuin.errors import FormatError, TamperedError
from fuin.keyholder.backends.interface import Pair
from fuin.keyholder.backends.software.kinds.encodings import check_pkcs8, parse_pkcs8, pkcs8, spki
from fuin.keyholder.backends.software.kinds.material import OpenMaterial
from fuin.keyholder.sealed.memory import move_to_buffer, wipe

if TYPE_CHECKING:
    from fuin.keyholder.backends.software.kinds.mlkem512 import MLKEM512PrivateKey

_SEED_LENGTH = 64
_TYPES: dict[str, type[MLKEM768PrivateKey | MLKEM1024PrivateKey]] = {
    "ML_KEM_768": MLKEM768PrivateKey,
    "ML_KEM_1024": MLKEM1024PrivateKey,
}


def make_pair(spec: str) -> Pair:
    """Return a fresh data key pair, the private key as its seed (RFC 9935 section 6)."""
    seed = MlKem.make(spec)
    private = _open_seed(spec, seed)
    wipe(seed)
    return Pair(pkcs8(private), spki(private.public_key()))


class MlKem(OpenMaterial):
    """Open ML-KEM material; the library holds the key, our own bytes of it are wiped as soon as it does."""

    __slots__ = ("_private", "_public")

    def __init__(self, spec: str, key_id: str, material_id: bytes, key: bytearray) -> None:
        super().__init__(spec, key_id, material_id, key)
        self._private = _open_seed(spec, key)
        wipe(key)
        self._public = self._private.public_key()

    @classmethod
    def make(cls, spec: str) -> bytearray:
        """Return a random seed."""
        return move_to_buffer(os.urandom(_SEED_LENGTH))

    @classmethod
    def import_material(cls, spec: str, encoded: bytearray) -> bytearray:
        """Return the seed of a private key in PKCS#8 DER (RFC 9935); raises FormatError."""
        check_pkcs8(encoded, spec)
        if spec == "ML_KEM_512":
            from fuin.keyholder.backends.software.kinds import mlkem512  # noqa: PLC0415 - as in `_open_seed`

            return mlkem512.seed_of(encoded)
        private = parse_pkcs8(encoded, spec)
        if not isinstance(private, _TYPES[spec]):
            raise FormatError("not a private key of the key spec")
        return move_to_buffer(private.private_bytes_raw())

    def wipe(self) -> None:
        """Overwrite what bytes there are."""
        super().wipe()
        if not isinstance(self._private, MLKEM768PrivateKey | MLKEM1024PrivateKey):  # OpenSSL does it by itself
            self._private.wipe()

    def encapsulate(self) -> tuple[bytes, bytes]:
        """Return a fresh shared secret of 32 bytes and the ciphertext that gives it back."""
        return self._public.encapsulate()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the 32-byte shared secret; raises TamperedError on a wrong length only.

        A wrong ciphertext of the right length gives a pseudo-random secret: FIPS 203 algorithm 18, implicit rejection.
        """
        try:
            return self._private.decapsulate(ciphertext)
        except ValueError:
            raise TamperedError("a ciphertext of a wrong length") from None

    def public_key(self) -> bytes:
        """Return the encapsulation key as SPKI DER (RFC 9935)."""
        return spki(self._public)


def _open_seed(spec: str, seed: bytearray) -> MLKEM768PrivateKey | MLKEM1024PrivateKey | MLKEM512PrivateKey:
    if len(seed) != _SEED_LENGTH:
        raise FormatError("an ML-KEM seed of a wrong length")
    if spec == "ML_KEM_512":
        from fuin.keyholder.backends.software.kinds.mlkem512 import MLKEM512PrivateKey  # noqa: PLC0415 - its library loads slowly

        return MLKEM512PrivateKey(seed)
    return _TYPES[spec].from_seed_bytes(seed)
