"""DescribeVolumes, DescribeVolumeStatus, DescribeVolumeAttribute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.ec2.account.regions import zone_id
from fuin.ec2.request import filters, pages, resource_ids, rights
from fuin.ec2.volumes import views
from fuin.ec2.volumes.known import permitted_volume
from fuin.ec2.wire.answers import timestamp
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.form import Input
from fuin.ec2.wire.members import Filter
from fuin.gate import lists
from fuin.store.volumes import volumes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from fuin.ec2.volumes.views import VolumeView
    from fuin.ec2.wire.answers import Output
    from fuin.gate.call import Call
    from fuin.store.volumes.attachments import Attachment


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _attachments(view: VolumeView) -> tuple[Attachment, ...]:
    return () if view.attachment is None else (view.attachment,)


_FILTERS: dict[str, filters.Values[VolumeView]] = {
    "attachment.attach-time": lambda view: [timestamp(one.attached_at) for one in _attachments(view)],
    "attachment.delete-on-termination": lambda view: [
        _flag(one.delete_on_termination)[0] for one in _attachments(view)
    ],
    "attachment.device": lambda view: [one.device for one in _attachments(view)],
    "attachment.instance-id": lambda view: [one.host_id for one in _attachments(view)],
    "attachment.status": lambda view: [one.state for one in _attachments(view)],
    "availability-zone": lambda view: (view.volume.zone,),
    "availability-zone-id": lambda view: (zone_id(view.volume.region, view.volume.zone),),
    "create-time": lambda view: (timestamp(view.volume.created_at),),
    "encrypted": lambda _: (_flag(True),),
    "fast-restored": lambda _: (_flag(False),),
    "multi-attach-enabled": lambda _: (_flag(False),),
    "size": lambda view: (str(view.volume.size),),
    "snapshot-id": lambda view: (view.volume.snapshot_id,) if view.volume.snapshot_id else (),
    "status": lambda view: (view.volume.state,),
    "volume-id": lambda view: (view.volume.volume_id,),
    "volume-type": lambda view: (view.volume.volume_type,),
}
_STATUS_FILTERS: dict[str, filters.Values[VolumeView]] = {
    "availability-zone": _FILTERS["availability-zone"],
    "volume-status.status": lambda _: ("ok",),
    "volume-status.details-name": lambda _: ("io-enabled", "io-performance"),
    "volume-status.details-status": lambda _: ("passed", "not-applicable"),
}


class DescribeVolumesInput(Input):
    """The input of DescribeVolumes."""

    VolumeId: list[str] = []
    Filter: list[Filter] = []
    MaxResults: int | None = None
    NextToken: str | None = None
    IncludeManagedResources: bool = False


class DescribeVolumeStatusInput(DescribeVolumesInput):
    """The input of DescribeVolumeStatus."""


class DescribeVolumeAttributeInput(Input):
    """The input of DescribeVolumeAttribute."""

    VolumeId: str
    Attribute: str


async def describe_volumes(call: Call, input: DescribeVolumesInput) -> Output:
    """Return the volumes of the account in the Region, by id."""
    await rights.check_describe(call, input)
    holds = filters.make_filter(input.Filter, _FILTERS, lambda view: view.tags)
    shown, more = await _page(call, input, holds)
    return {"volumeSet": [views.volume_item(view) for view in shown], **more}


async def describe_volume_status(call: Call, input: DescribeVolumeStatusInput) -> Output:
    """Return that the volumes are fine: a server that does not see the disks knows nothing else about them."""
    await rights.check_describe(call, input)
    holds = filters.make_filter(input.Filter, _STATUS_FILTERS)
    shown, more = await _page(call, input, holds)
    return {"volumeStatusSet": [_status_item(view) for view in shown], **more}


async def _page(
    call: Call, input: DescribeVolumesInput, holds: Callable[[VolumeView], bool]
) -> tuple[list[VolumeView], Output]:
    page = pages.requested_page(
        input.MaxResults, input.NextToken, has_ids=bool(input.VolumeId), ids="volumeSet"
    )  # fmt: skip
    for volume_id in input.VolumeId:
        resource_ids.check_id(resource_ids.VOLUME, volume_id)
    found = await lists.page(call, _find_views, call.account, call.region, tuple(input.VolumeId))
    known = {view.volume.volume_id for view in found}
    for volume_id in input.VolumeId:
        if volume_id not in known:
            raise resource_ids.missing_fault(resource_ids.VOLUME, volume_id)
    return pages.take_page([view for view in found if holds(view)], page, lambda view: view.volume.volume_id)


def _find_views(conn: Connection, account: str, region: str, wanted: Sequence[str]) -> list[VolumeView]:
    """Return the wanted volumes, or all."""
    if wanted:
        found = [views.find_view(conn, account, region, volume_id) for volume_id in sorted(set(wanted))]
        return [view for view in found if view is not None]
    return views.views_of(conn, account, region, volumes.list_volumes(conn, account, region))


def _status_item(view: VolumeView) -> Output:
    volume = view.volume
    return {
        "volumeId": volume.volume_id,
        "availabilityZone": volume.zone,
        "availabilityZoneId": zone_id(volume.region, volume.zone),
        "volumeStatus": {
            "status": "ok",
            "details": [
                {"name": "io-enabled", "status": "passed"},
                {"name": "io-performance", "status": "not-applicable"},
            ],
        },
        "actionsSet": [],
        "eventsSet": [],
    }


async def describe_volume_attribute(call: Call, input: DescribeVolumeAttributeInput) -> Output:
    """Return an attribute of a volume: none can be set here, so each has its default."""
    await call.consult(permitted_volume, "DescribeVolumeAttribute", input.VolumeId)
    rights.end_dry_run(input)
    if input.Attribute == "autoEnableIO":
        return {"volumeId": input.VolumeId, "autoEnableIO": {"value": False}}
    if input.Attribute == "productCodes":
        return {"volumeId": input.VolumeId, "productCodes": []}
    text = f"Value ({input.Attribute[:64]}) for parameter attribute is invalid. Unknown attribute."
    raise Ec2Fault("InvalidParameterValue", text)
