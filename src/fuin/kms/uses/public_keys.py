"""GetPublicKey, of asymmetric keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.keys.metadata import algorithms_for_usage
from fuin.kms.model.faults import KmsFault
from fuin.kms.model.shapes_uses import GetPublicKeyInput, GetPublicKeyOutput
from fuin.kms.model.specs import ENCAPSULATE_DECAPSULATE, ENCRYPT_DECRYPT, KEY_AGREEMENT, SIGN_VERIFY, SPECS
from fuin.kms.reach.grant_tokens import consult_grant_tokens
from fuin.kms.reach.key import open_key
from fuin.kms.reach.keyholder_errors import keyholder_answer
from fuin.kms.reach.use import Use

if TYPE_CHECKING:
    from fuin.gate.call import Call

_GET_PUBLIC_KEY = Use("kms:GetPublicKey", usage=None, algorithm=None)


async def get_public_key(call: Call, input: GetPublicKeyInput) -> GetPublicKeyOutput:
    """Return the public key of an asymmetric key; symmetric and HMAC keys have none."""
    await consult_grant_tokens(call, input.GrantTokens)
    opened = await call.consult(open_key, input.KeyId or "", _GET_PUBLIC_KEY)
    key = opened.key
    if SPECS[key.spec].symmetric:
        raise KmsFault("UnsupportedOperationException")  # AWS sends no message
    public = await keyholder_answer(call, call.services.keyholder.public_key(opened.material, opened.draft(call)))
    return GetPublicKeyOutput(
        KeyId=opened.arn,
        PublicKey=public,
        CustomerMasterKeySpec=key.spec,
        KeySpec=key.spec,
        KeyUsage=key.usage,
        EncryptionAlgorithms=algorithms_for_usage(key, ENCRYPT_DECRYPT),
        SigningAlgorithms=algorithms_for_usage(key, SIGN_VERIFY),
        KeyAgreementAlgorithms=algorithms_for_usage(key, KEY_AGREEMENT),
        EncapsulationAlgorithms=algorithms_for_usage(key, ENCAPSULATE_DECAPSULATE),
    )
