"""Pending snapshots whose time is over: they become errors, on the record, and their blocks go.

A snapshot that StartSnapshot began ends when nothing was put for its timeout. It ends by the time that has certainly
come, since its blocks are lost with it.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from fuin import crash, ids
from fuin.access.principal import Principal
from fuin.clock import CLOCK
from fuin.gate.call import Call
from fuin.gate.record import RequestRecord
from fuin.store.engine.effect import Effect
from fuin.store.errors import StoreRefusal
from fuin.store.volumes import snapshot_blocks, snapshots

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.services import Services
    from fuin.store.volumes.snapshots import Snapshot

_ITSELF = Principal(kind="service", arn="ec2.amazonaws.com", account="", id="ec2.amazonaws.com")
MESSAGE = "The snapshot was not completed in time."


async def end_overdue(services: Services, due: float) -> int:
    """Make errors of the snapshots that were to be completed before `due`; returns how many."""
    ended = 0
    for snapshot in await services.store.read(snapshots.list_pending):
        if snapshot.is_overdue_at < due:
            with contextlib.suppress(StoreRefusal):  # it was completed or deleted meanwhile
                await _end(services, snapshot, due)
                ended += 1
    return ended


async def _end(services: Services, snapshot: Snapshot, due: float) -> None:
    facts = {"snapshot": snapshot.snapshot_id}
    call = Call(
        services, ids.request_id(), "ebs", "ExpireSnapshot", _ITSELF, "", snapshot.region,
        CLOCK.steady_now(time.time()), record=RequestRecord(facts),
    )  # fmt: skip
    await call.announce("delete")

    def fail(conn: Connection) -> list[str]:
        now = snapshots.find_snapshot(conn, snapshot.snapshot_id)
        if now is not None and now.is_overdue_at >= due:  # a block has come meanwhile
            return []
        return snapshot_blocks.fail(conn, snapshot.snapshot_id, MESSAGE)

    blobs, call.record.serial = await services.store.commit(fail, Effect.NONE, None)
    crash.point("snapshots.after_end")
    await call.conclude()
    services.blobs.remove(blobs)
