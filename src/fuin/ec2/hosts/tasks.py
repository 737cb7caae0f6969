"""FuinDescribeHostTasks: the volumes that a host has to open or close, and the snapshots that it has to send."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from fuin.ec2.hosts.identity import calling_host
from fuin.ec2.request import rights
from fuin.ec2.wire.form import Input
from fuin.gate import lists
from fuin.store.volumes import attachments, snapshots, volumes

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.ec2.wire.answers import Output
    from fuin.gate.call import Call
    from fuin.store.volumes.attachments import Attachment
    from fuin.store.volumes.snapshots import Snapshot
    from fuin.store.volumes.volumes import Volume


class FuinDescribeHostTasksInput(Input):
    """The input of FuinDescribeHostTasks."""


async def describe_host_tasks(call: Call, input: FuinDescribeHostTasksInput) -> Output:
    """Return everything that a host has to know: all its attachments, and the pending snapshots of their volumes."""
    host = await call.consult(calling_host)
    rights.end_dry_run(input)
    found = await lists.page(call, _find_tasks, host.host_id)
    return {"hostId": host.host_id, "attachmentSet": found[0], "snapshotSet": found[1]}


def _find_tasks(conn: Connection, host_id: str) -> tuple[list[Output], list[Output]]:
    present = attachments.list_of_host(conn, host_id)
    found = [(one, volumes.find_volume(conn, one.volume_id)) for one in present]
    shown = [_attachment_item(one, volume) for one, volume in found if volume is not None]
    pending = snapshots.list_pending(conn, [one.volume_id for one in present]) if present else []
    return shown, [_snapshot_item(snapshot) for snapshot in pending]


def _attachment_item(attachment: Attachment, volume: Volume) -> Output:
    return {
        "volumeId": volume.volume_id,
        "state": attachment.state,
        "device": attachment.device,
        "size": volume.size,
        "volumeType": volume.volume_type,
        "dataKey": base64.b64encode(volume.data_key).decode(),
        "contextId": volume.context_id,
        "kmsKeyArn": volume.kms_key_arn,
        "snapshotId": "" if volume.is_filled else volume.snapshot_id,
        "isFormatted": volume.is_formatted,
        "home": volume.home,
    }


def _snapshot_item(snapshot: Snapshot) -> Output:
    return {
        "snapshotId": snapshot.snapshot_id,
        "volumeId": snapshot.volume_id,
        "state": snapshot.state,
        "parentId": snapshot.parent_id,
    }
