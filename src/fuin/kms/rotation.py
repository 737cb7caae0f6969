"""Rotation: GetKeyRotationStatus, which Terraform and others ask; no key rotates yet, and it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.key import found, reach
from fuin.kms.shapes import KeyInput, Output

if TYPE_CHECKING:
    from fuin.gate import Call


class GetKeyRotationStatusOutput(Output, frozen=True):
    """Whether the key's material is rotated."""

    KeyRotationEnabled: bool | None = None
    KeyId: str | None = None
    RotationPeriodInDays: int | None = None
    NextRotationDate: float | None = None
    OnDemandRotationStartDate: float | None = None


async def get_key_rotation_status(call: Call, p: KeyInput) -> GetKeyRotationStatusOutput:
    """Return that the key does not rotate; the key is told by its id here, not by its ARN."""
    named = reach(call, p.KeyId or "", "kms:GetKeyRotationStatus", foreign=True)
    return GetKeyRotationStatusOutput(KeyRotationEnabled=False, KeyId=found(named).key_id)
