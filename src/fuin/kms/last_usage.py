"""GetKeyLastUsage: the last successful cryptographic use of a key, exact and at once, from the audit log."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from fuin.clock import CLOCK
from fuin.formats.record import TRACKED_OPERATIONS
from fuin.kms.key import found, reach
from fuin.kms.naming import find
from fuin.kms.shapes import KeyInput, Output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.access.facts import Values
    from fuin.gate.call import Call
    from fuin.keyholder.wire.client import LastUse
    from fuin.kms.naming import Named

# There is no CloudTrail; the event id is made of the request id, by which `fuin log` finds the records of the use.
_DAY = 86400.0
_EVENTS = uuid.UUID("8f4a5a0e-2f0b-5d0e-9c3b-6f75696e6b6d")


_UNUSED = "kms:TrailingDaysWithoutKeyUsage"


class _UsageWanted(Exception):
    """A condition asks when the key was last used, which only the keyholder knows: so it is waited for only then."""


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
    named = await call.consult(reach, p.KeyId or "", "kms:GetKeyLastUsage")
    key = found(named)
    last = await call.services.keyholder.last_use(key.key_id, key.region)
    return GetKeyLastUsageOutput(
        KeyId=key.key_id,
        KeyLastUsage=_use(last),
        TrackingStartDate=max(last.tracking_start, key.created),
        KeyCreationDate=key.created,
    )


async def reach_with_usage(call: Call, identifier: str, action: str, extra: Mapping[str, str] | None = None) -> Named:
    """Return what `reach` returns, with the condition key kms:TrailingDaysWithoutKeyUsage as well.

    Its value is the days, rounded down, since the key was last used, or else since it was made or uses are known.
    """
    given = extra or {}
    try:
        return await call.consult(reach, identifier, action, extra={**given, _UNUSED: _want})
    except _UsageWanted:
        key = found(await call.consult(find, call.services.store.catalog(), identifier, aliases=False))
    last = await call.services.keyholder.last_use(key.key_id, key.region)
    since = max(last.tracking_start, key.created) if last.time is None else last.time
    days = max(0, int((CLOCK.earliest() - since) // _DAY))  # a wrong clock makes no key look unused
    return await call.consult(reach, identifier, action, extra={**given, _UNUSED: str(days)})


def _want() -> Values:
    raise _UsageWanted


def _use(last: LastUse) -> KeyLastUsageData:
    if last.time is None:
        return KeyLastUsageData()
    return KeyLastUsageData(
        Operation=TRACKED_OPERATIONS[last.use],
        Timestamp=last.time,
        CloudTrailEventId=str(uuid.uuid5(_EVENTS, last.request_id)),
        KmsRequestId=last.request_id,
    )
