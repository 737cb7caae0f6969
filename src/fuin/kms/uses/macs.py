"""GenerateMac and VerifyMac, with HMAC keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.model.faults import KmsFault
from fuin.kms.model.shapes_uses import GenerateMacInput, GenerateMacOutput, VerifyMacInput, VerifyMacOutput
from fuin.kms.model.specs import GENERATE_VERIFY_MAC
from fuin.kms.reach.grant_tokens import check_grant_tokens
from fuin.kms.reach.key import OpenKey, open_key
from fuin.kms.reach.keyholder_errors import keyholder_answer
from fuin.kms.reach.use import Use

if TYPE_CHECKING:
    from fuin.gate.call import Call

_USES = {
    (action, algorithm): Use(action, GENERATE_VERIFY_MAC, algorithm)
    for action in ("kms:GenerateMac", "kms:VerifyMac")
    for algorithm in ("HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512")
}


async def generate_mac(call: Call, input: GenerateMacInput) -> GenerateMacOutput:
    """Return the HMAC of a message (RFC 2104)."""
    opened, algorithm, message = await call.consult(_open_mac_key, "kms:GenerateMac", input)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    mac = await keyholder_answer(
        call, call.services.keyholder.generate_mac(opened.material, algorithm, message, opened.draft(call))
    )  # fmt: skip
    return GenerateMacOutput(Mac=mac, MacAlgorithm=algorithm, KeyId=opened.arn)


async def verify_mac(call: Call, input: VerifyMacInput) -> VerifyMacOutput:
    """Verify a MAC; raises KMSInvalidMacException for a wrong one."""
    opened, algorithm, message = await call.consult(_open_mac_key, "kms:VerifyMac", input)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    keyholder = call.services.keyholder
    await keyholder_answer(
        call,
        keyholder.verify_mac(opened.material, algorithm, message, input.Mac or b"", opened.draft(call)),
        tampered="KMSInvalidMacException",
    )
    return VerifyMacOutput(KeyId=opened.arn, MacValid=True, MacAlgorithm=algorithm)


def _open_mac_key(call: Call, action: str, input: GenerateMacInput | VerifyMacInput) -> tuple[OpenKey, str, bytes]:
    """Return the key, the algorithm and the message."""
    algorithm = input.MacAlgorithm or ""
    check_grant_tokens(call, input.GrantTokens)
    return open_key(call, input.KeyId or "", _USES[action, algorithm]), algorithm, input.Message or b""
