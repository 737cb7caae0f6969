"""GetKeyLastUsage: the last successful cryptographic use of a key, exact and at once, from the audit log."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from fuin.formats.record import TRACKED_OPERATIONS
from fuin.kms.key import found, reach
from fuin.kms.shapes import KeyInput, Output

if TYPE_CHECKING:
    from fuin.gate import Call
    from fuin.keyholder.client import LastUse

# There is no CloudTrail; the event id is made of the request id, by which `fuin log` finds the records of the use.
_EVENTS = uuid.UUID("8f4a5a0e-2f0b-5d0e-9c3b-6f75696e6b6d")


class KeyLastUsageData(Output, frozen=True):
    """One use of a key; empty when there was none."""

    Operation: str | None = None
    Timestamp: float | None = None
    CloudTrailEventId: str | None = None
    KmsRequestId: str | None = None


class GetKeyLastUsageOutput(Output, frozen=True):
    """The last use of a key, and since when uses are known."""

    KeyId: str | None = None
    KeyLastUsage: KeyLastUsageData | None = None
    TrackingStartDate: float | None = None
    KeyCreationDate: float | None = None


async def get_key_last_usage(call: Call, p: KeyInput) -> GetKeyLastUsageOutput:
    """Return when and for what the key was last used; related multi-Region keys have uses of their own."""
    named = reach(call, p.KeyId or "", "kms:GetKeyLastUsage")
    key = found(named)
    last = await call.services.keyholder.last_use(key.key_id, key.region)
    return GetKeyLastUsageOutput(
        KeyId=key.key_id,
        KeyLastUsage=_use(last),
        TrackingStartDate=max(last.tracking_start, key.created),
        KeyCreationDate=key.created,
    )


def _use(last: LastUse) -> KeyLastUsageData:
    if last.time is None:
        return KeyLastUsageData()
    return KeyLastUsageData(
        Operation=TRACKED_OPERATIONS[last.use],
        Timestamp=last.time,
        CloudTrailEventId=str(uuid.uuid5(_EVENTS, last.request_id)),
        KmsRequestId=last.request_id,
    )
