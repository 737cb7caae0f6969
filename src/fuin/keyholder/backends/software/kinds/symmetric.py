"""SYMMETRIC_DEFAULT: 32 random bytes, from which a key is derived for every ciphertext blob."""

import os

from fuin.errors import FormatError, TamperedError
from fuin.formats import blob as blobs
from fuin.keyholder.backends.software.kinds.material import OpenMaterial
from fuin.keyholder.sealed import sealing
from fuin.keyholder.sealed.memory import move_to_buffer

LENGTH = 32  # bytes; AES-256-GCM


class Symmetric(OpenMaterial):
    """Open symmetric material; `prefix` is how all its ciphertext blobs begin."""

    __slots__ = ("prefix",)

    def __init__(self, spec: str, key_id: str, material_id: bytes, key: bytearray) -> None:
        super().__init__(spec, key_id, material_id, key)
        self.prefix = blobs.name(key_id, material_id)
        if len(key) != LENGTH:
            raise FormatError("symmetric key material of a wrong length")

    @classmethod
    def make(cls, spec: str) -> bytearray:
        """Return 32 random bytes."""
        return move_to_buffer(os.urandom(LENGTH))

    @classmethod
    def import_material(cls, spec: str, encoded: bytearray) -> bytearray:
        """Return a copy of exactly 32 bytes; raises FormatError on another length."""
        if len(encoded) != LENGTH:
            raise FormatError("symmetric key material of a wrong length")
        return bytearray(encoded)

    def encrypt(self, parameter: bytes, plaintext: bytes | bytearray) -> bytes:
        """Return the ciphertext blob of 1 to 4,096 bytes under an encryption context; raises FormatError."""
        if not 1 <= len(plaintext) <= blobs.PLAINTEXT_LIMIT:
            raise FormatError("a ciphertext blob holds 1 to 4,096 bytes")
        return sealing.seal(self.key, sealing.LABEL_BLOB, self.prefix, parameter, plaintext)

    seal_data_key = encrypt  # a data key is sealed as any small plaintext is, and opened by Decrypt

    def decrypt(self, parameter: bytes, ciphertext: bytes) -> bytes:
        """Return the plaintext of a blob; raises TamperedError when it is not this material's, or not as it was."""
        if len(ciphertext) > blobs.LIMIT:
            raise TamperedError("the sealed bytes do not open")
        return sealing.open_sealed(self.key, sealing.LABEL_BLOB, self.prefix, parameter, ciphertext)
