"""Data keys and random bytes: GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateRandom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.access.resources.own import OwnResource
from fuin.gate.permit import permit
from fuin.kms.key_stores.custom_key_stores import refuse_random
from fuin.kms.model.faults import KmsFault
from fuin.kms.model.shapes_parts import RecipientInfo
from fuin.kms.model.shapes_uses import (
    GenerateDataKeyInput,
    GenerateDataKeyOutput,
    GenerateDataKeyWithoutPlaintextInput,
    GenerateDataKeyWithoutPlaintextOutput,
    GenerateRandomInput,
    GenerateRandomOutput,
)
from fuin.kms.reach.grant_tokens import consult_grant_tokens
from fuin.kms.reach.key import open_key
from fuin.kms.reach.use import Use
from fuin.kms.uses import ciphers

if TYPE_CHECKING:
    from fuin.gate.call import Call

_LENGTHS = {"AES_256": 32, "AES_128": 16}
_GENERATE_DATA_KEY = Use("kms:GenerateDataKey")
_WITHOUT_PLAINTEXT = Use("kms:GenerateDataKeyWithoutPlaintext")


async def generate_data_key(call: Call, input: GenerateDataKeyInput) -> GenerateDataKeyOutput:
    """Return a fresh data key, once in the clear and once encrypted under the KMS key."""
    check_recipient(input.Recipient)
    length = data_key_length(input.KeySpec, input.NumberOfBytes)
    await consult_grant_tokens(call, input.GrantTokens)
    opened = await call.consult(open_key, input.KeyId or "", _GENERATE_DATA_KEY, input.EncryptionContext)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    plaintext, blob = await ciphers.data_key(call, opened, length)
    return GenerateDataKeyOutput(
        CiphertextBlob=blob, Plaintext=plaintext, KeyId=opened.arn, KeyMaterialId=opened.material_id
    )


async def generate_data_key_without_plaintext(
    call: Call, input: GenerateDataKeyWithoutPlaintextInput
) -> GenerateDataKeyWithoutPlaintextOutput:
    """Return a fresh data key encrypted under the KMS key, for somebody who will use it later."""
    length = data_key_length(input.KeySpec, input.NumberOfBytes)
    await consult_grant_tokens(call, input.GrantTokens)
    opened = await call.consult(open_key, input.KeyId or "", _WITHOUT_PLAINTEXT, input.EncryptionContext)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    blob = await ciphers.data_key_without_plaintext(call, opened, length)
    return GenerateDataKeyWithoutPlaintextOutput(
        CiphertextBlob=blob, KeyId=opened.arn, KeyMaterialId=opened.material_id
    )


async def generate_random(call: Call, input: GenerateRandomInput) -> GenerateRandomOutput:
    """Return random bytes of the keyholder."""
    check_recipient(input.Recipient)
    if input.NumberOfBytes is None:
        raise KmsFault("ValidationException", "NumberOfBytes is required.")
    await call.consult(permit, "kms:GenerateRandom", OwnResource("*", call.account))
    if input.CustomKeyStoreId is not None:
        await call.consult(refuse_random, input.CustomKeyStoreId)
    draft = call.draft(use="kms:GenerateRandom")
    plaintext = await call.use(call.services.keyholder.random(input.NumberOfBytes, draft))
    return GenerateRandomOutput(Plaintext=plaintext)


def data_key_length(key_spec: str | None, number_of_bytes: int | None) -> int:
    """Return the length in bytes; exactly one of the two must be given."""
    if (key_spec is None) == (number_of_bytes is None):
        raise KmsFault("ValidationException", "Please specify either number of bytes or key spec.")
    return _LENGTHS[key_spec] if key_spec is not None else number_of_bytes or 0


def check_recipient(recipient: RecipientInfo | None) -> None:
    """Refuse an enclave's attestation: answering in the clear would break what its sender relies on."""
    if recipient is not None:
        raise KmsFault("UnsupportedOperationException", "Fuin does not build Recipient, the answer to Nitro enclaves.")
