"""CreateSnapshot and CreateSnapshots: of volumes whose blocks their host sends.

Only a host sees the disk of a volume. So a snapshot is `pending` until the host has read the blocks and sent them
through the EBS direct APIs. A host that has not opened the disk yet, or not filled it, would send too few: that is
refused. A volume from nothing that no host has formatted has no blocks: its snapshot is complete at once, and empty.

A snapshot has the data key of its volume as it is, so KMS is not asked, as on AWS.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from fuin.ec2.request import rights, tags
from fuin.ec2.snapshots import views
from fuin.ec2.snapshots.known import permit_new_snapshot
from fuin.ec2.volumes.known import permitted_host, permitted_volume, volume_conditions
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.form import Input
from fuin.ec2.wire.members import TagSpecification
from fuin.kms import volume_keys
from fuin.snapshots.lineage import new_snapshot, new_snapshot_id
from fuin.store.errors import TooManyTags
from fuin.store.volumes import attachments, ec2_tags, snapshots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from fuin.ec2.volumes.views import VolumeView
    from fuin.ec2.wire.answers import Output
    from fuin.gate.call import Call
    from fuin.store.volumes.snapshots import Snapshot

_PENDING_AT_MOST = 5  # snapshots of one volume
_OF_SLOW_VOLUMES = {"st1": 1, "sc1": 1}
_DESCRIPTION_AT_MOST = 255  # characters


class CreateSnapshotInput(Input):
    """The input of CreateSnapshot."""

    VolumeId: str
    Description: str = ""
    OutpostArn: str | None = None
    Location: str | None = None
    TagSpecification: list[TagSpecification] = []


class InstanceSpecification(msgspec.Struct, forbid_unknown_fields=True):
    """The host whose volumes are meant, and those that are not."""

    InstanceId: str
    ExcludeBootVolume: bool = False
    ExcludeDataVolumeId: list[str] = []


class CreateSnapshotsInput(Input):
    """The input of CreateSnapshots."""

    InstanceSpecification: InstanceSpecification
    Description: str = ""
    OutpostArn: str | None = None
    Location: str | None = None
    CopyTagsFromSource: Literal["volume"] | None = None
    TagSpecification: list[TagSpecification] = []


class _New(NamedTuple):
    """A snapshot that is to be made, with its tags; `at_most` may be pending of its volume."""

    snapshot: Snapshot
    tags: dict[str, str]
    at_most: int


async def create_snapshot(call: Call, input: CreateSnapshotInput) -> Output:
    """Make a snapshot of a volume."""
    _check(input.OutpostArn, input.Description)
    given = tags.tags_for("snapshot", input.TagSpecification)
    view = await call.consult(permitted_volume, "CreateSnapshot", input.VolumeId)
    await call.consult(permit_new_snapshot, _conditions(call, view), given)
    rights.end_dry_run(input)
    new = await _plan(call, view, input.Description, given)
    (made,) = await _insert_all(call, [new])
    call.facts["snapshot"] = made.snapshot_id
    return views.snapshot_item(made, given)


async def create_snapshots(call: Call, input: CreateSnapshotsInput) -> Output:
    """Make a snapshot of each volume that is attached to a host, all of one moment."""
    _check(input.OutpostArn, input.Description)
    given = tags.tags_for("snapshot", input.TagSpecification)
    wanted = input.InstanceSpecification
    host = await call.consult(permitted_host, "CreateSnapshots", wanted.InstanceId)
    present = await call.services.store.read(attachments.list_of_host, host.host_id)
    names = [one.volume_id for one in present if one.volume_id not in wanted.ExcludeDataVolumeId]
    found = [await call.consult(permitted_volume, "CreateSnapshots", name) for name in names]
    copied = input.CopyTagsFromSource is not None
    wanted_tags = [{**(view.tags if copied else {}), **given} for view in found]
    for view, all_tags in zip(found, wanted_tags, strict=True):
        await call.consult(permit_new_snapshot, _conditions(call, view), all_tags)
    rights.end_dry_run(input)
    if not found:
        raise Ec2Fault("InvalidParameterValue", f"The instance '{host.host_id}' has no volumes to make snapshots of.")
    planned = zip(found, wanted_tags, strict=True)
    every = [await _plan(call, view, input.Description, all_tags) for view, all_tags in planned]
    made = await _insert_all(call, every)
    call.facts["snapshots"] = [one.snapshot_id for one in made]
    return {"snapshotSet": [views.short_item(one, new.tags) for one, new in zip(made, every, strict=True)]}


def _check(outpost: str | None, description: str) -> None:
    if outpost is not None:
        raise Ec2Fault("UnsupportedOperation", "Outposts are not built in this server.")
    check_description(description)


def check_description(description: str) -> None:
    """Raise InvalidParameterValue for a description that is too long."""
    if len(description) > _DESCRIPTION_AT_MOST:
        raise Ec2Fault("InvalidParameterValue", f"A description has at most {_DESCRIPTION_AT_MOST} characters.")


def _conditions(call: Call, view: VolumeView) -> rights.Conditions:
    conditions = volume_conditions(view.volume)
    conditions.pop("ec2:AvailabilityZone", None)
    return {**conditions, "ec2:ParentVolume": rights.arn(call, "volume", view.volume.volume_id)}


async def _plan(call: Call, view: VolumeView, description: str, given: dict[str, str]) -> _New:
    """Return the snapshot of a volume that is to be made; raises IncorrectState if nobody can read its blocks."""
    volume = view.volume
    is_empty = not volume.is_formatted and not volume.snapshot_id
    if not is_empty:
        _check_readable(view)
    parent = await call.services.store.read(snapshots.find_latest, volume.volume_id, volume.data_key)
    made = new_snapshot(
        call, new_snapshot_id(), volume_id=volume.volume_id, size=volume.size, description=description,
        kms_key_arn=volume.kms_key_arn, kms_material_id=volume.kms_material_id, data_key=volume.data_key,
        context_id=volume.context_id, parent_id="" if is_empty or parent is None else parent.snapshot_id,
        **({"state": snapshots.COMPLETED, "progress": 100, "completed_at": call.now} if is_empty else {}),
    )  # fmt: skip
    call.remember(partial(volume_keys.require_lasting_key, call, volume.kms_key_arn))
    return _New(made, given, _OF_SLOW_VOLUMES.get(volume.volume_type, _PENDING_AT_MOST))


def _check_readable(view: VolumeView) -> None:
    """Raise IncorrectState unless a host has the volume open, with all that belongs on it."""
    name, state = view.volume.volume_id, None if view.attachment is None else view.attachment.state
    if state not in (attachments.ATTACHED, attachments.BUSY):
        is_not = "not attached" if state is None else f"'{state}'"
        text = f"{name} is {is_not}. Only its host can read it: attach it, and make the snapshot then."
        raise Ec2Fault("IncorrectState", text)
    if not view.volume.is_filled:
        text = f"{name} is not filled from {view.volume.snapshot_id} yet. Make the snapshot when it is."
        raise Ec2Fault("IncorrectState", text)


async def _insert_all(call: Call, every: Sequence[_New]) -> list[Snapshot]:
    """Add snapshots, all or none; raises TagLimitExceeded if those copied from a volume and the given are too many."""
    try:
        await call.write(_insert, every)
    except TooManyTags:
        raise tags.too_many_tags() from None
    return [new.snapshot for new in every]


def _insert(conn: Connection, every: Sequence[_New]) -> None:
    for snapshot, given, at_most in every:
        if len(snapshots.list_pending(conn, [snapshot.volume_id])) >= at_most:
            text = f"The maximum number of pending snapshots of {snapshot.volume_id} has been reached: {at_most}."
            raise Ec2Fault("ConcurrentSnapshotLimitExceeded", text)
        snapshots.add_snapshot(conn, snapshot)
        ec2_tags.set_tags(conn, snapshot.account, snapshot.region, snapshot.snapshot_id, given)
