"""Sign and Verify, with RSA, ECC, Ed25519 and ML-DSA keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.faults import DryRunOperationException, KMSInvalidSignatureException, ValidationException
from fuin.kms.grant_tokens import check_grant_tokens
from fuin.kms.key import OpenKey, Use, open_key
from fuin.kms.shapes import Input, Output
from fuin.kms.specs import SIGN_VERIFY
from fuin.kms.uses import used

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.gate.call import Call

RAW, DIGEST, EXTERNAL_MU = "RAW", "DIGEST", "EXTERNAL_MU"
_ANY = 0


def _hashed(length: int) -> dict[str, int]:
    return {RAW: _ANY, DIGEST: length}


# The message types of each algorithm, with the length in bytes that such a message must have. FIPS 180-4; an external
# mu is of FIPS 204, section 6.2; AWS hashes a digest for Ed25519ph once more.
_MESSAGES: Mapping[str, Mapping[str, int]] = {
    "RSASSA_PSS_SHA_256": _hashed(32),
    "RSASSA_PSS_SHA_384": _hashed(48),
    "RSASSA_PSS_SHA_512": _hashed(64),
    "RSASSA_PKCS1_V1_5_SHA_256": _hashed(32),
    "RSASSA_PKCS1_V1_5_SHA_384": _hashed(48),
    "RSASSA_PKCS1_V1_5_SHA_512": _hashed(64),
    "ECDSA_SHA_256": _hashed(32),
    "ECDSA_SHA_384": _hashed(48),
    "ECDSA_SHA_512": _hashed(64),
    "SM2DSA": {},  # no key has it
    "SYMMETRIC_DEFAULT": {},  # nor this one; model.py tells why it comes here
    "ML_DSA_SHAKE_256": {RAW: _ANY, EXTERNAL_MU: 64},
    "ED25519_SHA_512": {RAW: _ANY},
    "ED25519_PH_SHA_512": {DIGEST: 64},
}
_ONE_TYPE_ONLY = frozenset({"ED25519_SHA_512", "ED25519_PH_SHA_512"})  # two algorithms of one key spec
_USES = {
    (action, algorithm, kind): Use(action, SIGN_VERIFY, algorithm, (("kms:messagetype", kind),))
    for action in ("kms:Sign", "kms:Verify")
    for algorithm in _MESSAGES
    for kind in (RAW, DIGEST, EXTERNAL_MU)
}


class SignInput(Input, frozen=True):
    """What Sign takes."""

    KeyId: str | None = None
    Message: bytes | None = None
    MessageType: str | None = None
    GrantTokens: list[str] | None = None
    SigningAlgorithm: str | None = None
    DryRun: bool | None = None

    def __repr__(self) -> str:
        return f"SignInput({self.KeyId})"


class SignOutput(Output, frozen=True):
    """A signature."""

    KeyId: str | None = None
    Signature: bytes | None = None
    SigningAlgorithm: str | None = None


class VerifyInput(Input, frozen=True):
    """What Verify takes."""

    KeyId: str | None = None
    Message: bytes | None = None
    MessageType: str | None = None
    Signature: bytes | None = None
    SigningAlgorithm: str | None = None
    GrantTokens: list[str] | None = None
    DryRun: bool | None = None

    def __repr__(self) -> str:
        return f"VerifyInput({self.KeyId})"


class VerifyOutput(Output, frozen=True):
    """That a signature holds; one that does not is an error."""

    KeyId: str | None = None
    SignatureValid: bool | None = None
    SigningAlgorithm: str | None = None


async def sign(call: Call, p: SignInput) -> SignOutput:
    """Return the signature of a message, or of a digest of one."""
    opened, algorithm, kind, message = await call.consult(_opened, "kms:Sign", p)
    if p.DryRun:
        raise DryRunOperationException
    keyholder = call.services.keyholder
    signature = await used(
        call, keyholder.sign(opened.material, algorithm, kind, message, opened.draft(call))
    )  # fmt: skip
    return SignOutput(KeyId=opened.arn, Signature=signature, SigningAlgorithm=algorithm)


async def verify(call: Call, p: VerifyInput) -> VerifyOutput:
    """Say that a signature holds; raises KMSInvalidSignatureException when it does not."""
    opened, algorithm, kind, message = await call.consult(_opened, "kms:Verify", p)
    if p.DryRun:
        raise DryRunOperationException
    keyholder = call.services.keyholder
    await used(
        call,
        keyholder.verify(opened.material, algorithm, kind, message, p.Signature or b"", opened.draft(call)),
        tampered=KMSInvalidSignatureException,
    )
    return VerifyOutput(KeyId=opened.arn, SignatureValid=True, SigningAlgorithm=algorithm)


def _opened(call: Call, action: str, p: SignInput | VerifyInput) -> tuple[OpenKey, str, str, bytes]:
    """Return the key for a message that it can sign, with the algorithm, the message type and the message."""
    algorithm, kind, message = p.SigningAlgorithm or "", p.MessageType or RAW, p.Message or b""
    check_grant_tokens(call, p.GrantTokens)
    opened = open_key(call, p.KeyId or "", _USES[action, algorithm, kind])
    check_message(opened.key.spec, algorithm, kind, message)
    return opened, algorithm, kind, message


def check_message(spec: str, algorithm: str, kind: str, message: bytes) -> None:
    """Refuse a message type that the algorithm does not have, and a digest of another length than its hash's."""
    length = _MESSAGES[algorithm].get(kind)
    if length is None:
        what = f"algorithm {algorithm}" if algorithm in _ONE_TYPE_ONLY else f"key spec {spec}"
        raise ValidationException(f"Message type {kind} is incompatible with {what}.")
    if length not in {_ANY, len(message)}:
        noun = "Digest" if kind == DIGEST else "External mu"
        raise ValidationException(f"{noun} is invalid length for algorithm {algorithm}.")
