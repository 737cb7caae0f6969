"""Snapshots as answers show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fuin.ec2.request.tags import tag_set
from fuin.ec2.wire.answers import timestamp
from fuin.store.volumes import ec2_tags, snapshots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from fuin.ec2.wire.answers import Output
    from fuin.store.volumes.snapshots import Snapshot

_BLOCK = 512 * 1024  # bytes


class SnapshotView(NamedTuple):
    """A snapshot with the tags that its own account has given it; other accounts do not see them."""

    snapshot: Snapshot
    tags: dict[str, str]


def views_of(conn: Connection, account: str, region: str, found: Sequence[Snapshot]) -> list[SnapshotView]:
    """Return snapshots of a Region with their tags, as an account sees them."""
    tags = ec2_tags.find_tags(conn, account, region, [one.snapshot_id for one in found if one.account == account])
    return [SnapshotView(one, tags.get(one.snapshot_id, {})) for one in found]


def find_view(conn: Connection, account: str, region: str, snapshot_id: str) -> SnapshotView | None:
    """Return a snapshot that an account may see in a Region: its own, or one that is shared with it."""
    found = snapshots.find_for(conn, snapshot_id, account)
    if found is None or found.region != region:
        return None
    return views_of(conn, account, region, [found])[0]


def progress_text(snapshot: Snapshot) -> str:
    """Return how far a snapshot is, as AWS writes it: 100%."""
    return f"{snapshot.progress}%"


def snapshot_item(snapshot: Snapshot, tags: Mapping[str, str]) -> Output:
    """Return a snapshot as DescribeSnapshots and CreateSnapshot show it."""
    is_complete = snapshot.state == snapshots.COMPLETED
    return {
        "snapshotId": snapshot.snapshot_id,
        "volumeId": snapshot.volume_id,
        "status": snapshot.state,
        "statusMessage": snapshot.message or None,
        "startTime": timestamp(snapshot.started_at),
        "completionTime": None if snapshot.completed_at is None else timestamp(snapshot.completed_at),
        "progress": progress_text(snapshot),
        "ownerId": snapshot.account,
        "volumeSize": snapshot.size,
        "description": snapshot.description,
        "fullSnapshotSizeInBytes": snapshot.block_count * _BLOCK if is_complete else None,
        "encrypted": True,
        "kmsKeyId": snapshot.kms_key_arn or None,
        "sseType": "sse-kms",
        "storageTier": "standard",
        "tagSet": tag_set(dict(tags)),
    }


def short_item(snapshot: Snapshot, tags: Mapping[str, str]) -> Output:
    """Return a snapshot as CreateSnapshots shows it, where the state has another name."""
    return {
        "snapshotId": snapshot.snapshot_id,
        "volumeId": snapshot.volume_id,
        "state": snapshot.state,
        "startTime": timestamp(snapshot.started_at),
        "progress": progress_text(snapshot),
        "ownerId": snapshot.account,
        "volumeSize": snapshot.size,
        "description": snapshot.description,
        "encrypted": True,
        "sseType": "sse-kms",
        "tagSet": tag_set(dict(tags)),
    }
