"""Encrypt, Decrypt and ReEncrypt, with symmetric and RSA keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin.errors import Fault, FormatError
from fuin.formats import blob
from fuin.kms.model.checks import null_at
from fuin.kms.model.faults import InvalidKeyUsageException, KmsFault
from fuin.kms.model.shapes_uses import (
    DecryptInput,
    DecryptOutput,
    EncryptInput,
    EncryptOutput,
    ReEncryptInput,
    ReEncryptOutput,
)
from fuin.kms.model.specs import ENCRYPT_DECRYPT, SYMMETRIC_DEFAULT
from fuin.kms.reach.grant_tokens import consult_grant_tokens
from fuin.kms.reach.key import Context, OpenKey, open_ciphertext, open_key
from fuin.kms.reach.key_identifiers import find_key
from fuin.kms.reach.use import Use
from fuin.kms.uses import ciphers, oaep
from fuin.kms.uses.data_keys import check_recipient

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


async def encrypt(call: Call, input: EncryptInput) -> EncryptOutput:
    """Return up to 4096 bytes encrypted under a KMS key."""
    algorithm = input.EncryptionAlgorithm or SYMMETRIC_DEFAULT
    if algorithm != SYMMETRIC_DEFAULT:
        call.facts["parameters"] = {"EncryptionAlgorithm": algorithm}
    await consult_grant_tokens(call, input.GrantTokens)
    opened = await call.consult(open_key, input.KeyId or "", _ENCRYPT[algorithm], input.EncryptionContext)
    _check_context(algorithm, input.EncryptionContext)
    oaep.check_plaintext(opened, input.Plaintext or b"")
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    ciphertext = await ciphers.encrypt(call, opened, input.Plaintext or b"")
    return EncryptOutput(CiphertextBlob=ciphertext, KeyId=opened.arn, EncryptionAlgorithm=algorithm)


async def decrypt(call: Call, input: DecryptInput) -> DecryptOutput:
    """Return the plaintext of a ciphertext; a symmetric blob names its key, RSA ciphertext needs its KeyId."""
    algorithm = input.EncryptionAlgorithm or SYMMETRIC_DEFAULT
    if algorithm != SYMMETRIC_DEFAULT:
        call.facts["parameters"] = {"EncryptionAlgorithm": algorithm}
    check_recipient(input.Recipient)
    await consult_grant_tokens(call, input.GrantTokens)
    trial = _is_trial(input)
    opened = await call.consult(
        _source_key, input.CiphertextBlob, _DECRYPT[algorithm], input.KeyId, input.EncryptionContext, trial=trial
    )
    if trial:
        raise KmsFault("DryRunOperationException")
    plaintext = await ciphers.decrypt(
        call, opened if not input.DryRun else _dry_run_key(opened), input.CiphertextBlob or b""
    )
    if input.DryRun:  # which says whether the ciphertext opens, too
        raise KmsFault("DryRunOperationException")
    return DecryptOutput(
        KeyId=opened.arn, Plaintext=plaintext, EncryptionAlgorithm=algorithm, KeyMaterialId=opened.material_id
    )


async def re_encrypt(call: Call, input: ReEncryptInput) -> ReEncryptOutput:
    """Return a ciphertext encrypted anew under another key or context; the plaintext stays in the keyholder."""
    old, new = (
        input.SourceEncryptionAlgorithm or SYMMETRIC_DEFAULT,
        input.DestinationEncryptionAlgorithm or SYMMETRIC_DEFAULT,
    )
    if old != SYMMETRIC_DEFAULT or new != SYMMETRIC_DEFAULT:
        call.facts["parameters"] = {"SourceEncryptionAlgorithm": old, "DestinationEncryptionAlgorithm": new}
    await consult_grant_tokens(call, input.GrantTokens)
    trial = _is_trial(input)
    same = await call.consult(_is_same_key, input)
    source = await call.consult(
        _source_key,
        input.CiphertextBlob,
        _FROM[old, same],
        input.SourceKeyId,
        input.SourceEncryptionContext,
        trial=trial,
    )
    target = await call.consult(
        open_key, input.DestinationKeyId or "", _TO[new, same], input.DestinationEncryptionContext
    )
    _check_context(new, input.DestinationEncryptionContext)
    if trial:
        raise KmsFault("DryRunOperationException")
    if input.DryRun:
        oaep.check_plaintext(target, await ciphers.decrypt(call, _dry_run_key(source), input.CiphertextBlob or b""))
        raise KmsFault("DryRunOperationException")
    ciphertext = await ciphers.re_encrypt(call, source, input.CiphertextBlob or b"", target)
    return ReEncryptOutput(
        CiphertextBlob=ciphertext,
        SourceKeyId=source.arn,
        KeyId=target.arn,
        SourceEncryptionAlgorithm=old,
        DestinationEncryptionAlgorithm=new,
        SourceKeyMaterialId=source.material_id,
        DestinationKeyMaterialId=target.material_id,
    )


def _is_trial(input: DecryptInput | ReEncryptInput) -> bool:
    """Return whether a dry run looks at the rights only, and not at the ciphertext (IGNORE_CIPHERTEXT)."""
    if not input.DryRunModifiers:
        return False
    if not input.DryRun:
        raise KmsFault("ValidationException", "DryRunModifiers can only be specified when DryRun is true.")
    return _IGNORE_CIPHERTEXT in input.DryRunModifiers


def _source_key(
    call: Call, ciphertext: bytes | None, use: Use, key_id: str | None, context: Context | None, *, trial: bool
) -> OpenKey:
    """Return the key of a ciphertext; in a trial of the rights the id goes before the blob, if it is given."""
    algorithm = use.algorithm or SYMMETRIC_DEFAULT
    if key_id is not None and (trial or (ciphertext is not None and algorithm != SYMMETRIC_DEFAULT)):
        opened = open_key(call, key_id, use, context)
        _check_context(algorithm, context)
        return opened
    if key_id is None and (algorithm != SYMMETRIC_DEFAULT or (trial and ciphertext is None)):
        raise KmsFault("ValidationException", null_at("keyId" if use.action == "kms:Decrypt" else "sourceKeyId"))
    if ciphertext is None:
        raise KmsFault("ValidationException", null_at("ciphertextBlob"))
    try:
        return open_ciphertext(call, ciphertext, use, identifier=key_id, context=context)
    except InvalidKeyUsageException:  # a key of another kind makes no blobs
        raise KmsFault("InvalidCiphertextException") from None


def _is_symmetric_blob(ciphertext: bytes) -> bool:
    """Return whether bytes are a blob of symmetric encryption."""
    try:
        blob.parse_ids(ciphertext)
    except FormatError:
        return False
    return True


def _is_same_key(call: Call, input: ReEncryptInput) -> bool:
    """Return whether the source and the destination are one key, for kms:ReEncryptOnSameKey; asks for no rights."""
    target = _key_id_of(call, input.DestinationKeyId)
    ciphertext = input.CiphertextBlob or b""
    symmetric = (input.SourceEncryptionAlgorithm or SYMMETRIC_DEFAULT) == SYMMETRIC_DEFAULT
    if symmetric and _is_symmetric_blob(ciphertext):
        return blob.parse_ids(ciphertext)[0] == target
    return target is not None and _key_id_of(call, input.SourceKeyId) == target


def _key_id_of(call: Call, identifier: str | None) -> str | None:
    """Return the id of the key that an identifier names, or None if an alias names none."""
    if identifier is None:
        return None
    if "alias/" not in identifier:  # a key id or key ARN, which needs no looking up to be compared
        return identifier.rpartition("/")[2]
    try:
        key = find_key(call, call.services.store.catalog(), identifier, aliases=True).key
    except Fault:
        return None
    return None if key is None else key.key_id


def _check_context(algorithm: str, context: Context | None) -> None:
    """Refuse an encryption context where there is nothing that could hold it."""
    if context and algorithm != SYMMETRIC_DEFAULT:
        raise KmsFault("ValidationException",
            "EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs."
        )  # fmt: skip


def _dry_run_key(opened: OpenKey) -> OpenKey:
    """Return the key for a use whose record says that nobody gets the plaintext."""
    return msgspec.structs.replace(opened, dry_run=True)
