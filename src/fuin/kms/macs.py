"""GenerateMac and VerifyMac, with HMAC keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.faults import DryRunOperationException, KMSInvalidMacException
from fuin.kms.grant_tokens import check_grant_tokens
from fuin.kms.key import OpenKey, Use, open_key
from fuin.kms.shapes import Input, Output
from fuin.kms.specs import GENERATE_VERIFY_MAC
from fuin.kms.uses import used

if TYPE_CHECKING:
    from fuin.gate.call import Call

_USES = {
    (action, algorithm): Use(action, GENERATE_VERIFY_MAC, algorithm)
    for action in ("kms:GenerateMac", "kms:VerifyMac")
    for algorithm in ("HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512")
}


class GenerateMacInput(Input, frozen=True):
    """What GenerateMac takes."""

    Message: bytes | None = None
    KeyId: str | None = None
    MacAlgorithm: str | None = None
    GrantTokens: list[str] | None = None
    DryRun: bool | None = None

    def __repr__(self) -> str:
        return f"GenerateMacInput({self.KeyId})"


class GenerateMacOutput(Output, frozen=True):
    """A MAC."""

    Mac: bytes | None = None
    MacAlgorithm: str | None = None
    KeyId: str | None = None

    def __repr__(self) -> str:
        return f"GenerateMacOutput({self.KeyId})"


class VerifyMacInput(Input, frozen=True):
    """What VerifyMac takes."""

    Message: bytes | None = None
    KeyId: str | None = None
    MacAlgorithm: str | None = None
    Mac: bytes | None = None
    GrantTokens: list[str] | None = None
    DryRun: bool | None = None

    def __repr__(self) -> str:
        return f"VerifyMacInput({self.KeyId})"


class VerifyMacOutput(Output, frozen=True):
    """That a MAC holds; one that does not is an error."""

    KeyId: str | None = None
    MacValid: bool | None = None
    MacAlgorithm: str | None = None


async def generate_mac(call: Call, p: GenerateMacInput) -> GenerateMacOutput:
    """Return the HMAC of a message (RFC 2104)."""
    opened, algorithm, message = await call.consult(_opened, "kms:GenerateMac", p)
    if p.DryRun:
        raise DryRunOperationException
    mac = await used(
        call, call.services.keyholder.generate_mac(opened.material, algorithm, message, opened.draft(call))
    )  # fmt: skip
    return GenerateMacOutput(Mac=mac, MacAlgorithm=algorithm, KeyId=opened.arn)


async def verify_mac(call: Call, p: VerifyMacInput) -> VerifyMacOutput:
    """Say that a MAC holds; raises KMSInvalidMacException when it does not."""
    opened, algorithm, message = await call.consult(_opened, "kms:VerifyMac", p)
    if p.DryRun:
        raise DryRunOperationException
    keyholder = call.services.keyholder
    await used(
        call,
        keyholder.verify_mac(opened.material, algorithm, message, p.Mac or b"", opened.draft(call)),
        tampered=KMSInvalidMacException,
    )
    return VerifyMacOutput(KeyId=opened.arn, MacValid=True, MacAlgorithm=algorithm)


def _opened(call: Call, action: str, p: GenerateMacInput | VerifyMacInput) -> tuple[OpenKey, str, bytes]:
    """Return the key, the algorithm and the message."""
    algorithm = p.MacAlgorithm or ""
    check_grant_tokens(call, p.GrantTokens)
    return open_key(call, p.KeyId or "", _USES[action, algorithm]), algorithm, p.Message or b""
