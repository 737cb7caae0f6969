"""Data key pairs: GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms import throttling
from fuin.kms.data_keys import check_recipient
from fuin.kms.faults import DryRunOperationException, UnsupportedOperationException
from fuin.kms.grant_tokens import check_grant_tokens
from fuin.kms.key import Context, OpenKey, Use, open_key
from fuin.kms.shapes import Input, Output, RecipientInfo
from fuin.kms.specs import SM2, SPECS
from fuin.kms.uses import used

if TYPE_CHECKING:
    from fuin.gate.call import Call

_USES = {
    (action, spec.name): Use(action, more=(("kms:datakeypairspec", spec.name),))
    for action in ("kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext")
    for spec in SPECS.values()
    if spec.pair
}
_OF_KEY_STORES = frozenset({"AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"})


class GenerateDataKeyPairInput(Input, frozen=True):
    """What GenerateDataKeyPair takes."""

    EncryptionContext: Context | None = None
    KeyId: str | None = None
    KeyPairSpec: str | None = None
    GrantTokens: list[str] | None = None
    Recipient: RecipientInfo | None = None
    DryRun: bool | None = None


class GenerateDataKeyPairOutput(Output, frozen=True):
    """A data key pair: SubjectPublicKeyInfo and PKCS#8 in DER, the private key also encrypted under the KMS key."""

    PrivateKeyCiphertextBlob: bytes | None = None
    PrivateKeyPlaintext: bytes | None = None
    PublicKey: bytes | None = None
    KeyId: str | None = None
    KeyPairSpec: str | None = None
    CiphertextForRecipient: bytes | None = None
    KeyMaterialId: str | None = None

    def __repr__(self) -> str:
        return f"GenerateDataKeyPairOutput({self.KeyId})"


class GenerateDataKeyPairWithoutPlaintextInput(Input, frozen=True):
    """What GenerateDataKeyPairWithoutPlaintext takes."""

    EncryptionContext: Context | None = None
    KeyId: str | None = None
    KeyPairSpec: str | None = None
    GrantTokens: list[str] | None = None
    DryRun: bool | None = None


class GenerateDataKeyPairWithoutPlaintextOutput(Output, frozen=True):
    """A public key, and its private key encrypted under the KMS key."""

    PrivateKeyCiphertextBlob: bytes | None = None
    PublicKey: bytes | None = None
    KeyId: str | None = None
    KeyPairSpec: str | None = None
    KeyMaterialId: str | None = None


async def generate_data_key_pair(call: Call, p: GenerateDataKeyPairInput) -> GenerateDataKeyPairOutput:
    """Return a fresh key pair, its private key once in the clear and once encrypted under the KMS key."""
    check_recipient(p.Recipient)
    opened, spec = await call.consult(_opened, "kms:GenerateDataKeyPair", p)
    if p.DryRun:
        raise DryRunOperationException
    with throttling.slow(call, spec):
        private, public, blob = await used(
            call, call.services.keyholder.data_key_pair(opened.material, opened.parameter, spec, opened.draft(call))
        )
    await call.consult(_open_still, "kms:GenerateDataKeyPair", p)
    return GenerateDataKeyPairOutput(
        PrivateKeyCiphertextBlob=blob,
        PrivateKeyPlaintext=private,
        PublicKey=public,
        KeyId=opened.arn,
        KeyPairSpec=spec,
        KeyMaterialId=opened.material_id,
    )


async def generate_data_key_pair_without_plaintext(
    call: Call, p: GenerateDataKeyPairWithoutPlaintextInput
) -> GenerateDataKeyPairWithoutPlaintextOutput:
    """Return a fresh public key, and its private key encrypted under the KMS key, for somebody who needs it later."""
    opened, spec = await call.consult(_opened, "kms:GenerateDataKeyPairWithoutPlaintext", p)
    if p.DryRun:
        raise DryRunOperationException
    keyholder = call.services.keyholder
    with throttling.slow(call, spec):
        public, blob = await used(
            call,
            keyholder.data_key_pair_without_plaintext(opened.material, opened.parameter, spec, opened.draft(call)),
        )
    await call.consult(_open_still, "kms:GenerateDataKeyPairWithoutPlaintext", p)
    return GenerateDataKeyPairWithoutPlaintextOutput(
        PrivateKeyCiphertextBlob=blob,
        PublicKey=public,
        KeyId=opened.arn,
        KeyPairSpec=spec,
        KeyMaterialId=opened.material_id,
    )


def _opened(
    call: Call, action: str, p: GenerateDataKeyPairInput | GenerateDataKeyPairWithoutPlaintextInput
) -> tuple[OpenKey, str]:
    """Return the symmetric key that encrypts the private key, and the pair's spec; keys of key stores make no pairs."""
    spec = p.KeyPairSpec or ""
    if spec == SM2:
        raise UnsupportedOperationException(f"KeyPairSpec {SM2} is not supported in this Region.")
    check_grant_tokens(call, p.GrantTokens)
    opened = open_key(call, p.KeyId or "", _USES[action, spec], p.EncryptionContext)
    if opened.key.origin in _OF_KEY_STORES:
        raise UnsupportedOperationException(
            f"{opened.arn} origin is {opened.key.origin} which is not valid for this operation."
        )
    return opened, spec


def _open_still(
    call: Call, action: str, p: GenerateDataKeyPairInput | GenerateDataKeyPairWithoutPlaintextInput
) -> None:
    """Refuse the pair, on the record as well, if the key may no longer be used.

    An RSA pair may have waited for minutes, behind pairs that others let the keyholder make. The same answer as before
    is on the record already.
    """
    decisions = len(call.decisions)
    _opened(call, action, p)
    del call.decisions[decisions:]
