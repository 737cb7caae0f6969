"""GetKeyLastUsage: the last successful cryptographic use of a key, exact and at once, from the audit log."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from fuin.clock import CLOCK
from fuin.formats.record import TRACKED_OPERATIONS
from fuin.kms.model.shapes_keys import GetKeyLastUsageInput, GetKeyLastUsageOutput
from fuin.kms.model.shapes_parts import KeyLastUsageData
from fuin.kms.reach.key import authorized_key, existing_key
from fuin.kms.reach.key_identifiers import find_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.access.facts import Values
    from fuin.gate.call import Call
    from fuin.keyholder.wire.client import LastKeyUse
    from fuin.kms.reach.key_identifiers import KeyReference

# There is no CloudTrail; the event id is made of the request id, by which `fuin log` finds the records of the use.
_DAY = 86400.0
_EVENTS = uuid.UUID("8f4a5a0e-2f0b-5d0e-9c3b-6f75696e6b6d")


_UNUSED = "kms:TrailingDaysWithoutKeyUsage"


class _UsageNeeded(Exception):
    """A condition asks when the key was last used. Only the keyholder knows that, so it is asked only then."""


async def get_key_last_usage(call: Call, input: GetKeyLastUsageInput) -> GetKeyLastUsageOutput:
    """Return when and for what the key was last used; related multi-Region keys have uses of their own."""
    named = await call.consult(authorized_key, input.KeyId or "", "kms:GetKeyLastUsage")
    key = existing_key(named)
    last = await call.services.keyholder.last_use(key.key_id, key.region)
    return GetKeyLastUsageOutput(
        KeyId=key.key_id,
        KeyLastUsage=_usage_data(last),
        TrackingStartDate=max(last.tracking_start, key.created),
        KeyCreationDate=key.created,
    )


async def authorized_key_with_usage(
    call: Call, identifier: str, action: str, extra: Mapping[str, str] | None = None
) -> KeyReference:
    """Return the same as `authorized_key`, which can ask for kms:TrailingDaysWithoutKeyUsage here.

    Its value is the days, rounded down, since the key was last used, or else since it was made or uses are known.
    """
    given = extra or {}
    try:
        return await call.consult(authorized_key, identifier, action, extra={**given, _UNUSED: _demand_usage})
    except _UsageNeeded:
        key = existing_key(await call.consult(_find_key, identifier))
    last = await call.services.keyholder.last_use(key.key_id, key.region)
    since = max(last.tracking_start, key.created) if last.time is None else last.time
    days = max(0, int((CLOCK.earliest() - since) // _DAY))  # a wrong clock makes no key look unused
    return await call.consult(authorized_key, identifier, action, extra={**given, _UNUSED: str(days)})


def _find_key(call: Call, identifier: str) -> KeyReference:
    return find_key(call, call.services.store.catalog(), identifier, aliases=False)


def _demand_usage() -> Values:
    raise _UsageNeeded


def _usage_data(last: LastKeyUse) -> KeyLastUsageData:
    if last.time is None:
        return KeyLastUsageData()
    return KeyLastUsageData(
        Operation=TRACKED_OPERATIONS[last.use],
        Timestamp=last.time,
        CloudTrailEventId=str(uuid.uuid5(_EVENTS, last.request_id)),
        KmsRequestId=last.request_id,
    )
