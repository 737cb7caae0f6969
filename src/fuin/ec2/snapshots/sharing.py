"""ModifySnapshotAttribute, DescribeSnapshotAttribute, ResetSnapshotAttribute: who else may use a snapshot.

Every snapshot here is encrypted. AWS shares such a snapshot with accounts, never with everybody, and not at all while
it is under the account's AWS managed key, which other accounts cannot use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from fuin.ec2.request import rights
from fuin.ec2.snapshots.known import permitted_snapshot
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.form import Input
from fuin.store.kms.keys import AWS
from fuin.store.volumes import snapshots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuin.ec2.wire.answers import Output
    from fuin.gate.call import Call
    from fuin.store.volumes.snapshots import Snapshot

_PERMISSION = "createVolumePermission"


class Permission(msgspec.Struct, forbid_unknown_fields=True):
    """An account, or the group of everybody."""

    UserId: str | None = None
    Group: str | None = None


class Permissions(msgspec.Struct, forbid_unknown_fields=True):
    """Permissions that are to be added and removed."""

    Add: list[Permission] = []
    Remove: list[Permission] = []


class ModifySnapshotAttributeInput(Input):
    """The input of ModifySnapshotAttribute."""

    SnapshotId: str
    Attribute: str = _PERMISSION
    OperationType: Literal["add", "remove"] | None = None
    UserId: list[str] = []
    UserGroup: list[str] = []
    CreateVolumePermission: Permissions = msgspec.field(default_factory=Permissions)


class DescribeSnapshotAttributeInput(Input):
    """The input of DescribeSnapshotAttribute."""

    SnapshotId: str
    Attribute: str


class ResetSnapshotAttributeInput(DescribeSnapshotAttributeInput):
    """The input of ResetSnapshotAttribute."""


async def modify_snapshot_attribute(call: Call, input: ModifySnapshotAttributeInput) -> Output:
    """Share a snapshot with accounts, or no longer."""
    _check_attribute(input.Attribute)
    add, remove = _accounts(input.CreateVolumePermission.Add), _accounts(input.CreateVolumePermission.Remove)
    users, groups = map(Permission, input.UserId), (Permission(Group=one) for one in input.UserGroup)
    named = _accounts([*users, *groups])
    if named and input.OperationType is None:
        raise Ec2Fault("MissingParameter", "The request must contain the parameter OperationType")
    (remove if input.OperationType == "remove" else add).extend(named)
    view = await call.consult(permitted_snapshot, "ModifySnapshotAttribute", input.SnapshotId)
    rights.end_dry_run(input)
    if add:
        await call.consult(_check_shareable, view.snapshot)
    call.facts["sharedWith"], call.facts["noLongerSharedWith"] = add, remove
    await call.change(snapshots.change_shares, input.SnapshotId, add, remove)
    return {"return": True}


def _check_attribute(attribute: str) -> None:
    if attribute == "productCodes":
        raise Ec2Fault("InvalidParameterCombination", "Product codes cannot be changed.")
    if attribute != _PERMISSION:
        text = f"Value ({attribute[:64]}) for parameter attribute is invalid. Unknown attribute."
        raise Ec2Fault("InvalidParameterValue", text)


def _accounts(permissions: Sequence[Permission]) -> list[str]:
    """Return the accounts of permissions; raises OperationNotPermitted for the group of everybody."""
    found = []
    for one in permissions:
        if one.Group is not None:
            raise Ec2Fault("OperationNotPermitted", "Encrypted snapshots cannot be shared publicly")
        account = (one.UserId or "").replace("-", "")
        if len(account) != 12 or not (account.isascii() and account.isdigit()):
            raise Ec2Fault("InvalidUserID.Malformed", f'Invalid user id: "{(one.UserId or "")[:64]}"')
        found.append(account)
    return found


def _check_shareable(call: Call, snapshot: Snapshot) -> None:
    if snapshot.state == snapshots.ERROR:
        raise Ec2Fault("IncorrectState", f"Snapshot '{snapshot.snapshot_id}' is in the state 'error'.")
    region, _, resource = snapshot.kms_key_arn.split(":", 5)[3:]
    key = call.services.store.catalog().key(resource.removeprefix("key/"), region)
    if key is not None and key.manager == AWS:
        raise Ec2Fault("OperationNotPermitted", "Encrypted snapshots with EBS default key cannot be shared")


async def describe_snapshot_attribute(call: Call, input: DescribeSnapshotAttributeInput) -> Output:
    """Return the accounts with which a snapshot is shared, or its product codes: it has none."""
    await call.consult(permitted_snapshot, "DescribeSnapshotAttribute", input.SnapshotId)
    rights.end_dry_run(input)
    if input.Attribute == "productCodes":
        return {"snapshotId": input.SnapshotId, "productCodes": []}
    _check_attribute(input.Attribute)
    shares = await call.services.store.read(snapshots.list_shares, input.SnapshotId)
    return {"snapshotId": input.SnapshotId, _PERMISSION: [{"userId": account} for account in shares]}


async def reset_snapshot_attribute(call: Call, input: ResetSnapshotAttributeInput) -> Output:
    """Share a snapshot with nobody."""
    _check_attribute(input.Attribute)
    await call.consult(permitted_snapshot, "ResetSnapshotAttribute", input.SnapshotId)
    rights.end_dry_run(input)
    shares = await call.services.store.read(snapshots.list_shares, input.SnapshotId)
    await call.change(snapshots.change_shares, input.SnapshotId, (), shares)
    return {"return": True}
