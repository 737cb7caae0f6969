"""The operations of EC2 that are built, and Fuin's own for hosts: the input of each, and its function.

The other operations of EC2 get an error that says so (`app.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fuin.ec2.account import ebs_defaults, regions
from fuin.ec2.hosts import reports, tasks
from fuin.ec2.snapshots import copies, sharing
from fuin.ec2.snapshots import create as snapshot_creation
from fuin.ec2.snapshots import delete as snapshot_deletion
from fuin.ec2.snapshots import describe as snapshot_lists
from fuin.ec2.tags import tags
from fuin.ec2.volumes import attach, create, delete, describe, modify
from fuin.ec2.wire.form import Input

if TYPE_CHECKING:
    from fuin.ec2.wire.answers import Output

Function = Callable[..., Awaitable["Output"]]


@dataclass(frozen=True, slots=True)
class Ec2Operation:
    """One operation; `is_for_hosts` marks Fuin's own, which only hosts may call."""

    name: str
    input: type[Input]
    run: Function
    is_for_hosts: bool = False


def _table(*rows: tuple[type[Input], Any]) -> dict[str, Ec2Operation]:
    """Return the operations by name, which is that of the input without its end."""
    found = {}
    for kind, run in rows:
        name = kind.__name__.removesuffix("Input")
        found[name] = Ec2Operation(name, kind, run, name.startswith("Fuin"))
    return found


OPERATIONS = _table(
    (regions.DescribeAvailabilityZonesInput, regions.describe_availability_zones),
    (regions.DescribeRegionsInput, regions.describe_regions),
    (ebs_defaults.DisableEbsEncryptionByDefaultInput, ebs_defaults.disable_ebs_encryption_by_default),
    (ebs_defaults.EnableEbsEncryptionByDefaultInput, ebs_defaults.enable_ebs_encryption_by_default),
    (ebs_defaults.GetEbsDefaultKmsKeyIdInput, ebs_defaults.get_ebs_default_kms_key_id),
    (ebs_defaults.GetEbsEncryptionByDefaultInput, ebs_defaults.get_ebs_encryption_by_default),
    (ebs_defaults.ModifyEbsDefaultKmsKeyIdInput, ebs_defaults.modify_ebs_default_kms_key_id),
    (ebs_defaults.ResetEbsDefaultKmsKeyIdInput, ebs_defaults.reset_ebs_default_kms_key_id),
    (attach.AttachVolumeInput, attach.attach_volume),
    (create.CreateVolumeInput, create.create_volume),
    (delete.DeleteVolumeInput, delete.delete_volume),
    (describe.DescribeVolumeAttributeInput, describe.describe_volume_attribute),
    (describe.DescribeVolumeStatusInput, describe.describe_volume_status),
    (describe.DescribeVolumesInput, describe.describe_volumes),
    (modify.DescribeVolumesModificationsInput, modify.describe_volumes_modifications),
    (attach.DetachVolumeInput, attach.detach_volume),
    (modify.ModifyVolumeInput, modify.modify_volume),
    (tasks.FuinDescribeHostTasksInput, tasks.describe_host_tasks),
    (reports.FuinReportAttachmentInput, reports.report_attachment),
    (reports.FuinReportSnapshotInput, reports.report_snapshot),
    (copies.CopySnapshotInput, copies.copy_snapshot),
    (snapshot_creation.CreateSnapshotInput, snapshot_creation.create_snapshot),
    (snapshot_creation.CreateSnapshotsInput, snapshot_creation.create_snapshots),
    (snapshot_deletion.DeleteSnapshotInput, snapshot_deletion.delete_snapshot),
    (sharing.DescribeSnapshotAttributeInput, sharing.describe_snapshot_attribute),
    (snapshot_lists.DescribeSnapshotsInput, snapshot_lists.describe_snapshots),
    (sharing.ModifySnapshotAttributeInput, sharing.modify_snapshot_attribute),
    (sharing.ResetSnapshotAttributeInput, sharing.reset_snapshot_attribute),
    (tags.CreateTagsInput, tags.create_tags),
    (tags.DeleteTagsInput, tags.delete_tags),
    (tags.DescribeTagsInput, tags.describe_tags),
)
