"""The uses of a key that make or open ciphertext, for keys of every kind: the only calls of the keyholder for them.

Each one leaves a durable record, also when it fails. A blob of symmetric encryption names its key and material; RSA
ciphertext names nothing (RFC 8017, section 7.1). What a key in an external key store makes is encrypted once more by
its proxy (`external.py`); a call that fails there gets a closing record, as every refusal does, which says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.errors import FormatError, MaterialDamaged, TamperedError
from fuin.kms.key_stores import external
from fuin.kms.model.faults import KmsFault
from fuin.kms.uses import oaep
from fuin.xks.failure import Failure, FailureReason

if TYPE_CHECKING:
    from fuin.errors import Fault
    from fuin.gate.call import Call
    from fuin.kms.reach.key import OpenKey


async def data_key(call: Call, opened: OpenKey, length: int) -> list[bytes]:
    """Return a fresh data key of `length` bytes and its ciphertext blob, those two."""
    made = await call.use(
        call.services.keyholder.data_key(opened.material, opened.parameter, length, opened.draft(call))
    )
    if opened.key.custom_key_store is not None:
        made[1] = await external.wrap(call, opened, made[1])
    return made


async def data_key_without_plaintext(call: Call, opened: OpenKey, length: int) -> bytes:
    """Return the ciphertext blob of a fresh data key that nobody has seen."""
    keyholder, draft = call.services.keyholder, opened.draft(call)
    blob = await call.use(keyholder.data_key_without_plaintext(opened.material, opened.parameter, length, draft))
    if opened.key.custom_key_store is not None:
        blob = await external.wrap(call, opened, blob)
    return blob


async def encrypt(call: Call, opened: OpenKey, plaintext: bytes) -> bytes:
    """Return the ciphertext of `plaintext`; its length was checked before."""
    blob = await call.use(
        call.services.keyholder.encrypt(opened.material, opened.parameter, plaintext, opened.draft(call))
    )
    if opened.key.custom_key_store is not None:
        blob = await external.wrap(call, opened, blob)
    return blob


async def decrypt(call: Call, opened: OpenKey, ciphertext: bytes) -> bytes:
    """Return the plaintext of a ciphertext; raises InvalidCiphertextException when it does not open with this key."""
    if opened.key.custom_key_store is not None:
        ciphertext = await external.unwrap(call, opened, ciphertext)
    try:
        return await call.use(
            call.services.keyholder.decrypt(opened.material, opened.parameter, ciphertext, opened.draft(call))
        )
    except MaterialDamaged:
        raise
    except TamperedError:
        raise _undecryptable(call, opened) from None


async def re_encrypt(call: Call, source: OpenKey, ciphertext: bytes, target: OpenKey) -> bytes:
    """Return the ciphertext under another key or context; the plaintext stays in the keyholder.

    Only the keyholder sees whether it is longer than the target takes; then this raises ValidationException.
    """
    if source.key.custom_key_store is not None:
        ciphertext = await external.unwrap(call, source, ciphertext)
    try:
        new = await call.use(
            call.services.keyholder.re_encrypt(
                source.material, source.parameter, ciphertext, target.material, target.parameter,
                source.draft(call), target.draft(call),
            )
        )  # fmt: skip
    except MaterialDamaged:
        raise
    except TamperedError:
        raise _undecryptable(call, source) from None
    except FormatError:
        raise oaep.size_fault(target) from None
    if target.key.custom_key_store is not None:
        new = await external.wrap(call, target, new)
    return new


def _undecryptable(call: Call, opened: OpenKey) -> Fault:
    """Return the error for a ciphertext that the keyholder could not open; with an external key, the proxy gave it."""
    if opened.key.custom_key_store is not None:
        return external.proxy_fault(call, Failure(FailureReason.WRONG_CIPHERTEXT))
    return KmsFault("InvalidCiphertextException")
