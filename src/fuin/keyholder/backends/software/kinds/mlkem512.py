"""ML-KEM-512 from pycryptodome, in the form of the classes that `cryptography` has for the two larger sets.

pycryptodome offers the KEM itself to its own HPKE only, by two methods with an underscore; its version is pinned, and
known answers show that they still are what FIPS 203 says.
"""

from Crypto.PublicKey import MLKEM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from fuin.errors import FormatError
from fuin.keyholder.sealed.memory import move_to_buffer, overwrite


class MLKEM512PublicKey:
    """An encapsulation key."""

    def __init__(self, key: MLKEM.MLKEMKey) -> None:
        self._key = key

    def encapsulate(self) -> tuple[bytes, bytes]:
        """Return a fresh shared secret and its ciphertext of 768 bytes."""
        return self._key._encaps()

    def public_bytes(self, encoding: Encoding, format: PublicFormat) -> bytes:
        """Return the key as SPKI DER, the only form that is asked for."""
        return bytes(self._key.export_key(format="DER"))


class MLKEM512PrivateKey:
    """A decapsulation key."""

    def __init__(self, seed: bytearray) -> None:
        self._key = MLKEM.construct(param_set=MLKEM.ML_KEM_512, seed=seed)

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the shared secret; raises ValueError on a ciphertext of another length."""
        return self._key._decaps(ciphertext)

    def public_key(self) -> MLKEM512PublicKey:
        """Return the other half."""
        return MLKEM512PublicKey(self._key.public_key())

    def private_bytes(
        self, encoding: Encoding, format: PrivateFormat, encryption_algorithm: NoEncryption
    ) -> bytes:  # fmt: skip
        """Return the key as PKCS#8 DER with its seed, the only form that is asked for."""
        return bytes(self._key.export_key(format="DER"))

    def wipe(self) -> None:
        """Overwrite the bytes in which the library keeps the key."""
        overwrite(self._key.seed)
        overwrite(self._key.expanded_dk)


def seed_of(encoded: bytearray) -> bytearray:
    """Return the seed of a private key in PKCS#8 DER; raises FormatError when it has none."""
    try:
        key = MLKEM.import_key(encoded)
        if key.param_set is not MLKEM.ML_KEM_512:
            raise FormatError("not a private key of the key spec")
        return move_to_buffer(key.seed)
    except (ValueError, IndexError, TypeError):
        raise FormatError("not a private key with a seed in PKCS#8 DER") from None
