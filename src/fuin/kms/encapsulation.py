"""Encapsulate and Decapsulate, with ML-KEM keys (FIPS 203)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.faults import DryRunOperationException, InvalidCiphertextException
from fuin.kms.grant_tokens import check_grant_tokens
from fuin.kms.key import Use, open_key
from fuin.kms.shapes import Input, Output
from fuin.kms.specs import ENCAPSULATE_DECAPSULATE
from fuin.kms.uses import used

if TYPE_CHECKING:
    from fuin.gate.call import Call

_ML_KEM = "ML_KEM"  # the only algorithm
_ENCAPSULATE = Use("kms:Encapsulate", ENCAPSULATE_DECAPSULATE, _ML_KEM)
_DECAPSULATE = Use("kms:Decapsulate", ENCAPSULATE_DECAPSULATE, _ML_KEM)


class EncapsulateInput(Input, frozen=True):
    """What Encapsulate takes."""

    KeyId: str | None = None
    EncapsulationAlgorithm: str | None = None
    GrantTokens: list[str] | None = None
    DryRun: bool | None = None


class EncapsulateOutput(Output, frozen=True):
    """A fresh shared secret of 32 bytes, and the ciphertext that gives it back."""

    KeyId: str | None = None
    SharedSecret: bytes | None = None
    SharedSecretCiphertextBlob: bytes | None = None
    EncapsulationAlgorithm: str | None = None

    def __repr__(self) -> str:
        return f"EncapsulateOutput({self.KeyId})"


class DecapsulateInput(Input, frozen=True):
    """What Decapsulate takes."""

    KeyId: str | None = None
    SharedSecretCiphertextBlob: bytes | None = None
    EncapsulationAlgorithm: str | None = None
    GrantTokens: list[str] | None = None
    DryRun: bool | None = None


class DecapsulateOutput(Output, frozen=True):
    """A shared secret of 32 bytes."""

    KeyId: str | None = None
    SharedSecret: bytes | None = None
    EncapsulationAlgorithm: str | None = None

    def __repr__(self) -> str:
        return f"DecapsulateOutput({self.KeyId})"


async def encapsulate(call: Call, p: EncapsulateInput) -> EncapsulateOutput:
    """Return a fresh shared secret and its ciphertext, made with the public key."""
    await call.consult(check_grant_tokens, p.GrantTokens)
    opened = await call.consult(open_key, p.KeyId or "", _ENCAPSULATE)
    if p.DryRun:
        raise DryRunOperationException
    secret, ciphertext = await used(
        call, call.services.keyholder.encapsulate(opened.material, opened.draft(call))
    )  # fmt: skip
    return EncapsulateOutput(
        KeyId=opened.arn, SharedSecret=secret, SharedSecretCiphertextBlob=ciphertext, EncapsulationAlgorithm=_ML_KEM
    )


async def decapsulate(call: Call, p: DecapsulateInput) -> DecapsulateOutput:
    """Return the shared secret of a ciphertext; only one of a wrong length is InvalidCiphertextException.

    Any other gives 32 bytes, by implicit rejection, if need be pseudo-random ones (FIPS 203, algorithm 18).
    """
    await call.consult(check_grant_tokens, p.GrantTokens)
    opened = await call.consult(open_key, p.KeyId or "", _DECAPSULATE)
    if p.DryRun:
        raise DryRunOperationException
    ciphertext = p.SharedSecretCiphertextBlob or b""
    secret = await used(
        call,
        call.services.keyholder.decapsulate(opened.material, ciphertext, opened.draft(call)),
        tampered=InvalidCiphertextException,
    )
    return DecapsulateOutput(KeyId=opened.arn, SharedSecret=secret, EncapsulationAlgorithm=_ML_KEM)
