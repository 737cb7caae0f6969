"""ModifyVolume and DescribeVolumesModifications: a volume grows, or gets another type.

The row changes at once. The host sees the new size among its tasks; `fuin volume resize` lets the disk follow. So a
modification is completed when it is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.ec2.request import filters, pages, resource_ids, rights
from fuin.ec2.volumes.known import permitted_volume
from fuin.ec2.volumes.rewrap import rewrap_volume
from fuin.ec2.volumes.shapes import TYPES, checked_shape
from fuin.ec2.wire.answers import timestamp
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.form import Input
from fuin.ec2.wire.members import Filter
from fuin.gate import lists
from fuin.store.errors import StoreRefusal
from fuin.store.volumes import modifications, volumes
from fuin.store.volumes.modifications import Modification

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from fuin.ec2.volumes.shapes import VolumeShape
    from fuin.ec2.wire.answers import Output
    from fuin.gate.call import Call
    from fuin.store.volumes.volumes import Volume

_A_DAY, _A_DAY_AT_MOST = 86_400.0, 4  # AWS: EC2 API reference, ModifyVolume

_FILTERS: dict[str, filters.Values[Modification]] = {
    "modification-state": lambda one: (one.state,),
    "original-iops": lambda one: (str(one.old_iops),),
    "original-size": lambda one: (str(one.old_size),),
    "original-volume-type": lambda one: (one.old_type,),
    "originalMultiAttachEnabled": lambda _: ("false",),
    "start-time": lambda one: (timestamp(one.started_at),),
    "target-iops": lambda one: (str(one.iops),),
    "target-size": lambda one: (str(one.size),),
    "target-volume-type": lambda one: (one.volume_type,),
    "targetMultiAttachEnabled": lambda _: ("false",),
    "volume-id": lambda one: (one.volume_id,),
}


class ModifyVolumeInput(Input):
    """The input of ModifyVolume."""

    VolumeId: str
    Size: int | None = None
    VolumeType: str | None = None
    Iops: int | None = None
    Throughput: int | None = None
    MultiAttachEnabled: bool = False
    FuinKmsKeyId: str | None = None  # not AWS's: `rewrap.py`


class DescribeVolumesModificationsInput(Input):
    """The input of DescribeVolumesModifications."""

    VolumeId: list[str] = []
    Filter: list[Filter] = []
    MaxResults: int | None = None
    NextToken: str | None = None
    IncludeManagedResources: bool = False


class TooManyModifications(StoreRefusal):
    """The volume was modified as often as a volume may be in a day."""


async def modify_volume(call: Call, input: ModifyVolumeInput) -> Output:
    """Change a volume's size, type or speed."""
    if input.MultiAttachEnabled:
        raise Ec2Fault("UnsupportedOperation", "Multi-Attach is not built in this server.")
    view = await call.consult(permitted_volume, "ModifyVolume", input.VolumeId, _conditions(input))
    rights.end_dry_run(input)
    if input.FuinKmsKeyId is not None:
        return await _rewrap(call, view.volume, input)
    _wanted_shape(view.volume, input)  # so that a wrong request is refused before anything is written
    try:
        made = await call.write(_modify, input, round(call.now, 3))
    except TooManyModifications:
        raise Ec2Fault(
            "VolumeModificationRateExceeded",
            "You've reached the maximum modification rate per volume limit: a volume can be modified "
            f"{_A_DAY_AT_MOST} times within 24 hours.",
        ) from None
    return {"volumeModification": _item(made)}


async def _rewrap(call: Call, volume: Volume, input: ModifyVolumeInput) -> Output:
    """Re-wrap a volume; nothing else of it changes."""
    if (input.Size, input.VolumeType, input.Iops, input.Throughput) != (None,) * 4:
        text = "The parameter FuinKmsKeyId cannot be used with a size, type or speed."
        raise Ec2Fault("InvalidParameterCombination", text)
    await rewrap_volume(call, volume, input.FuinKmsKeyId or "")
    now, shape = round(call.now, 3), (volume.size, volume.volume_type, volume.iops, volume.throughput)
    return {
        "volumeModification": _item(
            Modification(volume.volume_id, 0, modifications.COMPLETED, now, now, *shape, *shape)
        )
    }


