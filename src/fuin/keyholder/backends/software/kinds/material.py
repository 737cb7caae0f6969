"""Opened key material: the common part of all kinds, and the operations that a kind may have."""

from fuin.errors import FormatError
from fuin.keyholder.sealed.memory import KeyBytes


class OpenMaterial(KeyBytes):
    """Unwrapped key material of one spec; a kind overrides the operations that it has; all others raise FormatError.

    Signatures, MACs and ciphertexts that do not hold raise TamperedError. `key` is what is left of the sealed bytes
    once the library has its own key object: kinds that no longer need the bytes wipe them at once.
    """

    __slots__ = ("material_id", "spec")

    def __init__(self, spec: str, key_id: str, material_id: bytes, key: bytearray) -> None:
        super().__init__(key_id, key)
        self.spec = spec
        self.material_id = material_id

    @classmethod
    def make(cls, spec: str) -> bytearray:
        """Return fresh bytes of a spec, as they are sealed."""
        raise NotImplementedError

    @classmethod
    def import_material(cls, spec: str, encoded: bytearray) -> bytearray:
        """Return the bytes to be sealed for key material that somebody else made; raises FormatError.

        AWS: "Importing key material", its formats: symmetric and HMAC keys raw, all others as PKCS#8 DER.
        """
        raise NotImplementedError

    def seal_data_key(self, parameter: bytes, plaintext: bytes | bytearray) -> bytes:
        """Return the ciphertext blob of a data key or a pair's private key, under an encryption context."""
        raise unsupported_operation()

    def encrypt(self, parameter: bytes, plaintext: bytes) -> bytes:
        """Return a ciphertext; the parameter is an encryption context, or the name of the algorithm of RSA."""
        raise unsupported_operation()

    def decrypt(self, parameter: bytes, ciphertext: bytes) -> bytes:
        """Return a plaintext."""
        raise unsupported_operation()

    def sign(self, algorithm: str, message_type: str, message: bytes) -> bytes:
        """Return the signature of a message; its type says whether it is the message itself or a digest."""
        raise unsupported_operation()

    def verify(self, algorithm: str, message_type: str, message: bytes, signature: bytes) -> None:
        """Raise TamperedError unless the signature is this key's over this message."""
        raise unsupported_operation()

    def generate_mac(self, algorithm: str, message: bytes) -> bytes:
        """Return the message's MAC."""
        raise unsupported_operation()

    def verify_mac(self, algorithm: str, message: bytes, mac: bytes) -> None:
        """Raise TamperedError unless the MAC is this key's over this message; compared in constant time."""
        raise unsupported_operation()

    def derive_shared_secret(self, peer: bytes) -> bytes:
        """Return the raw shared secret with a peer's public key, which is SPKI DER."""
        raise unsupported_operation()

    def encapsulate(self) -> tuple[bytes, bytes]:
        """Return a fresh shared secret and the ciphertext that gives it back."""
        raise unsupported_operation()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return a ciphertext's shared secret."""
        raise unsupported_operation()

    def public_key(self) -> bytes:
        """Return the public key as SPKI DER."""
        raise unsupported_operation()


def unsupported_operation() -> FormatError:
    """Return the error of an operation that a kind of key does not have."""
    return FormatError("a key of another kind than the operation needs")


def unknown_algorithm() -> FormatError:
    """Return the error of an algorithm that a key spec does not have."""
    return FormatError("an algorithm that the key spec does not have")
