"""GetPublicKey, of asymmetric keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.faults import UnsupportedOperationException
from fuin.kms.grant_tokens import check_grant_tokens
from fuin.kms.key import Use, open_key
from fuin.kms.shapes import Input, Output, algorithms_of
from fuin.kms.specs import ENCAPSULATE_DECAPSULATE, ENCRYPT_DECRYPT, KEY_AGREEMENT, SIGN_VERIFY, SPECS
from fuin.kms.uses import used

if TYPE_CHECKING:
    from fuin.gate.call import Call

_GET_PUBLIC_KEY = Use("kms:GetPublicKey", usage=None, algorithm=None)


class GetPublicKeyInput(Input, frozen=True):
    """What GetPublicKey takes."""

    KeyId: str | None = None
    GrantTokens: list[str] | None = None


class GetPublicKeyOutput(Output, frozen=True):
    """A public key, as SubjectPublicKeyInfo in DER (RFC 5280), and what it may be used for."""

    KeyId: str | None = None
    PublicKey: bytes | None = None
    CustomerMasterKeySpec: str | None = None
    KeySpec: str | None = None
    KeyUsage: str | None = None
    EncryptionAlgorithms: list[str] | None = None
    SigningAlgorithms: list[str] | None = None
    KeyAgreementAlgorithms: list[str] | None = None
    EncapsulationAlgorithms: list[str] | None = None


async def get_public_key(call: Call, p: GetPublicKeyInput) -> GetPublicKeyOutput:
    """Return the public key of an asymmetric key; symmetric and HMAC keys have none."""
    await call.consult(check_grant_tokens, p.GrantTokens)
    opened = await call.consult(open_key, p.KeyId or "", _GET_PUBLIC_KEY)
    key = opened.key
    if SPECS[key.spec].symmetric:
        raise UnsupportedOperationException  # AWS sends no message
    public = await used(call, call.services.keyholder.public_key(opened.material, opened.draft(call)))
    return GetPublicKeyOutput(
        KeyId=opened.arn,
        PublicKey=public,
        CustomerMasterKeySpec=key.spec,
        KeySpec=key.spec,
        KeyUsage=key.usage,
        EncryptionAlgorithms=algorithms_of(key, ENCRYPT_DECRYPT),
        SigningAlgorithms=algorithms_of(key, SIGN_VERIFY),
        KeyAgreementAlgorithms=algorithms_of(key, KEY_AGREEMENT),
        EncapsulationAlgorithms=algorithms_of(key, ENCAPSULATE_DECAPSULATE),
    )