def _conditions(input: ModifyVolumeInput) -> rights.Conditions:
    """Return the condition keys of what the volume is to become."""
    wanted = {
        "ec2:TargetVolumeSize": input.Size, "ec2:TargetVolumeType": input.VolumeType, "ec2:TargetIops": input.Iops,
        "ec2:TargetThroughput": input.Throughput,
    }  # fmt: skip
    return {name: str(value) for name, value in wanted.items() if value is not None}


def _wanted_shape(volume: Volume, input: ModifyVolumeInput) -> VolumeShape:
    """Return the shape that a volume is to have; raises the faults of AWS."""
    size, volume_type = input.Size or volume.size, input.VolumeType or volume.volume_type
    if size < volume.size:
        raise Ec2Fault("InvalidParameterValue", "New size cannot be smaller than existing size")
    limits, same = TYPES.get(volume_type), volume_type == volume.volume_type
    iops, throughput = input.Iops, input.Throughput
    if same and limits is not None:
        iops = iops or (volume.iops if limits.iops else None)
        throughput = throughput or (volume.throughput if limits.throughput else None)
    wanted = checked_shape(size, volume_type, iops, throughput)
    if wanted == (volume.size, volume.volume_type, volume.iops, volume.throughput):
        text = f"The volume '{volume.volume_id}' has the requested size, type and speed already."
        raise Ec2Fault("InvalidParameterValue", text)
    return wanted


def _modify(conn: Connection, input: ModifyVolumeInput, now: float) -> Modification:
    """Modify the volume as it is now; raises TooManyModifications."""
    volume = volumes.lock_volume(conn, input.VolumeId)
    wanted = _wanted_shape(volume, input)
    earlier = modifications.list_modifications(conn, [volume.volume_id]).get(volume.volume_id, [])
    if sum(one.started_at > now - _A_DAY for one in earlier) >= _A_DAY_AT_MOST:
        raise TooManyModifications
    number = earlier[-1].number + 1 if earlier else 1
    made = Modification(
        volume.volume_id, number, modifications.COMPLETED, now, now,
        volume.size, volume.volume_type, volume.iops, volume.throughput, *wanted,
    )  # fmt: skip
    modifications.insert_modification(conn, made)
    volumes.set_shape(conn, volume.volume_id, *wanted)
    return made


async def describe_volumes_modifications(call: Call, input: DescribeVolumesModificationsInput) -> Output:
    """Return the last modification of each volume that was ever modified."""
    await rights.check_describe(call, input)
    page = pages.requested_page(
        input.MaxResults, input.NextToken, has_ids=bool(input.VolumeId), ids="volumeSet"
    )  # fmt: skip
    for volume_id in input.VolumeId:
        resource_ids.check_id(resource_ids.VOLUME, volume_id)
    holds = filters.make_filter(input.Filter, _FILTERS)
    found = await lists.page(call, _find_last, call.account, call.region, tuple(input.VolumeId))
    shown, more = pages.take_page([one for one in found if holds(one)], page, lambda one: one.volume_id)
    return {"volumeModificationSet": [_item(one) for one in shown], **more}


def _find_last(conn: Connection, account: str, region: str, wanted: Sequence[str]) -> list[Modification]:
    """Return the last modification of each volume, by the volumes' ids; raises InvalidVolume.NotFound."""
    names = [volume.volume_id for volume in volumes.list_volumes(conn, account, region)]
    for volume_id in wanted:
        if volume_id not in names:
            raise resource_ids.missing_fault(resource_ids.VOLUME, volume_id)
    found = modifications.list_modifications(conn, [name for name in names if not wanted or name in wanted])
    return [found[name][-1] for name in sorted(found)]


def _item(one: Modification) -> Output:
    return {
        "volumeId": one.volume_id,
        "modificationState": one.state,
        "targetSize": one.size,
        "targetIops": one.iops or None,
        "targetVolumeType": one.volume_type,
        "targetThroughput": one.throughput or None,
        "targetMultiAttachEnabled": False,
        "originalSize": one.old_size,
        "originalIops": one.old_iops or None,
        "originalVolumeType": one.old_type,
        "originalThroughput": one.old_throughput or None,
        "originalMultiAttachEnabled": False,
        "progress": 100,
        "startTime": timestamp(one.started_at),
        "endTime": None if one.ended_at is None else timestamp(one.ended_at),
    }
