"""Ed25519 signatures (RFC 8032) of the audit log's checkpoints; the private key comes from the root key."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fuin.errors import TamperedError
from fuin.keyholder.sealed import sealing
from fuin.keyholder.sealed.memory import wipe
from fuin.keyholder.sealed.root_key import RootKey


class AuditSigner:
    """Signs checkpoints; one root key always gives the same pair of keys."""

    def __init__(self, root: RootKey) -> None:
        seed = bytearray(32)
        sealing.derive_into(root.key, sealing.LABEL_SIGNING_SEED, b"", seed)
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        wipe(seed)
        self.public_key = self._private.public_key().public_bytes_raw()
        self._public = self._private.public_key()

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of a message."""
        return self._private.sign(message)

    def check(self, message: bytes, signature: bytes) -> None:
        """Raise TamperedError unless this signer made the signature."""
        _check(self._public, message, signature)


class AuditChecker:
    """Checks signatures with the public key alone."""

    def __init__(self, public_key: bytes) -> None:
        """Take the 32 bytes of the public key; raises TamperedError for any other bytes."""
        try:
            self._public = Ed25519PublicKey.from_public_bytes(public_key)
        except ValueError:
            raise TamperedError("not an Ed25519 public key") from None

    def __call__(self, message: bytes, signature: bytes) -> None:
        """Raise TamperedError unless the key's owner made the signature."""
        _check(self._public, message, signature)


def _check(public: Ed25519PublicKey, message: bytes, signature: bytes) -> None:
    try:
        public.verify(signature, message)
    except InvalidSignature:
        raise TamperedError("the signature does not hold") from None
