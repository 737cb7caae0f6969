"""DescribeSnapshots: the caller's own snapshots, and those that are shared with its account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.ec2.request import filters, pages, resource_ids, rights
from fuin.ec2.snapshots import views
from fuin.ec2.wire.answers import timestamp
from fuin.ec2.wire.form import Input
from fuin.ec2.wire.members import Filter
from fuin.gate import lists
from fuin.store.volumes import snapshots

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.ec2.snapshots.views import SnapshotView
    from fuin.ec2.wire.answers import Output
    from fuin.gate.call import Call

_FILTERS: dict[str, filters.Values[SnapshotView]] = {
    "description": lambda view: (view.snapshot.description,),
    "encrypted": lambda _: ("true",),
    "owner-alias": lambda _: (),
    "owner-id": lambda view: (view.snapshot.account,),
    "progress": lambda view: (views.progress_text(view.snapshot),),
    "snapshot-id": lambda view: (view.snapshot.snapshot_id,),
    "start-time": lambda view: (timestamp(view.snapshot.started_at),),
    "status": lambda view: (view.snapshot.state,),
    "storage-tier": lambda _: ("standard",),
    "transfer-type": lambda _: ("standard",),
    "volume-id": lambda view: (view.snapshot.volume_id,),
    "volume-size": lambda view: (str(view.snapshot.size),),
}


class DescribeSnapshotsInput(Input):
    """The input of DescribeSnapshots."""

    SnapshotId: list[str] = []
    Owner: list[str] = []
    RestorableBy: list[str] = []
    Filter: list[Filter] = []
    MaxResults: int | None = None
    NextToken: str | None = None


async def describe_snapshots(call: Call, input: DescribeSnapshotsInput) -> Output:
    """Return snapshots by id."""
    await rights.check_describe(call, input)
    holds = filters.make_filter(input.Filter, _FILTERS, lambda view: view.tags)
    page = pages.requested_page(
        input.MaxResults, input.NextToken, has_ids=bool(input.SnapshotId), ids="snapshotSet"
    )  # fmt: skip
    for snapshot_id in input.SnapshotId:
        resource_ids.check_id(resource_ids.SNAPSHOT, snapshot_id)
    found = await lists.page(call, _find_views, call.account, call.region)
    known = {view.snapshot.snapshot_id for view in found}
    for snapshot_id in input.SnapshotId:
        if snapshot_id not in known:
            raise resource_ids.missing_fault(resource_ids.SNAPSHOT, snapshot_id)
    wanted = [view for view in found if _is_wanted(call, input, view) and holds(view)]
    shown, more = pages.take_page(wanted, page, lambda view: view.snapshot.snapshot_id)
    return {"snapshotSet": [views.snapshot_item(*view) for view in shown], **more}


def _find_views(conn: Connection, account: str, region: str) -> list[SnapshotView]:
    return views.views_of(conn, account, region, snapshots.list_snapshots(conn, account, region))


def _is_wanted(call: Call, input: DescribeSnapshotsInput, view: SnapshotView) -> bool:
    """Return whether a snapshot is named, its owner is, and those who may use it are.

    Every snapshot here is encrypted, so none is public: nobody but its own account and those that it is shared with may
    use one.
    """
    if input.SnapshotId and view.snapshot.snapshot_id not in input.SnapshotId:
        return False
    owners = {call.account if owner == "self" else owner for owner in input.Owner}
    if owners and view.snapshot.account not in owners:
        return False
    return not input.RestorableBy or bool({"self", call.account}.intersection(input.RestorableBy))
