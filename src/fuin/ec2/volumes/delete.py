"""DeleteVolume: the row and its data key go. What a host's disk still has cannot be opened by anybody then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.ec2.request import resource_ids, rights
from fuin.ec2.volumes.known import permitted_volume
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.form import Input
from fuin.store.errors import NotFound, StillUsed
from fuin.store.volumes import attachments, ec2_tags, volumes

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.ec2.wire.answers import Output
    from fuin.gate.call import Call


class DeleteVolumeInput(Input):
    """The input of DeleteVolume."""

    VolumeId: str


async def delete_volume(call: Call, input: DeleteVolumeInput) -> Output:
    """Delete a volume that is not attached; snapshots of it stay."""
    await call.consult(permitted_volume, "DeleteVolume", input.VolumeId)
    rights.end_dry_run(input)
    await call.announce("change")
    try:
        await call.write(_delete, input.VolumeId)
    except StillUsed as error:
        text = f"Volume {input.VolumeId} is currently attached to {error.what}"
        raise Ec2Fault("VolumeInUse", text) from None
    except NotFound:
        raise resource_ids.missing_fault(resource_ids.VOLUME, input.VolumeId) from None
    return {"return": True}


def _delete(conn: Connection, volume_id: str) -> None:
    """Delete the volume; raises NotFound, or StillUsed with the id of the host."""
    volume = volumes.lock_volume(conn, volume_id)
    attachment = attachments.find_attachment(conn, volume_id)
    if attachment is not None:
        raise StillUsed(attachment.host_id)
    ec2_tags.remove_all_tags(conn, volume.account, volume.region, volume_id)
    volumes.delete_volume(conn, volume_id)
