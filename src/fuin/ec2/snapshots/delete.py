"""DeleteSnapshot: the blocks that no other snapshot needs go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.ec2.request import resource_ids, rights
from fuin.ec2.snapshots.known import permitted_snapshot
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.form import Input
from fuin.store.errors import NotFound, StillUsed
from fuin.store.volumes import snapshot_blocks

if TYPE_CHECKING:
    from fuin.ec2.wire.answers import Output
    from fuin.ec2.wire.call import Ec2Call


class DeleteSnapshotInput(Input):
    """The input of DeleteSnapshot."""

    SnapshotId: str


async def delete_snapshot(call: Ec2Call, input: DeleteSnapshotInput) -> Output:
    """Delete a snapshot. While a volume is still to be filled from it, that is refused."""
    await call.consult(permitted_snapshot, "DeleteSnapshot", input.SnapshotId)
    rights.end_dry_run(input)
    await call.announce("delete")
    try:
        call.removed += await call.write(snapshot_blocks.delete_snapshot, input.SnapshotId)
    except NotFound:
        raise resource_ids.missing_fault(resource_ids.SNAPSHOT, input.SnapshotId) from None
    except StillUsed as error:
        text = f"The snapshot {input.SnapshotId} is currently in use by {error.what}, which is not filled from it yet."
        raise Ec2Fault("InvalidSnapshot.InUse", text) from None
    return {"return": True}
