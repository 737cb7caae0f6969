"""Calls that the service makes itself, when no request waits for it: each leaves its record."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fuin import ids
from fuin.access.principal import Principal
from fuin.clock import CLOCK
from fuin.gate.call import Call
from fuin.gate.record import RequestRecord

if TYPE_CHECKING:
    from fuin.gate.services import Services
    from fuin.store.volumes.snapshots import Snapshot

_ITSELF = Principal(kind="service", arn="ec2.amazonaws.com", account="", id="ec2.amazonaws.com")


def new_service_call(services: Services, operation: str, snapshot: Snapshot, **facts: Any) -> Call:
    """Return a call of the service about a snapshot."""
    return Call(
        services, ids.request_id(), "ebs", operation, _ITSELF, "", snapshot.region, CLOCK.steady_now(time.time()),
        record=RequestRecord({"snapshot": snapshot.snapshot_id, **facts}),
    )  # fmt: skip
