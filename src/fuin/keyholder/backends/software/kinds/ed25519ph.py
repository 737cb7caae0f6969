"""Ed25519ph with an empty context (RFC 8032 section 5.1), from pycryptodome: `cryptography` does not have it."""

from Crypto.Hash import SHA512
from Crypto.Signature import eddsa

from fuin.errors import TamperedError


def sign(seed: bytearray, message: bytes) -> bytes:
    """Return the signature of the SHA-512 hash of a message."""
    return eddsa.new(eddsa.import_private_key(bytes(seed)), "rfc8032").sign(SHA512.new(message))


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Raise TamperedError unless the signature over the SHA-512 hash of the message holds."""
    scheme = eddsa.new(eddsa.import_public_key(public), "rfc8032")
    try:
        scheme.verify(SHA512.new(message), signature)
    except ValueError:
        raise TamperedError("the signature does not hold") from None
