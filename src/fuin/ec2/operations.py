"""The operations of EC2 that are built, and Fuin's own for hosts: the input of each, and its function.

The other operations of EC2 get an error that says so (`app.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fuin.ec2.account import regions
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
)
