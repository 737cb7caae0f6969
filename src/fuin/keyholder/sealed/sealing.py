"""The one sealing construction: derive a key for a single use, commit to it, encrypt with AES-256-GCM.

`prefix ‖ salt ‖ commitment ‖ ciphertext ‖ tag`, where 64 bytes are derived from the sealing key, a label and a fresh
256-bit salt by the counter-mode KDF of NIST SP 800-108r1 with HMAC-SHA-256: 32 of AES key, 32 of commitment. The AES
key seals one message only, so the nonce is all zeros. Associated data: all that stands before the ciphertext, and the
binding with its length (u32) before it. The commitment is compared first: AES-GCM alone would open one ciphertext under
several keys (Grubbs, Lu, Ristenpart 2017), HMAC-SHA-256 does not.
Pages: docs/formats/ciphertext-blob.md, docs/formats/wrapped-material.md.
"""

import hmac
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from fuin.errors import TamperedError

OVERHEAD = 32 + 32 + 16  # bytes around the plaintext beside the prefix: salt, commitment, tag

LABEL_BLOB = b"fuin ciphertext blob v1"
LABEL_MATERIAL = b"fuin wrapped material v1"
LABEL_SECRET = b"fuin sealed secret access key v1"
LABEL_ROOT_KEY = b"fuin sealed root key v1"
LABEL_SIGNING_SEED = b"fuin audit signing key v1"
LABEL_IMPORT_TOKEN = b"fuin import token v1"
LABEL_IMPORTED_ID = b"fuin imported material id v1"
LABEL_LAST_USES = b"fuin last uses v1"
LABEL_SESSION = b"fuin session token v1"

_HASH = SHA256()
_COUNTER, _FIRST = Mode.CounterMode, CounterLocation.BeforeFixed  # an enum looks its members up at every mention
_U32 = struct.Struct(">I")
_NONCE = bytes(12)
# The derived bytes of the operation at hand; overwritten by the next one and by `wipe_scratch`. This process has one
# thread, and no derived key outlives its operation.
_scratch = bytearray(64)
_aes_key = memoryview(_scratch)[:32]
_commitment = memoryview(_scratch)[32:]


def derive_into(key: bytes | bytearray, label: bytes, salt: bytes, buffer: bytearray) -> None:
    """Fill `buffer` from a key: SP 800-108r1 section 4.1, 32-bit counter first, then `label ‖ 0 ‖ salt ‖ u32 bits`."""
    KBKDFHMAC(_HASH, _COUNTER, len(buffer), 4, 4, _FIRST, label, salt, None).derive_into(key, buffer)


def seal(key: bytes | bytearray, label: bytes, prefix: bytes, binding: bytes, plaintext: bytes | bytearray) -> bytes:
    """Return `plaintext` sealed under `key`; it opens with the same key, label, prefix and binding only."""
    return seal_with_salt(os.urandom(32), key, label, prefix, binding, plaintext)


def seal_with_salt(
    salt: bytes, key: bytes | bytearray, label: bytes, prefix: bytes, binding: bytes, plaintext: bytes | bytearray
) -> bytes:
    """Seal with a salt that the caller answers for: it must never come twice. For `seal`, and to make test vectors."""
    derive_into(key, label, salt, _scratch)
    header = b"".join((prefix, salt, _commitment))
    return header + AESGCM(_aes_key).encrypt(_NONCE, plaintext, _associated_data(header, binding))


def open_sealed(key: bytes | bytearray, label: bytes, prefix: bytes, binding: bytes, data: bytes) -> bytes:
    """Return the plaintext of `data`; raises TamperedError when anything at all is not as it was sealed."""
    ciphertext = _checked_ciphertext(key, label, prefix, data)
    try:
        return AESGCM(_aes_key).decrypt(_NONCE, ciphertext, _associated_data(data[: len(prefix) + 64], binding))
    except InvalidTag:
        raise TamperedError("the sealed bytes do not open") from None


def open_into(key: bytes | bytearray, label: bytes, prefix: bytes, binding: bytes, data: bytes) -> bytearray:
    """Return the plaintext in a buffer that its owner can wipe, with no other copy; raises TamperedError."""
    ciphertext = _checked_ciphertext(key, label, prefix, data)
    plaintext = bytearray(len(ciphertext) - 16)
    try:
        AESGCM(_aes_key).decrypt_into(
            _NONCE, ciphertext, _associated_data(data[: len(prefix) + 64], binding), plaintext
        )
    except InvalidTag:
        raise TamperedError("the sealed bytes do not open") from None
    return plaintext


def wipe_scratch() -> None:
    """Overwrite the keys derived last."""
    _scratch[:] = bytes(64)


def _associated_data(header: bytes, binding: bytes) -> bytes:
    return b"".join((header, _U32.pack(len(binding)), binding))


def _checked_ciphertext(key: bytes | bytearray, label: bytes, prefix: bytes, data: bytes) -> bytes:
    """Derive the keys of `data` and return its ciphertext and tag, if prefix and commitment hold."""
    at = len(prefix)
    if len(data) <= at + OVERHEAD or not data.startswith(prefix):
        raise TamperedError("the sealed bytes do not open")
    derive_into(key, label, data[at : at + 32], _scratch)
    if not hmac.compare_digest(_commitment, data[at + 32 : at + 64]):
        raise TamperedError("the sealed bytes do not open")
    return data[at + 64 :]
