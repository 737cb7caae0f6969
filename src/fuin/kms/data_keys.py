"""Data keys and random bytes: GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateRandom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.gate.permit import permit_identity
from fuin.kms import ciphers
from fuin.kms.custom_key_stores import refuse_random
from fuin.kms.faults import (
    DryRunOperationException,
    UnsupportedOperationException,
    ValidationException,
)
from fuin.kms.grant_tokens import check_grant_tokens
from fuin.kms.key import Context, Use, open_key
from fuin.kms.shapes import Input, Output, RecipientInfo

if TYPE_CHECKING:
    from fuin.gate.call import Call

_LENGTHS = {"AES_256": 32, "AES_128": 16}
_GENERATE_DATA_KEY = Use("kms:GenerateDataKey")
_WITHOUT_PLAINTEXT = Use("kms:GenerateDataKeyWithoutPlaintext")


class GenerateDataKeyInput(Input, frozen=True):
    """What GenerateDataKey takes."""

    KeyId: str | None = None
    EncryptionContext: Context | None = None
    NumberOfBytes: int | None = None
    KeySpec: str | None = None
    GrantTokens: list[str] | None = None
    Recipient: RecipientInfo | None = None
    DryRun: bool | None = None


class GenerateDataKeyOutput(Output, frozen=True):
    """A data key in the clear and encrypted under the KMS key."""

    CiphertextBlob: bytes | None = None
    Plaintext: bytes | None = None
    KeyId: str | None = None
    CiphertextForRecipient: bytes | None = None
    KeyMaterialId: str | None = None

    def __repr__(self) -> str:
        return f"GenerateDataKeyOutput({self.KeyId})"


class GenerateDataKeyWithoutPlaintextInput(Input, frozen=True):
    """What GenerateDataKeyWithoutPlaintext takes."""

    KeyId: str | None = None
    EncryptionContext: Context | None = None
    KeySpec: str | None = None
    NumberOfBytes: int | None = None
    GrantTokens: list[str] | None = None
    DryRun: bool | None = None


class GenerateDataKeyWithoutPlaintextOutput(Output, frozen=True):
    """A data key encrypted under the KMS key."""

    CiphertextBlob: bytes | None = None
    KeyId: str | None = None
    KeyMaterialId: str | None = None


class GenerateRandomInput(Input, frozen=True):
    """What GenerateRandom takes."""

    NumberOfBytes: int | None = None
    CustomKeyStoreId: str | None = None
    Recipient: RecipientInfo | None = None


class GenerateRandomOutput(Output, frozen=True):
    """Random bytes."""

    Plaintext: bytes | None = None
    CiphertextForRecipient: bytes | None = None

    def __repr__(self) -> str:
        return "GenerateRandomOutput(...)"


async def generate_data_key(call: Call, p: GenerateDataKeyInput) -> GenerateDataKeyOutput:
    """Return a fresh data key, once in the clear and once encrypted under the KMS key."""
    check_recipient(p.Recipient)
    length = data_key_length(p.KeySpec, p.NumberOfBytes)
    await call.consult(check_grant_tokens, p.GrantTokens)
    opened = await call.consult(open_key, p.KeyId or "", _GENERATE_DATA_KEY, p.EncryptionContext)
    if p.DryRun:
        raise DryRunOperationException
    plaintext, blob = await ciphers.data_key(call, opened, length)
    return GenerateDataKeyOutput(
        CiphertextBlob=blob, Plaintext=plaintext, KeyId=opened.arn, KeyMaterialId=opened.material_id
    )


async def generate_data_key_without_plaintext(
    call: Call, p: GenerateDataKeyWithoutPlaintextInput
) -> GenerateDataKeyWithoutPlaintextOutput:
    """Return a fresh data key encrypted under the KMS key, for somebody who will use it later."""
    length = data_key_length(p.KeySpec, p.NumberOfBytes)
    await call.consult(check_grant_tokens, p.GrantTokens)
    opened = await call.consult(open_key, p.KeyId or "", _WITHOUT_PLAINTEXT, p.EncryptionContext)
    if p.DryRun:
        raise DryRunOperationException
    blob = await ciphers.data_key_without_plaintext(call, opened, length)
    return GenerateDataKeyWithoutPlaintextOutput(
        CiphertextBlob=blob, KeyId=opened.arn, KeyMaterialId=opened.material_id
    )


async def generate_random(call: Call, p: GenerateRandomInput) -> GenerateRandomOutput:
    """Return random bytes of the keyholder."""
    check_recipient(p.Recipient)
    if p.NumberOfBytes is None:
        raise ValidationException("NumberOfBytes is required.")
    await call.consult(permit_identity, "kms:GenerateRandom", "*", call.account)
    if p.CustomKeyStoreId is not None:
        await call.consult(refuse_random, p.CustomKeyStoreId)
    draft = call.draft(use="kms:GenerateRandom")
    plaintext = await call.use(call.services.keyholder.random(p.NumberOfBytes, draft))
    return GenerateRandomOutput(Plaintext=plaintext)


def data_key_length(key_spec: str | None, number_of_bytes: int | None) -> int:
    """Return the length in bytes; exactly one of the two must be given."""
    if (key_spec is None) == (number_of_bytes is None):
        raise ValidationException("Please specify either number of bytes or key spec.")
    return _LENGTHS[key_spec] if key_spec is not None else number_of_bytes or 0


def check_recipient(recipient: RecipientInfo | None) -> None:
    """Refuse an enclave's attestation: answering in the clear would break what its sender relies on."""
    if recipient is not None:
        raise UnsupportedOperationException("Fuin does not build Recipient, the answer to Nitro enclaves.")
