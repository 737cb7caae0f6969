"""Sign and Verify, with RSA, ECC, Ed25519 and ML-DSA keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.model.faults import KmsFault
from fuin.kms.model.shapes_uses import SignInput, SignOutput, VerifyInput, VerifyOutput
from fuin.kms.model.specs import SIGN_VERIFY
from fuin.kms.reach.grant_tokens import check_grant_tokens
from fuin.kms.reach.key import OpenKey, open_key
from fuin.kms.reach.keyholder_errors import keyholder_answer
from fuin.kms.reach.use import Use

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.gate.call import Call

RAW, DIGEST, EXTERNAL_MU = "RAW", "DIGEST", "EXTERNAL_MU"
_ANY = 0


def _message_types(length: int) -> dict[str, int]:
    return {RAW: _ANY, DIGEST: length}


# The message types of each algorithm, with the length in bytes that such a message must have. FIPS 180-4; an external
# mu is of FIPS 204, section 6.2; AWS hashes a digest for Ed25519ph once more.
_MESSAGES: Mapping[str, Mapping[str, int]] = {
    "RSASSA_PSS_SHA_256": _message_types(32),
    "RSASSA_PSS_SHA_384": _message_types(48),
    "RSASSA_PSS_SHA_512": _message_types(64),
    "RSASSA_PKCS1_V1_5_SHA_256": _message_types(32),
    "RSASSA_PKCS1_V1_5_SHA_384": _message_types(48),
    "RSASSA_PKCS1_V1_5_SHA_512": _message_types(64),
    "ECDSA_SHA_256": _message_types(32),
    "ECDSA_SHA_384": _message_types(48),
    "ECDSA_SHA_512": _message_types(64),
    "SM2DSA": {},  # no key has it
    "SYMMETRIC_DEFAULT": {},  # nor this one; tools/kms_shapes.py says why it gets here
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


async def sign(call: Call, input: SignInput) -> SignOutput:
    """Return the signature of a message, or of a digest of one."""
    opened, algorithm, kind, message = await call.consult(_open_signing_key, "kms:Sign", input)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    keyholder = call.services.keyholder
    signature = await keyholder_answer(
        call, keyholder.sign(opened.material, algorithm, kind, message, opened.draft(call))
    )  # fmt: skip
    return SignOutput(KeyId=opened.arn, Signature=signature, SigningAlgorithm=algorithm)


async def verify(call: Call, input: VerifyInput) -> VerifyOutput:
    """Verify a signature; raises KMSInvalidSignatureException for a wrong one."""
    opened, algorithm, kind, message = await call.consult(_open_signing_key, "kms:Verify", input)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    keyholder = call.services.keyholder
    await keyholder_answer(
        call,
        keyholder.verify(opened.material, algorithm, kind, message, input.Signature or b"", opened.draft(call)),
        tampered="KMSInvalidSignatureException",
    )
    return VerifyOutput(KeyId=opened.arn, SignatureValid=True, SigningAlgorithm=algorithm)


def _open_signing_key(call: Call, action: str, input: SignInput | VerifyInput) -> tuple[OpenKey, str, str, bytes]:
    """Return the key for a message that it can sign, with the algorithm, the message type and the message."""
    algorithm, kind, message = input.SigningAlgorithm or "", input.MessageType or RAW, input.Message or b""
    check_grant_tokens(call, input.GrantTokens)
    opened = open_key(call, input.KeyId or "", _USES[action, algorithm, kind])
    check_message(opened.key.spec, algorithm, kind, message)
    return opened, algorithm, kind, message


def check_message(spec: str, algorithm: str, kind: str, message: bytes) -> None:
    """Refuse a message type that the algorithm does not have, and a digest of another length than its hash's."""
    length = _MESSAGES[algorithm].get(kind)
    if length is None:
        what = f"algorithm {algorithm}" if algorithm in _ONE_TYPE_ONLY else f"key spec {spec}"
        raise KmsFault("ValidationException", f"Message type {kind} is incompatible with {what}.")
    if length not in {_ANY, len(message)}:
        noun = "Digest" if kind == DIGEST else "External mu"
        raise KmsFault("ValidationException", f"{noun} is invalid length for algorithm {algorithm}.")
