"""AttachVolume and DetachVolume: the right of a host to open a volume's data key begins and ends.

AttachVolume makes a grant for the host: Decrypt with the encryption context of this volume. A volume that is still to
be filled from a snapshot under another KMS key needs a second one, for the snapshot's data key. The attachment is
`attaching` until the host reports that the disk is open. DetachVolume asks the host to close it; `Force` does not wait
for the host. Both grants end with the attachment, in one transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.ec2.request import kms_refusals, resource_ids, rights
from fuin.ec2.volumes import endings, views
from fuin.ec2.volumes.known import permitted_host, permitted_volume
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.form import Input
from fuin.kms import volume_keys
from fuin.store.errors import NotFound, StoreRefusal
from fuin.store.volumes import attachments, snapshots, volumes
from fuin.store.volumes.attachments import Attachment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from fuin.ec2.volumes.views import VolumeView
    from fuin.ec2.wire.answers import Output
    from fuin.errors import AccessDenied, Fault
    from fuin.gate.call import Call
    from fuin.kms.volume_keys import PreparedGrant
    from fuin.store.volumes.hosts import Host
    from fuin.store.volumes.volumes import Volume

_DEVICE_AT_MOST = 64  # characters


class AttachVolumeInput(Input):
    """The input of AttachVolume."""

    VolumeId: str
    InstanceId: str
    Device: str
    EbsCardIndex: int | None = None


class DetachVolumeInput(Input):
    """The input of DetachVolume."""

    VolumeId: str
    InstanceId: str | None = None
    Device: str | None = None
    Force: bool = False


async def attach_volume(call: Call, input: AttachVolumeInput) -> Output:
    """Let a host open a volume."""
    view = await call.consult(permitted_volume, "AttachVolume", input.VolumeId)
    host = await call.consult(permitted_host, "AttachVolume", input.InstanceId)
    rights.end_dry_run(input)
    _check_attachable(view, host, input.Device)
    try:
        wanted, fill = await _prepare_grants(call, view.volume, host)
        attachment = Attachment(
            input.VolumeId, host.host_id, input.Device, attachments.ATTACHING, wanted.grant.grant_id,
            view.volume.kms_key_arn, round(call.now, 3), fill_grant_id="" if fill is None else fill.grant.grant_id,
        )  # fmt: skip
        await call.announce("change")
        await call.add(_insert, attachment, [wanted] if fill is None else [wanted, fill])
    except Ec2Fault:
        raise
    except kms_refusals.REFUSALS as error:
        raise _key_fault(call, view.volume, error) from None
    return views.attachment_item(attachment)


def _check_attachable(view: VolumeView, host: Host, device: str) -> None:
    volume = view.volume
    if view.attachment is not None:
        raise _attached_fault(volume.volume_id)
    if volume.state != volumes.AVAILABLE:
        raise Ec2Fault("IncorrectState", f"{volume.volume_id} is not 'available'.")
    if volume.zone != host.zone:
        text = f"The volume '{volume.volume_id}' is not in the same availability zone as instance '{host.host_id}'"
        raise Ec2Fault("InvalidVolume.ZoneMismatch", text)
    if not device or len(device) > _DEVICE_AT_MOST or not device.isprintable():
        raise Ec2Fault("InvalidParameterValue", f"Value ({device[:64]}) for parameter device is invalid.")


async def _prepare_grants(call: Call, volume: Volume, host: Host) -> tuple[PreparedGrant, PreparedGrant | None]:
    """Return the host's grant for the volume, and the one for the snapshot to fill it from; raises KMS's refusals."""
    to, fill = host.principal.arn, None
    if not volume.is_filled:
        source = await call.services.store.read(snapshots.find_snapshot, volume.snapshot_id)
        if source is not None and source.kms_key_arn != volume.kms_key_arn:
            fill = await volume_keys.prepare_host_grant(call, source.kms_key_arn, source.context_id, to)
            call.facts["fillGrant"] = call.facts["kmsGrant"]
    return await volume_keys.prepare_host_grant(call, volume.kms_key_arn, volume.context_id, to), fill


def _key_fault(call: Call, volume: Volume, error: Fault | AccessDenied) -> Ec2Fault:
    """Return AWS's answer to an attach without the key; the record has the cause."""
    call.facts["volumeNotAttached"] = kms_refusals.cause_of(error)
    return Ec2Fault(
        "CustomerKeyHasBeenRevoked",
        f"Volume {volume.volume_id} cannot be attached. The encrypted volume was unable to access the KMS master key.",
    )


def _insert(conn: Connection, attachment: Attachment, wanted: Sequence[PreparedGrant]) -> None:
    """Attach the volume, with the grants, if it is still there and free."""
    try:
        volume = volumes.lock_volume(conn, attachment.volume_id)
    except NotFound:
        raise resource_ids.missing_fault(resource_ids.VOLUME, attachment.volume_id) from None
    if volume.state != volumes.AVAILABLE:
        raise _attached_fault(attachment.volume_id)
    if attachments.is_device_taken(conn, attachment.host_id, attachment.device):
        device = attachment.device
        text = f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
        raise Ec2Fault("InvalidParameterValue", text)
    for prepared in wanted:
        try:
            prepared.insert(conn)
        except StoreRefusal as error:
            raise volume_keys.grant_refusal(prepared, error) from None
    try:
        attachments.insert_attachment(conn, attachment)
    except NotFound:  # the host was removed meanwhile
        raise resource_ids.missing_fault(resource_ids.HOST, attachment.host_id) from None
    volumes.set_state(conn, attachment.volume_id, volumes.IN_USE)


def _attached_fault(volume_id: str) -> Ec2Fault:
    return Ec2Fault("VolumeInUse", f"{volume_id} is already attached to an instance")


async def detach_volume(call: Call, input: DetachVolumeInput) -> Output:
    """Ask the host to close a volume, or (Force) end its right at once."""
    view = await call.consult(permitted_volume, "DetachVolume", input.VolumeId)
    attachment = _check_detachable(view, input)
    await call.consult(permitted_host, "DetachVolume", attachment.host_id)
    rights.end_dry_run(input)
    try:
        if input.Force:
            endings.name_grants(call, attachment)
            await call.change(endings.end_attachment, attachment)
        else:
            await call.write(attachments.set_state, input.VolumeId, attachments.DETACHING)
    except NotFound:
        raise _detached_fault(input.VolumeId) from None
    return views.attachment_item(attachment, attachments.DETACHING)


def _check_detachable(view: VolumeView, input: DetachVolumeInput) -> Attachment:
    attachment, volume_id = view.attachment, view.volume.volume_id
    if attachment is None:
        raise _detached_fault(volume_id)
    if input.InstanceId not in (None, attachment.host_id) or input.Device not in (None, attachment.device):
        text = f"The volume '{volume_id}' is not attached to instance '{input.InstanceId or ''}' as device "
        raise Ec2Fault("InvalidAttachment.NotFound", f"{text}'{input.Device or ''}'.")
    return attachment


def _detached_fault(volume_id: str) -> Ec2Fault:
    return Ec2Fault("IncorrectState", f"Volume '{volume_id}' is in the 'available' state.")
