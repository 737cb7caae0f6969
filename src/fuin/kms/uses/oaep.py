"""How much RSAES-OAEP encrypts: the modulus, less two digests and two bytes (RFC 8017, section 7.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.model.faults import KmsFault
from fuin.kms.model.specs import SPECS

if TYPE_CHECKING:
    from fuin.kms.reach.key import OpenKey

_DIGEST = {b"RSAES_OAEP_SHA_1": 20, b"RSAES_OAEP_SHA_256": 32}  # bytes


def check_plaintext(opened: OpenKey, plaintext: bytes) -> None:
    """Refuse a plaintext that is too long for an RSA key; keys of other kinds take all that the model lets through."""
    if opened.parameter in _DIGEST and len(plaintext) > _limit(opened):
        raise size_fault(opened)


def size_fault(opened: OpenKey) -> KmsFault:
    """Return the error for a plaintext that the key cannot encrypt, in AWS's words where it is too long."""
    if opened.parameter not in _DIGEST:  # made with the public key outside of KMS, where nothing may be encrypted
        return KmsFault("ValidationException", "The ciphertext holds an empty plaintext, which cannot be encrypted.")
    name = f"Algorithm {opened.parameter.decode()} and key spec {opened.key.spec}"
    return KmsFault("ValidationException", f"{name} cannot encrypt data larger than {_limit(opened)} bytes.")


def _limit(opened: OpenKey) -> int:
    """Return the longest plaintext in bytes."""
    return SPECS[opened.key.spec].bits // 8 - 2 * _DIGEST[opened.parameter] - 2
