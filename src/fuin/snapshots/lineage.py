"""New snapshots: their ids, and their rows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from fuin.store.volumes.snapshots import NO_VOLUME, PENDING, Snapshot

if TYPE_CHECKING:
    from fuin.gate.call import Call


def new_snapshot_id() -> str:
    """Return a fresh id of a snapshot: snap- and 17 hex digits."""
    return f"snap-0{os.urandom(8).hex()}"


def new_snapshot(call: Call, snapshot_id: str, **members: Any) -> Snapshot:
    """Return a pending snapshot of the caller's account; `members` say what it is of, and under which data key."""
    first: dict[str, Any] = {
        "volume_id": NO_VOLUME, "state": PENDING, "progress": 0, "message": "", "description": "",
        "started_at": call.now, "completed_at": None, "parent_id": "", "client_token": "", "request_digest": b"",
        "timeout_minutes": 0, "last_write_at": call.now, "index_blob": "", "block_count": 0,
    }  # fmt: skip
    return Snapshot(snapshot_id=snapshot_id, account=call.account, region=call.region, **{**first, **members})
