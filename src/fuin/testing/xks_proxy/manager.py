"""The external key manager: AES-256 keys with versions, and AES-GCM under them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fuin.testing.xks_proxy.refusal import Refusal

AES_256 = "AES_256"
ENCRYPT, DECRYPT = "ENCRYPT", "DECRYPT"
ENABLED, DISABLED = "ENABLED", "DISABLED"

_IV, _TAG = 12, 16


@dataclass
class ExternalKey:
    """One external key; the metadata of a ciphertext names the version that encrypted it."""

    spec: str = AES_256
    usage: tuple[str, ...] = (ENCRYPT, DECRYPT)
    status: str = ENABLED
    versions: list[bytes] = field(default_factory=lambda: [os.urandom(32)], repr=False)

    def rotate(self) -> None:
        """Make a new version, which encrypts from now on; older versions still decrypt."""
        self.versions.append(os.urandom(32))


@dataclass(frozen=True)
class ManagerCiphertext:
    """A ciphertext of AES-GCM, in the parts of the proxy API."""

    ciphertext: bytes
    metadata: bytes
    iv: bytes
    tag: bytes

    def integrity_value(self, aad: bytes) -> bytes:
        """Return the ciphertext data integrity value (specification, appendix C)."""
        return hashlib.sha256(b"".join((aad, self.metadata, self.iv, self.ciphertext, self.tag))).digest()


class KeyManager:
    """The keys by their ids, and the two operations on them."""

    def __init__(self) -> None:
        self.keys: dict[str, ExternalKey] = {}

    def add(self, key_id: str, key: ExternalKey | None = None) -> ExternalKey:
        """Add a key, by default a fresh one."""
        self.keys[key_id] = key or ExternalKey()
        return self.keys[key_id]

    def find(self, key_id: str) -> ExternalKey:
        """Return a key in any state; raises Refusal."""
        if key_id not in self.keys:
            raise Refusal("KeyNotFoundException", "There is no such external key.")
        return self.keys[key_id]

    def encrypt(self, key_id: str, plaintext: bytes, aad: bytes) -> ManagerCiphertext:
        """Encrypt under the newest version of a key; raises Refusal."""
        key = self._usable_key(key_id, ENCRYPT)
        iv, metadata = os.urandom(_IV), len(key.versions).to_bytes(1, "big")
        sealed = AESGCM(key.versions[-1]).encrypt(iv, plaintext, _associated_data(aad, metadata))
        return ManagerCiphertext(sealed[:-_TAG], metadata, iv, sealed[-_TAG:])

    def decrypt(self, key_id: str, encrypted: ManagerCiphertext, aad: bytes) -> bytes:
        """Return the plaintext; raises Refusal."""
        key = self._usable_key(key_id, DECRYPT)
        invalid = Refusal("InvalidCiphertextException", "The ciphertext or the additional data is not valid.")
        version = int.from_bytes(encrypted.metadata, "big")
        if len(encrypted.metadata) != 1 or not 1 <= version <= len(key.versions):
            raise invalid
        associated = _associated_data(aad, encrypted.metadata)
        try:
            return AESGCM(key.versions[version - 1]).decrypt(
                encrypted.iv, encrypted.ciphertext + encrypted.tag, associated
            )
        except InvalidTag:
            raise invalid from None

    def _usable_key(self, key_id: str, usage: str) -> ExternalKey:
        key = self.find(key_id)
        if key.status != ENABLED:
            raise Refusal("InvalidStateException", "The external key is disabled.")
        if usage not in key.usage or key.spec != AES_256:
            raise Refusal("InvalidKeyUsageException", f"The external key does not support {usage}.")
        return key


def _associated_data(aad: bytes, metadata: bytes) -> bytes:
    """Return the associated data of AES-GCM: both parts with their lengths (specification, "Encrypt")."""
    return len(aad).to_bytes(2, "big") + aad + len(metadata).to_bytes(1, "big") + metadata
