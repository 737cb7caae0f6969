"""Volumes as answers show them: the row, its attachment and its tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fuin.ec2.account.regions import zone_id
from fuin.ec2.request.tags import tag_set
from fuin.ec2.wire.answers import timestamp
from fuin.store.volumes import attachments, ec2_tags, volumes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from fuin.ec2.wire.answers import Output
    from fuin.store.volumes.attachments import Attachment
    from fuin.store.volumes.volumes import Volume


class VolumeView(NamedTuple):
    """A volume with its attachment and its tags."""

    volume: Volume
    attachment: Attachment | None
    tags: dict[str, str]


def views_of(conn: Connection, account: str, region: str, found: Sequence[Volume]) -> list[VolumeView]:
    """Return volumes of an account and Region with their attachments and tags."""
    names = [volume.volume_id for volume in found]
    attached = attachments.find_of_volumes(conn, names)
    tags = ec2_tags.find_tags(conn, account, region, names)
    return [
        VolumeView(volume, attached.get(volume.volume_id), tags.get(volume.volume_id, {})) for volume in found
    ]  # fmt: skip


def find_view(conn: Connection, account: str, region: str, volume_id: str) -> VolumeView | None:
    """Return a volume that an account has in a Region."""
    volume = volumes.find_volume(conn, volume_id)
    if volume is None or (volume.account, volume.region) != (account, region):
        return None
    return views_of(conn, account, region, [volume])[0]


def volume_item(view: VolumeView) -> Output:
    """Return a volume as DescribeVolumes shows it."""
    volume, attachment, tags = view
    return {
        **new_volume_item(volume, tags),
        "status": volume.state,
        "attachmentSet": [] if attachment is None else [attachment_item(attachment)],
    }


def new_volume_item(volume: Volume, tags: dict[str, str]) -> Output:
    """Return a volume as CreateVolume shows it: it is always still being made."""
    return {
        "volumeId": volume.volume_id,
        "size": volume.size,
        "snapshotId": volume.snapshot_id,
        "availabilityZone": volume.zone,
        "availabilityZoneId": zone_id(volume.region, volume.zone),
        "status": volumes.CREATING,
        "createTime": timestamp(volume.created_at),
        "volumeType": volume.volume_type,
        "iops": volume.iops or None,
        "throughput": volume.throughput or None,
        "encrypted": True,
        "kmsKeyId": volume.kms_key_arn or None,
        "multiAttachEnabled": False,
        "tagSet": tag_set(tags),
    }


def attachment_item(attachment: Attachment, state: str | None = None) -> Output:
    """Return an attachment as AWS shows it, in another state if one is given."""
    return {
        "volumeId": attachment.volume_id,
        "instanceId": attachment.host_id,
        "device": attachment.device,
        "status": state or attachment.state,
        "attachTime": timestamp(attachment.attached_at),
        "deleteOnTermination": attachment.delete_on_termination,
    }
