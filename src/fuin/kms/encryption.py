"""Encrypt, Decrypt and ReEncrypt, with symmetric and RSA keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin.kms import ciphers
from fuin.kms.data_keys import check_recipient
from fuin.kms.faults import DryRunOperationException, ValidationException
from fuin.kms.key import Context, OpenKey, Use, check_grant_tokens, open_ciphertext, open_key
from fuin.kms.model import null_at
from fuin.kms.shapes import Input, Output, RecipientInfo
from fuin.kms.specs import ENCRYPT_DECRYPT, SPECS, SYMMETRIC_DEFAULT

if TYPE_CHECKING:
    from fuin.gate import Call

_IGNORE_CIPHERTEXT = "IGNORE_CIPHERTEXT"
_OAEP_DIGEST = {"RSAES_OAEP_SHA_1": 20, "RSAES_OAEP_SHA_256": 32}  # bytes
_USES = {
    (action, algorithm): Use(action, ENCRYPT_DECRYPT, algorithm)
    for action in ("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo")
    for algorithm in (SYMMETRIC_DEFAULT, *_OAEP_DIGEST, "SM2PKE")
}


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
    algorithm = p.EncryptionAlgorithm or SYMMETRIC_DEFAULT
    check_grant_tokens(call, p.GrantTokens)
    opened = open_key(call, p.KeyId or "", _USES["kms:Encrypt", algorithm], p.EncryptionContext)
    check_plaintext(algorithm, opened, p.Plaintext or b"")
    if p.DryRun:
        raise DryRunOperationException
    blob = await ciphers.encrypt(call, opened, p.Plaintext or b"")
    return EncryptOutput(CiphertextBlob=blob, KeyId=opened.arn, EncryptionAlgorithm=algorithm)


async def decrypt(call: Call, p: DecryptInput) -> DecryptOutput:
    """Return what a ciphertext holds; a symmetric blob names its key, RSA ciphertext needs its KeyId."""
    algorithm = p.EncryptionAlgorithm or SYMMETRIC_DEFAULT
    check_recipient(p.Recipient)
    check_grant_tokens(call, p.GrantTokens)
    trial = _trial(p)
    opened = _source(call, p.CiphertextBlob, "kms:Decrypt", p.KeyId, algorithm, p.EncryptionContext, trial=trial)
    if trial:
        raise DryRunOperationException
    plaintext = await ciphers.decrypt(call, opened if not p.DryRun else _dry(opened), p.CiphertextBlob or b"")
    if p.DryRun:  # which says whether the ciphertext opens, too
        raise DryRunOperationException
    return DecryptOutput(
        KeyId=opened.arn, Plaintext=plaintext, EncryptionAlgorithm=algorithm, KeyMaterialId=opened.material_id
    )


async def re_encrypt(call: Call, p: ReEncryptInput) -> ReEncryptOutput:
    """Return a ciphertext encrypted anew under another key or context; the plaintext stays in the keyholder."""
    old, new = p.SourceEncryptionAlgorithm or SYMMETRIC_DEFAULT, p.DestinationEncryptionAlgorithm or SYMMETRIC_DEFAULT
    check_grant_tokens(call, p.GrantTokens)
    trial = _trial(p)
    source = _source(
        call, p.CiphertextBlob, "kms:ReEncryptFrom", p.SourceKeyId, old, p.SourceEncryptionContext, trial=trial
    )
    target = open_key(call, p.DestinationKeyId or "", _USES["kms:ReEncryptTo", new], p.DestinationEncryptionContext)
    if trial:
        raise DryRunOperationException
    if p.DryRun:
        await ciphers.decrypt(call, _dry(source), p.CiphertextBlob or b"")
        raise DryRunOperationException
    blob = await ciphers.re_encrypt(call, source, p.CiphertextBlob or b"", target)
    return ReEncryptOutput(
        CiphertextBlob=blob,
        SourceKeyId=source.arn,
        KeyId=target.arn,
        SourceEncryptionAlgorithm=old,
        DestinationEncryptionAlgorithm=new,
        SourceKeyMaterialId=source.material_id,
        DestinationKeyMaterialId=target.material_id,
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
    algorithm: str,
    context: Context | None,
    *,
    trial: bool,
) -> OpenKey:
    """Return the key of a ciphertext; in a trial of the rights the id goes before the blob, if it is given."""
    use = _USES[action, algorithm]
    if key_id is not None and (trial or (blob is not None and algorithm != SYMMETRIC_DEFAULT)):
        return open_key(call, key_id, use, context)
    if key_id is None and (algorithm != SYMMETRIC_DEFAULT or (trial and blob is None)):
        raise ValidationException(null_at("keyId" if action == "kms:Decrypt" else "sourceKeyId"))
    if blob is None:
        raise ValidationException(null_at("ciphertextBlob"))
    return open_ciphertext(call, blob, use, identifier=key_id, context=context)


def check_plaintext(algorithm: str, opened: OpenKey, plaintext: bytes) -> None:
    """Refuse a plaintext that is longer than RSA takes with its key's modulus (RFC 8017, section 7.1.1)."""
    digest = _OAEP_DIGEST.get(algorithm)
    if digest is None:
        return
    limit = SPECS[opened.key.spec].bits // 8 - 2 * digest - 2
    if len(plaintext) > limit:
        raise ValidationException(
            f"Algorithm {algorithm} and key spec {opened.key.spec} cannot encrypt data larger than {limit} bytes."
        )


def _dry(opened: OpenKey) -> OpenKey:
    """Return the key with a record that says that nobody gets what is decrypted."""
    return msgspec.structs.replace(opened, dry_run=True)
