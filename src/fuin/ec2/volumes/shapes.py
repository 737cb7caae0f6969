"""The types of volumes: which sizes, IOPS and throughput each may have. EC2 user guide, "Amazon EBS volume types".

Nothing here is slower or faster for them: the disk is the host's. They are kept, checked and shown as on AWS.
"""

from __future__ import annotations

from typing import NamedTuple

from fuin.ec2.wire.faults import Ec2Fault

DEFAULT_TYPE = "gp2"  # of the API; consoles choose gp3


class VolumeType(NamedTuple):
    """The limits of a type; `iops` and `throughput` are the least and the most, None where the type takes none."""

    least: int  # GiB
    most: int
    iops: tuple[int, int] | None = None
    default_iops: int = 0  # 0: the caller has to say it
    throughput: tuple[int, int] | None = None
    default_throughput: int = 0


TYPES = {
    "standard": VolumeType(1, 1024),
    "gp2": VolumeType(1, 16384),
    "gp3": VolumeType(1, 65536, (3000, 80000), 3000, (125, 2000), 125),
    "io1": VolumeType(4, 16384, (100, 64000)),
    "io2": VolumeType(4, 65536, (100, 256000)),
    "st1": VolumeType(125, 16384),
    "sc1": VolumeType(125, 16384),
}


class VolumeShape(NamedTuple):
    """The size, type and speed of a volume; 0 for what the type does not have."""

    size: int
    volume_type: str
    iops: int
    throughput: int


def checked_shape(size: int, volume_type: str, iops: int | None, throughput: int | None) -> VolumeShape:
    """Return the shape of a volume; raises the faults of AWS for what its type cannot have."""
    limits = TYPES.get(volume_type)
    if limits is None:
        text = f"Unsupported volume type '{volume_type[:32]}' for volume creation."
        raise Ec2Fault("InvalidParameterValue", text)
    if not limits.least <= size <= limits.most:
        raise Ec2Fault(
            "InvalidParameterValue",
            f"Volume of {size}GiB is {'too small' if size < limits.least else 'too large'} for volume type "
            f"{volume_type}; {'minimum' if size < limits.least else 'maximum'} is "
            f"{limits.least if size < limits.least else limits.most}GiB.",
        )
    return VolumeShape(
        size,
        volume_type,
        _number("iops", iops, limits.iops, limits.default_iops, volume_type) or _base_iops(size, volume_type),
        _number("throughput", throughput, limits.throughput, limits.default_throughput, volume_type),
    )


def _number(name: str, given: int | None, limits: tuple[int, int] | None, default: int, volume_type: str) -> int:
    if limits is None:
        if given is not None:
            text = f"The parameter {name} is not supported for {volume_type} volumes."
            raise Ec2Fault("InvalidParameterCombination", text)
        return 0
    if given is None:
        if not default:
            raise Ec2Fault("MissingParameter", f"The parameter {name} must be specified for {volume_type} volumes.")
        return default
    if not limits[0] <= given <= limits[1]:
        text = f"Volume {name} of {given} is not valid for {volume_type}: it takes {limits[0]} to {limits[1]}."
        raise Ec2Fault("InvalidParameterValue", text)
    return given


def _base_iops(size: int, volume_type: str) -> int:
    """Return the IOPS that AWS shows for a gp2 volume: three for each GiB, 100 to 16,000; other types show none."""
    return min(max(3 * size, 100), 16000) if volume_type == "gp2" else 0
