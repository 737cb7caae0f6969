"""Expiry: the timed job that destroys the material of keys after their deletion window."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fuin import ids
from fuin.access.principal import Principal
from fuin.clock import CLOCK
from fuin.gate.call import Call
from fuin.gate.record import RequestRecord
from fuin.store.engine import epoch
from fuin.store.kms import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fuin.gate.services import Services

_ITSELF = Principal(kind="service", arn="kms.amazonaws.com", account="", id="kms.amazonaws.com")


def own_call(services: Services, operation: str, region: str, now: float, facts: dict[str, Any]) -> Call:
    """Return a call that the key service makes by itself: its records name the service as the principal."""
    return Call(services, ids.request_id(), "kms", operation, _ITSELF, "", region, now, record=RequestRecord(facts))


async def close_calls(calls: Iterable[Call], serial: int) -> None:
    """Put on the record that what was announced is done, with the serial by which the database holds it."""
    for call in calls:
        call.record.serial = serial
        await call.conclude()


async def purge(services: Services, due: float) -> list[str]:
    """Destroy the keys whose deletion date is not after `due`, the time that both clocks agree on; return their ids.

    The audit log says each end before it happens; after a crash in between it says it twice. For every
    request the keys are gone from their deletion date on, whenever this runs. Raises StoreUnavailable or
    KeyholderUnavailable; the next run goes on.
    """
    now = CLOCK.steady_now(time.time())
    expired = await services.store.read(keys.expired_keys, due)
    calls = []
    for key in expired:
        facts = {"kmsKey": ids.key_arn(key.account, key.region, key.key_id), "deletedKey": key.key_id}
        calls.append(own_call(services, "DeleteKey", key.region, now, facts))
        await calls[-1].announce("delete")
    await services.store.purge(due, now)
    if calls:
        await close_calls(calls, await services.store.read(epoch.read_serial, services.settings.member))
    for key in expired:
        await services.keyholder.forget(key.key_id)  # a related key in another Region is unwrapped again
    return [key.key_id for key in expired]
