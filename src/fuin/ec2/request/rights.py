"""The rights to EC2's actions, and what conditions can ask for.

An action on volumes or snapshots names each of them by its ARN. Actions that describe have no particular resource.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.access.resources.ec2 import Ec2Resource
from fuin.ec2.wire.faults import Ec2Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.access.facts import Values
    from fuin.ec2.wire.form import Input
    from fuin.gate.call import Call

Conditions = dict[str, "str | Values"]


def permit(call: Call, action: str, resource: Ec2Resource, more: Mapping[str, str | Values] | None = None) -> None:
    """Check the right to an action of EC2, named without its prefix; raises NotAuthorized."""
    call.permit(f"ec2:{action}", resource, {"ec2:Region": call.region, **(more or {})})


def permit_all(call: Call, action: str, more: Mapping[str, str | Values] | None = None) -> None:
    """Check the right to an action that has no particular resource."""
    permit(call, action, Ec2Resource("*", call.account), more)


async def check_describe(call: Call, input: Input) -> None:
    """Check the right to the call's own operation, which has no particular resource, and end a dry run."""
    await call.consult(permit_all, call.operation)
    end_dry_run(input)


def end_dry_run(input: Input) -> None:
    """Raise DryRunOperation if the request asks only whether it would succeed."""
    if input.DryRun:
        raise Ec2Fault("DryRunOperation")


def arn(call: Call, kind: str, resource_id: str, *, has_account: bool = True) -> str:
    """Return the ARN of a resource in the caller's account; snapshots' ARNs have no account, as on AWS."""
    return f"arn:aws:ec2:{call.region}:{call.account if has_account else ''}:{kind}/{resource_id}"


def requested_tags(tags: Mapping[str, str]) -> Conditions:
    """Return the condition keys of the tags in a request."""
    if not tags:
        return {}
    named: Conditions = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    return {**named, "aws:TagKeys": tuple(tags)}
