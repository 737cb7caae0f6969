"""The snapshot that a request names: found, and the right to it checked. Rights come before existence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.access.resources.ec2 import Ec2Resource
from fuin.ec2.request import resource_ids, rights
from fuin.ec2.snapshots import views
from fuin.ec2.wire.answers import timestamp

if TYPE_CHECKING:
    from fuin.ec2.request.rights import Conditions
    from fuin.ec2.snapshots.views import SnapshotView
    from fuin.gate.call import Call
    from fuin.store.volumes.snapshots import Snapshot


def permitted_snapshot(call: Call, action: str, snapshot_id: str, more: Conditions | None = None) -> SnapshotView:
    """Return a snapshot of the caller's account, if the caller may do the action to it."""
    resource_ids.check_id(resource_ids.SNAPSHOT, snapshot_id)
    view = call.services.store.look_up(views.find_view, call.account, call.region, snapshot_id)
    if view is not None and view.snapshot.account != call.account:
        view = None
    _permit(call, action, call.region, snapshot_id, view, more)
    if view is None:
        raise resource_ids.missing_fault(resource_ids.SNAPSHOT, snapshot_id)
    call.facts["snapshot"] = snapshot_id
    return view


def permitted_source(call: Call, action: str, snapshot_id: str, region: str) -> Snapshot:
    """Return a snapshot of a Region from which the caller may make something: its account's, or one shared with it."""
    resource_ids.check_id(resource_ids.SNAPSHOT, snapshot_id)
    view = call.services.store.look_up(views.find_view, call.account, region, snapshot_id)
    _permit(call, action, region, snapshot_id, view)
    if view is None:
        raise resource_ids.missing_fault(resource_ids.SNAPSHOT, snapshot_id)
    return view.snapshot


def _permit(
    call: Call, action: str, region: str, snapshot_id: str, view: SnapshotView | None, more: Conditions | None = None
) -> None:
    """Check the right to an action on a snapshot; its tags count only within the account that has given them."""
    tags = () if view is None else tuple(view.tags.items())
    conditions = {} if view is None else snapshot_conditions(view.snapshot)
    resource = Ec2Resource(f"arn:aws:ec2:{region}::snapshot/{snapshot_id}", call.account, tags)
    rights.permit(call, action, resource, {"ec2:SnapshotID": snapshot_id, **conditions, **(more or {})})


def snapshot_conditions(snapshot: Snapshot) -> Conditions:
    """Return the condition keys of a snapshot."""
    volume = f"arn:aws:ec2:{snapshot.region}:{snapshot.account}:volume/{snapshot.volume_id}"
    return {
        "ec2:Encrypted": "true", "ec2:Owner": snapshot.account, "ec2:ParentVolume": volume,
        "ec2:SnapshotTime": timestamp(snapshot.started_at), "ec2:VolumeSize": str(snapshot.size),
    }  # fmt: skip


def permit_new_snapshot(call: Call, conditions: Conditions, given: dict[str, str]) -> None:
    """Check the rights to make a snapshot, and to give it tags."""
    anew = Ec2Resource(rights.arn(call, "snapshot", "*", has_account=False), call.account)
    tags = rights.requested_tags(given)
    rights.permit(call, call.operation, anew, {**conditions, **tags})
    if given:
        rights.permit(call, "CreateTags", anew, {"ec2:CreateAction": call.operation, **tags})
