"""The uses of a key that make or open ciphertext, for keys of every kind: the only calls of the keyholder for them.

Each one leaves a durable record, also when it fails, and marks the call as recorded. A blob of symmetric encryption
names its key and material; RSA ciphertext names nothing (RFC 8017, section 7.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.errors import TamperedError
from fuin.kms.faults import InvalidCiphertextException

if TYPE_CHECKING:
    from fuin.gate import Call
    from fuin.kms.key import OpenKey


async def data_key(call: Call, opened: OpenKey, length: int) -> tuple[bytes, bytes]:
    """Return a fresh data key of `length` bytes and its ciphertext blob."""
    plaintext, blob = await call.services.keyholder.data_key(
        opened.material, opened.parameter, length, opened.draft(call)
    )  # fmt: skip
    call.recorded = True
    return plaintext, blob


async def data_key_without_plaintext(call: Call, opened: OpenKey, length: int) -> bytes:
    """Return the ciphertext blob of a fresh data key that nobody has seen."""
    blob = await call.services.keyholder.data_key_without_plaintext(
        opened.material, opened.parameter, length, opened.draft(call)
    )
    call.recorded = True
    return blob


async def encrypt(call: Call, opened: OpenKey, plaintext: bytes) -> bytes:
    """Return the ciphertext of `plaintext`; its length was checked before."""
    blob = await call.services.keyholder.encrypt(opened.material, opened.parameter, plaintext, opened.draft(call))
    call.recorded = True
    return blob


async def decrypt(call: Call, opened: OpenKey, ciphertext: bytes) -> bytes:
    """Return the plaintext of a ciphertext; raises InvalidCiphertextException when it does not open with this key."""
    try:
        plaintext = await call.services.keyholder.decrypt(
            opened.material, opened.parameter, ciphertext, opened.draft(call)
        )
    except TamperedError:
        call.recorded = True
        raise InvalidCiphertextException from None
    call.recorded = True
    return plaintext


async def re_encrypt(call: Call, source: OpenKey, ciphertext: bytes, target: OpenKey) -> bytes:
    """Return the ciphertext under another key or context; the plaintext stays in the keyholder."""
    try:
        new = await call.services.keyholder.re_encrypt(
            source.material, source.parameter, ciphertext, target.material, target.parameter,
            source.draft(call), target.draft(call),
        )  # fmt: skip
    except TamperedError:
        call.recorded = True
        raise InvalidCiphertextException from None
    call.recorded = True
    return new
