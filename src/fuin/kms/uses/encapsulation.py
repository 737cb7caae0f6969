"""Encapsulate and Decapsulate, with ML-KEM keys (FIPS 203)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.model.faults import KmsFault
from fuin.kms.model.shapes_uses import DecapsulateInput, DecapsulateOutput, EncapsulateInput, EncapsulateOutput
from fuin.kms.model.specs import ENCAPSULATE_DECAPSULATE
from fuin.kms.reach.grant_tokens import consult_grant_tokens
from fuin.kms.reach.key import open_key
from fuin.kms.reach.keyholder_errors import keyholder_answer
from fuin.kms.reach.use import Use

if TYPE_CHECKING:
    from fuin.gate.call import Call

_ML_KEM = "ML_KEM"  # the only algorithm
_ENCAPSULATE = Use("kms:Encapsulate", ENCAPSULATE_DECAPSULATE, _ML_KEM)
_DECAPSULATE = Use("kms:Decapsulate", ENCAPSULATE_DECAPSULATE, _ML_KEM)


async def encapsulate(call: Call, input: EncapsulateInput) -> EncapsulateOutput:
    """Return a fresh shared secret and its ciphertext, made with the public key."""
    await consult_grant_tokens(call, input.GrantTokens)
    opened = await call.consult(open_key, input.KeyId or "", _ENCAPSULATE)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    secret, ciphertext = await keyholder_answer(
        call, call.services.keyholder.encapsulate(opened.material, opened.draft(call))
    )  # fmt: skip
    return EncapsulateOutput(
        KeyId=opened.arn, SharedSecret=secret, SharedSecretCiphertextBlob=ciphertext, EncapsulationAlgorithm=_ML_KEM
    )


async def decapsulate(call: Call, input: DecapsulateInput) -> DecapsulateOutput:
    """Return the shared secret of a ciphertext; only one of a wrong length is InvalidCiphertextException.

    Any other gives 32 bytes, by implicit rejection, if need be pseudo-random ones (FIPS 203, algorithm 18).
    """
    await consult_grant_tokens(call, input.GrantTokens)
    opened = await call.consult(open_key, input.KeyId or "", _DECAPSULATE)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    ciphertext = input.SharedSecretCiphertextBlob or b""
    secret = await keyholder_answer(
        call,
        call.services.keyholder.decapsulate(opened.material, ciphertext, opened.draft(call)),
        tampered="InvalidCiphertextException",
    )
    return DecapsulateOutput(KeyId=opened.arn, SharedSecret=secret, EncapsulationAlgorithm=_ML_KEM)
