"""Pending snapshots whose time is over: they become errors, on the record, and their blocks go.

A snapshot that StartSnapshot began ends when nothing was put for its timeout, and a copy when the worker that made it
has ended. It ends by the time that has certainly come, since its blocks are lost with it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fuin import crash
from fuin.snapshots.service_calls import new_service_call
from fuin.store.engine.effect import Effect
from fuin.store.errors import StoreRefusal
from fuin.store.volumes import snapshot_blocks, snapshots

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.services import Services
    from fuin.store.volumes.snapshots import Snapshot

MESSAGE = "The snapshot was not completed in time."


async def end_overdue(services: Services, due: float) -> int:
    """Make errors of the snapshots that were to be completed before `due`; returns how many."""
    ended = 0
    for snapshot in await services.store.read(snapshots.list_pending):
        if snapshot.is_overdue_at < due:
            with contextlib.suppress(StoreRefusal):  # it was completed or deleted meanwhile
                await end_snapshot(services, snapshot, MESSAGE, due)
                ended += 1
    return ended


async def end_snapshot(services: Services, snapshot: Snapshot, message: str, due: float = float("inf")) -> None:
    """Make an error of a pending snapshot, unless it has time until after `due` now; raises StoreRefusal."""
    call = new_service_call(services, "FailSnapshot", snapshot, message=message)
    await call.announce("delete")

    def fail(conn: Connection) -> list[str]:
        now = snapshots.find_snapshot(conn, snapshot.snapshot_id)
        if now is not None and now.is_overdue_at >= due and due != float("inf"):  # a block has come meanwhile
            return []
        return snapshot_blocks.fail(conn, snapshot.snapshot_id, message)

    blobs, call.record.serial = await services.store.commit(fail, Effect.NONE, None)
    crash.point("snapshots.after_end")
    await call.conclude()
    services.blobs.remove(blobs)
