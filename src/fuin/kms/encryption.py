"""Encrypt, Decrypt and ReEncrypt, with symmetric and RSA keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin.errors import Fault, FormatError
from fuin.formats import blob
from fuin.kms import ciphers, oaep
from fuin.kms.data_keys import check_recipient
from fuin.kms.faults import (
    DryRunOperationException,
    InvalidCiphertextException,
    InvalidKeyUsageException,
    ValidationException,
)
from fuin.kms.grant_tokens import check_grant_tokens
from fuin.kms.key import Context, OpenKey, Use, open_ciphertext, open_key
from fuin.kms.model import null_at
from fuin.kms.naming import find
from fuin.kms.shapes import Input, Output, RecipientInfo
from fuin.kms.specs import ENCRYPT_DECRYPT, SYMMETRIC_DEFAULT

if TYPE_CHECKING:
    from fuin.gate.call import Call

_IGNORE_CIPHERTEXT = "IGNORE_CIPHERTEXT"
_ALGORITHMS = (SYMMETRIC_DEFAULT, "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE")
_ENCRYPT = {algorithm: Use("kms:Encrypt", ENCRYPT_DECRYPT, algorithm) for algorithm in _ALGORITHMS}
_DECRYPT = {algorithm: Use("kms:Decrypt", ENCRYPT_DECRYPT, algorithm) for algorithm in _ALGORITHMS}
_FROM, _TO = (
    {
        (algorithm, same): Use(
            action, ENCRYPT_DECRYPT, algorithm, (("kms:reencryptonsamekey", "true" if same else "false"),)
        )
        for algorithm in _ALGORITHMS
        for same in (False, True)
    }
    for action in ("kms:ReEncryptFrom", "kms:ReEncryptTo")
)


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
    if algorithm != SYMMETRIC_DEFAULT:
        call.facts["parameters"] = {"EncryptionAlgorithm": algorithm}
    await call.consult(check_grant_tokens, p.GrantTokens)
    opened = await call.consult(open_key, p.KeyId or "", _ENCRYPT[algorithm], p.EncryptionContext)
    _check_context(algorithm, p.EncryptionContext)
    oaep.check_plaintext(opened, p.Plaintext or b"")
    if p.DryRun:
        raise DryRunOperationException
    ciphertext = await ciphers.encrypt(call, opened, p.Plaintext or b"")
    return EncryptOutput(CiphertextBlob=ciphertext, KeyId=opened.arn, EncryptionAlgorithm=algorithm)


async def decrypt(call: Call, p: DecryptInput) -> DecryptOutput:
    """Return what a ciphertext holds; a symmetric blob names its key, RSA ciphertext needs its KeyId."""
    algorithm = p.EncryptionAlgorithm or SYMMETRIC_DEFAULT
    if algorithm != SYMMETRIC_DEFAULT:
        call.facts["parameters"] = {"EncryptionAlgorithm": algorithm}
    check_recipient(p.Recipient)
    await call.consult(check_grant_tokens, p.GrantTokens)
    trial = _trial(p)
    opened = await call.consult(
        _source, p.CiphertextBlob, _DECRYPT[algorithm], p.KeyId, p.EncryptionContext, trial=trial
    )
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
    if old != SYMMETRIC_DEFAULT or new != SYMMETRIC_DEFAULT:
        call.facts["parameters"] = {"SourceEncryptionAlgorithm": old, "DestinationEncryptionAlgorithm": new}
    await call.consult(check_grant_tokens, p.GrantTokens)
    trial = _trial(p)
    same = await call.consult(_is_same_key, p)
    source = await call.consult(
        _source, p.CiphertextBlob, _FROM[old, same], p.SourceKeyId, p.SourceEncryptionContext, trial=trial
    )
    target = await call.consult(open_key, p.DestinationKeyId or "", _TO[new, same], p.DestinationEncryptionContext)
    _check_context(new, p.DestinationEncryptionContext)
    if trial:
        raise DryRunOperationException
    if p.DryRun:
        oaep.check_plaintext(target, await ciphers.decrypt(call, _dry(source), p.CiphertextBlob or b""))
        raise DryRunOperationException
    ciphertext = await ciphers.re_encrypt(call, source, p.CiphertextBlob or b"", target)
    return ReEncryptOutput(
        CiphertextBlob=ciphertext,
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
    call: Call, ciphertext: bytes | None, use: Use, key_id: str | None, context: Context | None, *, trial: bool
) -> OpenKey:
    """Return the key of a ciphertext; in a trial of the rights the id goes before the blob, if it is given."""
    algorithm = use.algorithm or SYMMETRIC_DEFAULT
    if key_id is not None and (trial or (ciphertext is not None and algorithm != SYMMETRIC_DEFAULT)):
        opened = open_key(call, key_id, use, context)
        _check_context(algorithm, context)
        return opened
    if key_id is None and (algorithm != SYMMETRIC_DEFAULT or (trial and ciphertext is None)):
        raise ValidationException(null_at("keyId" if use.action == "kms:Decrypt" else "sourceKeyId"))
    if ciphertext is None:
        raise ValidationException(null_at("ciphertextBlob"))
    try:
        return open_ciphertext(call, ciphertext, use, identifier=key_id, context=context)
    except InvalidKeyUsageException:  # a key of another kind has not made any blob
        raise InvalidCiphertextException from None


def _names_a_key(ciphertext: bytes) -> bool:
    """Tell whether bytes are a blob of symmetric encryption."""
    try:
        blob.whose(ciphertext)
    except FormatError:
        return False
    return True


def _is_same_key(call: Call, p: ReEncryptInput) -> bool:
    """Tell whether the source and the destination are one key, for kms:ReEncryptOnSameKey; asks for no rights."""
    target = _key_id(call, p.DestinationKeyId)
    ciphertext = p.CiphertextBlob or b""
    symmetric = (p.SourceEncryptionAlgorithm or SYMMETRIC_DEFAULT) == SYMMETRIC_DEFAULT
    if symmetric and _names_a_key(ciphertext):
        return blob.whose(ciphertext)[0] == target
    return target is not None and _key_id(call, p.SourceKeyId) == target


def _key_id(call: Call, identifier: str | None) -> str | None:
    """Return the id of the key that an identifier names, or None if an alias names none."""
    if identifier is None:
        return None
    if "alias/" not in identifier:  # a key id or key ARN, which needs no looking up to be compared
        return identifier.rpartition("/")[2]
    try:
        key = find(call, call.services.store.catalog(), identifier, aliases=True).key
    except Fault:
        return None
    return None if key is None else key.key_id


def _check_context(algorithm: str, context: Context | None) -> None:
    """Refuse an encryption context where there is nothing that could hold it."""
    if context and algorithm != SYMMETRIC_DEFAULT:
        raise ValidationException(
            "EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs."
        )  # fmt: skip


def _dry(opened: OpenKey) -> OpenKey:
    """Return the key with a record that says that nobody gets what is decrypted."""
    return msgspec.structs.replace(opened, dry_run=True)
