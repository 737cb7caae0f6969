"""The volume or host that a request names: found, and the right to it checked. Rights come before existence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.access.resources.ec2 import Ec2Resource
from fuin.ec2.request import resource_ids, rights
from fuin.ec2.volumes import views
from fuin.store.volumes import hosts

if TYPE_CHECKING:
    from fuin.ec2.request.rights import Conditions
    from fuin.ec2.volumes.views import VolumeView
    from fuin.gate.call import Call
    from fuin.store.volumes.hosts import Host
    from fuin.store.volumes.volumes import Volume


def permitted_volume(call: Call, action: str, volume_id: str, more: Conditions | None = None) -> VolumeView:
    """Return a volume of the caller's account, if the caller may do the action to it."""
    resource_ids.check_id(resource_ids.VOLUME, volume_id)
    view = call.services.store.look_up(views.find_view, call.account, call.region, volume_id)
    tags = () if view is None else tuple(view.tags.items())
    resource = Ec2Resource(rights.arn(call, "volume", volume_id), call.account, tags)
    conditions = {} if view is None else volume_conditions(view.volume)
    rights.permit(call, action, resource, {"ec2:VolumeID": volume_id, **conditions, **(more or {})})
    if view is None:
        raise resource_ids.missing_fault(resource_ids.VOLUME, volume_id)
    call.facts["volume"] = volume_id
    return view


def volume_conditions(volume: Volume) -> Conditions:
    """Return the condition keys of a volume."""
    parent = f"arn:aws:ec2:{volume.region}::snapshot/{volume.snapshot_id}" if volume.snapshot_id else ""
    found: Conditions = {
        "ec2:AvailabilityZone": volume.zone,
        "ec2:Encrypted": "true",
        "ec2:VolumeSize": str(volume.size),
        "ec2:VolumeType": volume.volume_type,
    }
    more = {
        "ec2:ParentSnapshot": parent,
        "ec2:VolumeIops": str(volume.iops or ""),
        "ec2:VolumeThroughput": str(volume.throughput or ""),
    }
    return {**found, **{name: value for name, value in more.items() if value}}


def permitted_host(call: Call, action: str, host_id: str) -> Host:
    """Return a host of the caller's account, if the caller may do the action to it."""
    resource_ids.check_id(resource_ids.HOST, host_id)
    host = call.services.store.look_up(hosts.find_host, host_id)
    if host is not None and (host.account, host.region) != (call.account, call.region):
        host = None
    resource = Ec2Resource(rights.arn(call, "instance", host_id), call.account)
    zone = {} if host is None else {"ec2:AvailabilityZone": host.zone}
    rights.permit(call, action, resource, {"ec2:InstanceID": host_id, **zone})
    if host is None:
        raise resource_ids.missing_fault(resource_ids.HOST, host_id)
    return host
