"""Regions and their zones: DescribeRegions, DescribeAvailabilityZones.

One server serves all Regions: keys, volumes and hosts of each are apart. Every Region has three zones. A host is in
one of them, and opens the volumes of its zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.ec2.request import filters, rights
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.form import Input
from fuin.ec2.wire.members import Filter
from fuin.kms.model.region_names import kms_regions

if TYPE_CHECKING:
    from fuin.ec2.wire.answers import Output
    from fuin.gate.call import Call

_LETTERS = "abc"
_REGION_FILTERS = {
    "region-name": lambda region: (region["regionName"],),
    "endpoint": lambda region: (region["regionEndpoint"],),
    "opt-in-status": lambda region: (region["optInStatus"],),
}
_ZONE_FILTERS = {
    "region-name": lambda zone: (zone["regionName"],),
    "state": lambda zone: (zone["zoneState"],),
    "zone-id": lambda zone: (zone["zoneId"],),
    "zone-name": lambda zone: (zone["zoneName"],),
    "zone-type": lambda zone: (zone["zoneType"],),
    "group-name": lambda zone: (zone["groupName"],),
    "opt-in-status": lambda zone: (zone["optInStatus"],),
}


class DescribeRegionsInput(Input):
    """The input of DescribeRegions."""

    RegionName: list[str] = []
    Filter: list[Filter] = []
    AllRegions: bool = False


class DescribeAvailabilityZonesInput(Input):
    """The input of DescribeAvailabilityZones."""

    ZoneName: list[str] = []
    ZoneId: list[str] = []
    Filter: list[Filter] = []
    AllAvailabilityZones: bool = False


async def describe_regions(call: Call, input: DescribeRegionsInput) -> Output:
    """Return the Regions: AWS's, and the one that the request is for."""
    await rights.check_describe(call, input)
    names = sorted({*kms_regions(), call.region})
    for name in input.RegionName:
        if name not in names:
            raise Ec2Fault("InvalidParameterValue", f"Invalid region name(s): {name[:64]}")
    holds = filters.make_filter(input.Filter, _REGION_FILTERS)
    found = [_region(name) for name in names if not input.RegionName or name in input.RegionName]
    return {"regionInfo": [region for region in found if holds(region)]}


def _region(name: str) -> dict[str, str]:
    endpoint = f"ec2.{name}.amazonaws.com"
    return {"regionName": name, "regionEndpoint": endpoint, "optInStatus": "opt-in-not-required"}


async def describe_availability_zones(call: Call, input: DescribeAvailabilityZonesInput) -> Output:
    """Return the zones of the Region."""
    await rights.check_describe(call, input)
    found = [_zone(call.region, letter) for letter in _LETTERS]
    for wanted, member in ((input.ZoneName, "zoneName"), (input.ZoneId, "zoneId")):
        for name in wanted:
            if name not in {zone[member] for zone in found}:
                raise Ec2Fault("InvalidParameterValue", f"Invalid availability zone: [{name[:64]}]")
        found = [zone for zone in found if not wanted or zone[member] in wanted]
    holds = filters.make_filter(input.Filter, _ZONE_FILTERS)
    return {"availabilityZoneInfo": [zone for zone in found if holds(zone)]}


def _zone(region: str, letter: str) -> dict[str, str]:
    name = region + letter
    return {
        "zoneName": name, "zoneId": zone_id(region, name), "zoneState": "available", "regionName": region,
        "optInStatus": "opt-in-not-required", "groupName": region, "networkBorderGroup": region,
        "zoneType": "availability-zone",
    }  # fmt: skip


def zone_names(region: str) -> list[str]:
    """Return the names of a Region's zones."""
    return [region + letter for letter in _LETTERS]


def zone_id(region: str, name: str) -> str:
    """Return the id of a zone in AWS's form: use1-az1 for us-east-1a."""
    area, *words, number = region.split("-")
    short = "".join(_SHORT.get(word, word[:1]) for word in words)
    return f"{area}{short}{number}-az{_LETTERS.find(name[-1:]) + 1}"


_SHORT = {"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw", "gov": "g"}


def requested_zone(call: Call, name: str | None, given_id: str | None) -> str:
    """Return the zone that a request names by its name or its id; raises InvalidZone.NotFound or MissingParameter."""
    if not name and not given_id:
        raise Ec2Fault("MissingParameter", "The request must contain the parameter AvailabilityZone")
    for zone in zone_names(call.region):
        if zone == name or (not name and zone_id(call.region, zone) == given_id):
            return zone
    raise Ec2Fault("InvalidZone.NotFound", f"The zone '{(name or given_id or '')[:64]}' does not exist.")
