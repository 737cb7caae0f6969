"""Encrypt, Decrypt and ReEncrypt with a symmetric key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin.errors import TamperedError
from fuin.kms.data_keys import check_recipient
from fuin.kms.faults import DryRunOperationException, InvalidCiphertextException, ValidationException
from fuin.kms.key import (
    SYMMETRIC_DEFAULT,
    Context,
    OpenKey,
    check_grant_tokens,
    check_symmetric,
    open_ciphertext,
    open_key,
)
from fuin.kms.model import null_at
from fuin.kms.shapes import Input, Output, RecipientInfo

if TYPE_CHECKING:
    from fuin.gate import Call

_IGNORE_CIPHERTEXT = "IGNORE_CIPHERTEXT"


class EncryptInput(Input, frozen=True):
    """What Encrypt takes."""

    KeyId: str | None = None
    Plaintext: bytes | None = None
    EncryptionContext: Context | None = None
    GrantTokens: list[str] | None = None
    EncryptionAlgorithm: str | None = None
    DryRun: bool | None = None

    def __repr__(self) -> str:
        return f"EncryptInput({self.KeyId})"


class EncryptOutput(Output, frozen=True):
    """A ciphertext blob."""

    CiphertextBlob: bytes | None = None
    KeyId: str | None = None
    EncryptionAlgorithm: str | None = None


class DecryptInput(Input, frozen=True):
    """What Decrypt takes; the blob names its key, so KeyId may be left out."""

    CiphertextBlob: bytes | None = None
    EncryptionContext: Context | None = None
    GrantTokens: list[str] | None = None
    KeyId: str | None = None
    EncryptionAlgorithm: str | None = None
    Recipient: RecipientInfo | None = None
    DryRun: bool | None = None
    DryRunModifiers: list[str] | None = None


class DecryptOutput(Output, frozen=True):
    """What was encrypted, and with which key and material."""

    KeyId: str | None = None
    Plaintext: bytes | None = None
    EncryptionAlgorithm: str | None = None
    CiphertextForRecipient: bytes | None = None
    KeyMaterialId: str | None = None

    def __repr__(self) -> str:
        return f"DecryptOutput({self.KeyId})"


class ReEncryptInput(Input, frozen=True):
    """What ReEncrypt takes."""

    CiphertextBlob: bytes | None = None
    SourceEncryptionContext: Context | None = None
    SourceKeyId: str | None = None
    DestinationKeyId: str | None = None
    DestinationEncryptionContext: Context | None = None
    SourceEncryptionAlgorithm: str | None = None
    DestinationEncryptionAlgorithm: str | None = None
    GrantTokens: list[str] | None = None
    DryRun: bool | None = None
    DryRunModifiers: list[str] | None = None


class ReEncryptOutput(Output, frozen=True):
    """The new blob, with both keys and materials."""

    CiphertextBlob: bytes | None = None
    SourceKeyId: str | None = None
    KeyId: str | None = None
    SourceEncryptionAlgorithm: str | None = None
    DestinationEncryptionAlgorithm: str | None = None
    SourceKeyMaterialId: str | None = None
    DestinationKeyMaterialId: str | None = None


async def encrypt(call: Call, p: EncryptInput) -> EncryptOutput:
    """Return up to 4096 bytes encrypted under a KMS key."""
    check_grant_tokens(p.GrantTokens)
    opened = open_key(call, p.KeyId or "", "kms:Encrypt", context=p.EncryptionContext)
    check_symmetric(p.EncryptionAlgorithm)
    if p.DryRun:
        raise DryRunOperationException
    keyholder = call.services.keyholder
    blob = await keyholder.encrypt(opened.material, opened.context, p.Plaintext or b"", opened.draft(call))
    call.recorded = True
    return EncryptOutput(CiphertextBlob=blob, KeyId=opened.arn, EncryptionAlgorithm=SYMMETRIC_DEFAULT)


async def decrypt(call: Call, p: DecryptInput) -> DecryptOutput:
    """Return what a ciphertext blob holds; the key is the one that the blob names."""
    check_recipient(p.Recipient)
    check_grant_tokens(p.GrantTokens)
    trial = _trial(p)
    opened = _source(call, p.CiphertextBlob, "kms:Decrypt", p.KeyId, p.EncryptionContext, trial)
    check_symmetric(p.EncryptionAlgorithm)
    if trial:
        raise DryRunOperationException
    plaintext = await open_blob(call, opened if not p.DryRun else _dry(opened), p.CiphertextBlob or b"")
    if p.DryRun:  # which says whether the ciphertext opens, too
        raise DryRunOperationException
    return DecryptOutput(
        KeyId=opened.arn,
        Plaintext=plaintext,
        EncryptionAlgorithm=SYMMETRIC_DEFAULT,
        KeyMaterialId=opened.material.material_id.hex(),
    )


async def re_encrypt(call: Call, p: ReEncryptInput) -> ReEncryptOutput:
    """Return a blob encrypted anew under another key or context; the plaintext stays in the keyholder."""
    check_grant_tokens(p.GrantTokens)
    trial = _trial(p)
    source = _source(call, p.CiphertextBlob, "kms:ReEncryptFrom", p.SourceKeyId, p.SourceEncryptionContext, trial)
    target = open_key(call, p.DestinationKeyId or "", "kms:ReEncryptTo", context=p.DestinationEncryptionContext)
    check_symmetric(p.SourceEncryptionAlgorithm)
    check_symmetric(p.DestinationEncryptionAlgorithm)
    if trial:
        raise DryRunOperationException
    if p.DryRun:
        await open_blob(call, _dry(source), p.CiphertextBlob or b"")
        raise DryRunOperationException
    blob = await _between(call, source, p.CiphertextBlob or b"", target)
    return ReEncryptOutput(
        CiphertextBlob=blob,
        SourceKeyId=source.arn,
        KeyId=target.arn,
        SourceEncryptionAlgorithm=SYMMETRIC_DEFAULT,
        DestinationEncryptionAlgorithm=SYMMETRIC_DEFAULT,
        SourceKeyMaterialId=source.material.material_id.hex(),
        DestinationKeyMaterialId=target.material.material_id.hex(),
    )


def _trial(p: DecryptInput | ReEncryptInput) -> bool:
    """Tell whether only the rights are to be tried, whatever the ciphertext (IGNORE_CIPHERTEXT)."""
    if not p.DryRunModifiers:
        return False
    if not p.DryRun:
        raise ValidationException("DryRunModifiers can only be specified when DryRun is true.")
    return _IGNORE_CIPHERTEXT in p.DryRunModifiers


def _source(
    call: Call,
    blob: bytes | None,
    action: str,
    key_id: str | None,
    context: Context | None,
    trial: bool,
) -> OpenKey:
    """Return the key that a blob names; in a trial of the rights the id goes before the blob, if it is given."""
    if trial and key_id is not None:
        return open_key(call, key_id, action, context=context)
    if trial and blob is None:
        raise ValidationException(null_at("keyId" if action == "kms:Decrypt" else "sourceKeyId"))
    if blob is None:
        raise ValidationException(null_at("ciphertextBlob"))
    return open_ciphertext(call, blob, action, identifier=key_id, context=context)


def _dry(opened: OpenKey) -> OpenKey:
    """Return the key with a record that says that nobody gets what is decrypted."""
    return msgspec.structs.replace(opened, dry_run=True)


async def open_blob(call: Call, opened: OpenKey, blob: bytes) -> bytes:
    """Return the plaintext of a blob; the keyholder records the use, also one that fails.

    Raises InvalidCiphertextException when the blob, its material and the context do not belong together.
    """
    try:
        plaintext = await call.services.keyholder.decrypt(opened.material, opened.context, blob, opened.draft(call))
    except TamperedError:
        call.recorded = True
        raise InvalidCiphertextException from None
    call.recorded = True
    return plaintext


async def _between(call: Call, source: OpenKey, blob: bytes, target: OpenKey) -> bytes:
    try:
        new_blob = await call.services.keyholder.re_encrypt(
            source.material,
            source.context,
            blob,
            target.material,
            target.context,
            source.draft(call),
            target.draft(call),
        )
    except TamperedError:
        call.recorded = True
        raise InvalidCiphertextException from None
    call.recorded = True
    return new_blob
