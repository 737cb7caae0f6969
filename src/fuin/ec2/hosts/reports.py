"""FuinReportAttachment and FuinReportSnapshot: what a host says about a disk, which only it sees.

| report | what it does |
|---|---|
| `attached` | the volume is open; an attachment that is to be closed stays so |
| `busy` | the volume cannot be closed, since it is mounted or open |
| `detached` | the attachment and its grants end, and the volume is available |
| `failed` | ends an attachment that is `attaching`; any other one may be open, and keeps its state, with the message |
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from fuin.ec2.hosts.identity import calling_host
from fuin.ec2.request import resource_ids, rights
from fuin.ec2.volumes import endings
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.form import Input
from fuin.store.errors import NotFound, StoreRefusal
from fuin.store.volumes import attachments, snapshot_blocks, snapshots, volumes
from fuin.store.volumes.attachments import Attachment

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.ec2.wire.answers import Output
    from fuin.ec2.wire.call import Ec2Call
    from fuin.gate.call import Call
    from fuin.store.volumes.snapshots import Snapshot

FAILED = "failed"
_MESSAGE_AT_MOST = 1024  # characters
# A host's message is logged with %r, which escapes line ends and all that a terminal could take for a command.
_log = logging.getLogger("fuin.volumes")


class FuinReportAttachmentInput(Input):
    """The input of FuinReportAttachment; a flag that is not given stays as it is."""

    VolumeId: str
    State: Literal["attached", "busy", "detached", "failed"]
    Message: str = ""
    Formatted: bool | None = None
    Filled: bool | None = None


class FuinReportSnapshotInput(Input):
    """The input of FuinReportSnapshot."""

    SnapshotId: str
    State: Literal["error"]
    Message: str = ""


async def report_attachment(call: Call, input: FuinReportAttachmentInput) -> Output:
    """Take a host's report about one of its attachments."""
    host = await call.consult(calling_host)
    rights.end_dry_run(input)
    call.facts["volume"] = resource_ids.check_id(resource_ids.VOLUME, input.VolumeId)
    present = await call.services.store.read(attachments.find_attachment, input.VolumeId)
    if present is None or present.host_id != host.host_id:
        raise _missing_attachment(input.VolumeId, host.host_id)
    message = input.Message[:_MESSAGE_AT_MOST]
    if input.State in (attachments.BUSY, FAILED):
        _log.warning("volume %s on host %s: %s: %r", input.VolumeId, host.host_id, input.State, message)
    try:
        if input.State == attachments.DETACHED or (input.State == FAILED and present.state == attachments.ATTACHING):
            endings.name_grants(call, present)
            await call.change(_end, present, input)
        elif input.Filled and present.fill_grant_id:
            await call.change(_note, present, input, message)
        else:
            await call.write(_note, present, input, message)
    except NotFound:
        raise _missing_attachment(input.VolumeId, host.host_id) from None
    return {"return": True}


def _missing_attachment(volume_id: str, host_id: str) -> Ec2Fault:
    text = f"The volume '{volume_id}' is not attached to instance '{host_id}'."
    return Ec2Fault("InvalidAttachment.NotFound", text)


def _end(conn: Connection, present: Attachment, input: FuinReportAttachmentInput) -> None:
    """Note how far the disk is, and end the attachment."""
    _note_disk(conn, present, input)
    endings.end_attachment(conn, present)


def _note(conn: Connection, present: Attachment, input: FuinReportAttachmentInput, message: str) -> None:
    """Note the report; raises NotFound if the attachment has ended meanwhile, or is another one now."""
    _note_disk(conn, present, input)
    now = attachments.find_attachment(conn, present.volume_id)
    if now is None or now.grant_id != present.grant_id:
        raise NotFound(present.volume_id)
    attachments.set_state(conn, present.volume_id, _next_state(now.state, input.State), message)
    if input.Filled:
        endings.delete_fill_grant(conn, now)


def _note_disk(conn: Connection, present: Attachment, input: FuinReportAttachmentInput) -> None:
    """Note where the disk is, and how far it is. Only a host that has a disk says anything about one."""
    volume = volumes.lock_volume(conn, present.volume_id)
    has_disk = input.State == attachments.ATTACHED or input.Formatted or input.Filled
    volumes.set_disk(
        conn,
        volume.volume_id,
        present.host_id if has_disk else volume.home,
        is_formatted=volume.is_formatted if input.Formatted is None else input.Formatted,
        is_filled=volume.is_filled if input.Filled is None else input.Filled,
    )


def _next_state(present: str, reported: str) -> str:
    """Return the state of an attachment after a report. What is to be closed does not become attached again."""
    is_closing = present in (attachments.DETACHING, attachments.BUSY)
    if reported == attachments.BUSY:
        return attachments.BUSY if is_closing else present
    return present if is_closing or reported == FAILED else attachments.ATTACHED


async def report_snapshot(call: Ec2Call, input: FuinReportSnapshotInput) -> Output:
    """Take a host's report that it cannot send the blocks of a snapshot."""
    host = await call.consult(calling_host)
    rights.end_dry_run(input)
    resource_ids.check_id(resource_ids.SNAPSHOT, input.SnapshotId)
    found = await call.services.store.read(_find_task, input.SnapshotId, host.host_id)
    if found is None:
        raise resource_ids.missing_fault(resource_ids.SNAPSHOT, input.SnapshotId)
    message = input.Message[:_MESSAGE_AT_MOST]
    _log.warning("snapshot %s on host %s: %r", input.SnapshotId, host.host_id, message)
    try:
        call.removed += await call.write(snapshot_blocks.fail, input.SnapshotId, message)
    except StoreRefusal:  # it was completed or deleted meanwhile
        return {"return": True}
    return {"return": True}


def _find_task(conn: Connection, snapshot_id: str, host_id: str) -> Snapshot | None:
    """Return a pending snapshot of a volume that is attached to the host."""
    found = snapshots.find_snapshot(conn, snapshot_id)
    if found is None or found.state != snapshots.PENDING:
        return None
    attachment = attachments.find_attachment(conn, found.volume_id)
    return found if attachment is not None and attachment.host_id == host_id else None
