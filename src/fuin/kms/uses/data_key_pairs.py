"""Data key pairs: GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.model.faults import KmsFault
from fuin.kms.model.shapes_uses import (
    GenerateDataKeyPairInput,
    GenerateDataKeyPairOutput,
    GenerateDataKeyPairWithoutPlaintextInput,
    GenerateDataKeyPairWithoutPlaintextOutput,
)
from fuin.kms.model.specs import SM2, SPECS
from fuin.kms.reach import throttling
from fuin.kms.reach.grant_tokens import check_grant_tokens
from fuin.kms.reach.key import OpenKey, open_key
from fuin.kms.reach.keyholder_errors import keyholder_answer
from fuin.kms.reach.use import Use
from fuin.kms.uses.data_keys import check_recipient

if TYPE_CHECKING:
    from fuin.gate.call import Call

_USES = {
    (action, spec.name): Use(action, more=(("kms:datakeypairspec", spec.name),))
    for action in ("kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext")
    for spec in SPECS.values()
    if spec.pair
}
_OF_KEY_STORES = frozenset({"AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"})


async def generate_data_key_pair(call: Call, input: GenerateDataKeyPairInput) -> GenerateDataKeyPairOutput:
    """Return a fresh key pair, its private key once in the clear and once encrypted under the KMS key."""
    check_recipient(input.Recipient)
    opened, spec = await call.consult(_wrapping_key, "kms:GenerateDataKeyPair", input)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    with throttling.limit_slow_keys(call, spec):
        private, public, blob = await keyholder_answer(
            call, call.services.keyholder.data_key_pair(opened.material, opened.parameter, spec, opened.draft(call))
        )
    await call.consult(_check_still_allowed, "kms:GenerateDataKeyPair", input)
    return GenerateDataKeyPairOutput(
        PrivateKeyCiphertextBlob=blob,
        PrivateKeyPlaintext=private,
        PublicKey=public,
        KeyId=opened.arn,
        KeyPairSpec=spec,
        KeyMaterialId=opened.material_id,
    )


async def generate_data_key_pair_without_plaintext(
    call: Call, input: GenerateDataKeyPairWithoutPlaintextInput
) -> GenerateDataKeyPairWithoutPlaintextOutput:
    """Return a fresh public key, and its private key encrypted under the KMS key, for somebody who needs it later."""
    opened, spec = await call.consult(_wrapping_key, "kms:GenerateDataKeyPairWithoutPlaintext", input)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    keyholder = call.services.keyholder
    with throttling.limit_slow_keys(call, spec):
        public, blob = await keyholder_answer(
            call,
            keyholder.data_key_pair_without_plaintext(opened.material, opened.parameter, spec, opened.draft(call)),
        )
    await call.consult(_check_still_allowed, "kms:GenerateDataKeyPairWithoutPlaintext", input)
    return GenerateDataKeyPairWithoutPlaintextOutput(
        PrivateKeyCiphertextBlob=blob,
        PublicKey=public,
        KeyId=opened.arn,
        KeyPairSpec=spec,
        KeyMaterialId=opened.material_id,
    )


def _wrapping_key(
    call: Call, action: str, input: GenerateDataKeyPairInput | GenerateDataKeyPairWithoutPlaintextInput
) -> tuple[OpenKey, str]:
    """Return the symmetric key that encrypts the private key, and the pair's spec; keys of key stores make no pairs."""
    spec = input.KeyPairSpec or ""
    if spec == SM2:
        raise KmsFault("UnsupportedOperationException", f"KeyPairSpec {SM2} is not supported in this Region.")
    check_grant_tokens(call, input.GrantTokens)
    opened = open_key(call, input.KeyId or "", _USES[action, spec], input.EncryptionContext)
    if opened.key.origin in _OF_KEY_STORES:
        raise KmsFault(
            "UnsupportedOperationException",
            f"{opened.arn} origin is {opened.key.origin} which is not valid for this operation.",
        )
    return opened, spec


def _check_still_allowed(
    call: Call, action: str, input: GenerateDataKeyPairInput | GenerateDataKeyPairWithoutPlaintextInput
) -> None:
    """Refuse the pair, on the record as well, if the key may no longer be used.

    An RSA pair may have waited for minutes, behind pairs that others let the keyholder make. The same answer as before
    is on the record already.
    """
    decisions = len(call.decisions)
    _wrapping_key(call, action, input)
    del call.decisions[decisions:]
