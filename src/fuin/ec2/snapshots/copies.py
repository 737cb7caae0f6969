"""CopySnapshot: under the same key without a copy of the data, under another one encrypted anew.

| the key | the copy |
|---|---|
| the source's, in the same account and Region | has the source's data key and blobs, and is complete at once |
| another one | has a new data key, for the context of its own id; a worker encrypts the blocks anew |
| of another account, for a source of another account | is an error: the copy would end with the rights to that key |
| one that cannot be used | is an error: "Given key ID is not accessible", as on AWS, which answers with an id first |

Each copy asks for kms:Decrypt on the source as the caller: it can be read where the source could.

Clients add a presigned URL for the source's Region, which AWS needs to ask there. It is taken, and not used: this
server has all Regions.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fuin.ec2.request import kms_refusals, resource_ids, rights, tags
from fuin.ec2.snapshots.create import check_description
from fuin.ec2.snapshots.known import permit_new_snapshot, permitted_source, snapshot_conditions
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.form import Input
from fuin.ec2.wire.members import TagSpecification
from fuin.errors import AccessDenied
from fuin.kms import volume_keys
from fuin.snapshots import copying
from fuin.snapshots.copying import PATIENCE, Copy
from fuin.snapshots.lineage import new_snapshot, new_snapshot_id
from fuin.snapshots.reading import OpenSnapshot
from fuin.snapshots.writing import Target
from fuin.store.errors import NotFound
from fuin.store.volumes import ebs_defaults, ec2_tags, snapshot_blocks, snapshots

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.ec2.wire.answers import Output
    from fuin.gate.call import Call
    from fuin.kms.volume_keys import VolumeKey
    from fuin.store.volumes.snapshots import Snapshot

_AT_ONCE = 20  # copies under another key; AWS: EBS quotas
_INACCESSIBLE = "Given key ID is not accessible"


class CopySnapshotInput(Input):
    """The input of CopySnapshot."""

    SourceRegion: str
    SourceSnapshotId: str
    Description: str = ""
    DestinationOutpostArn: str | None = None
    DestinationRegion: str | None = None
    DestinationAvailabilityZone: str | None = None
    CompletionDurationMinutes: int | None = None
    Encrypted: bool | None = None
    KmsKeyId: str | None = None
    PresignedUrl: str | None = None
    TagSpecification: list[TagSpecification] = []


async def copy_snapshot(call: Call, input: CopySnapshotInput) -> Output:
    """Copy a snapshot of the same Region or another one into the Region of the request."""
    _check(input)
    given = tags.tags_for("snapshot", input.TagSpecification)
    source = await call.consult(permitted_source, "CopySnapshot", input.SourceSnapshotId, input.SourceRegion)
    await call.consult(permit_new_snapshot, snapshot_conditions(source), given)
    rights.end_dry_run(input)
    if source.state != snapshots.COMPLETED:
        raise Ec2Fault("IncorrectState", f"Snapshot '{source.snapshot_id}' is not 'completed'.")
    copy_id = new_snapshot_id()
    call.facts["snapshot"], call.facts["source"] = copy_id, source.snapshot_id
    blank = new_snapshot(
        call, copy_id, size=source.size, description=input.Description, kms_key_arn="", kms_material_id=None,
        data_key=b"", context_id=copy_id,
    )  # fmt: skip
    try:
        await _copy(call, input, source, blank, given)
    except NotFound:  # the source was deleted meanwhile
        raise resource_ids.missing_fault(resource_ids.SNAPSHOT, source.snapshot_id) from None
    except kms_refusals.REFUSALS as error:
        if isinstance(error, Ec2Fault):
            raise
        call.facts["snapshotNotCopied"] = kms_refusals.cause_of(error)
        failed = replace(blank, state=snapshots.ERROR, message=_INACCESSIBLE)  # no key depends on it
        await call.write(_insert, failed, given, "")
    return {"snapshotId": copy_id, "tagSet": tags.tag_set(given)}


def _check(input: CopySnapshotInput) -> None:
    if input.DestinationOutpostArn is not None or input.DestinationAvailabilityZone is not None:
        raise Ec2Fault("UnsupportedOperation", "Outposts and Local Zones are not built in this server.")
    if input.KmsKeyId is not None and not input.Encrypted:
        text = "The parameter KmsKeyId requires the parameter Encrypted to be set."
        raise Ec2Fault("InvalidParameterDependency", text)
    check_description(input.Description)


async def _copy(call: Call, input: CopySnapshotInput, source: Snapshot, blank: Snapshot, given: dict[str, str]) -> None:
    """Make the copy; raises what KMS raises."""
    key_arn = await _wanted_key(call, input, source)
    is_foreign = source.account != call.account
    if is_foreign and key_arn.split(":")[4] != call.account:
        raise AccessDenied("A copy of a snapshot of another account must be under a key of the caller's account.")
    if key_arn == source.kms_key_arn and not is_foreign:
        await _open_source(call, source)  # the right to read it is that to its copy
        same = replace(
            blank, state=snapshots.COMPLETED, progress=100, completed_at=call.now, index_blob=source.index_blob,
            block_count=source.block_count, kms_key_arn=key_arn, kms_material_id=source.kms_material_id,
            data_key=source.data_key, context_id=source.context_id,
        )  # fmt: skip
        call.remember(partial(volume_keys.require_lasting_key, call, key_arn))
        await call.write(_insert, same, given, source.snapshot_id)
        return
    made = await volume_keys.make_volume_key(call, key_arn, blank.snapshot_id)
    copy = await _open(call, source, blank, made)
    call.remember(partial(volume_keys.require_lasting_key, call, made.key_arn))
    await call.write(_insert, copy.target.snapshot, given, source.snapshot_id)
    copying.begin_copy(copy)


async def _open(call: Call, source: Snapshot, blank: Snapshot, made: VolumeKey) -> Copy:
    """Return the copy with both data keys, opened as the caller."""
    old = await _open_source(call, source)
    new = await volume_keys.open_data_key(call, made.blob, blank.snapshot_id)
    pending = replace(
        blank, kms_key_arn=made.key_arn, kms_material_id=made.material_id, data_key=made.blob,
        timeout_minutes=PATIENCE, last_write_at=time.time(),
    )  # fmt: skip
    store = call.services.store
    return Copy(OpenSnapshot(source, old), Target(call.services, pending, new, store.write, call.now))


async def _open_source(call: Call, source: Snapshot) -> bytes:
    """Return the data key of the source, opened as the caller; raises what KMS raises."""
    there = call.call_by_service("")  # the source's key is in the source's Region
    there.region = source.region
    return await volume_keys.open_data_key(there, source.data_key, source.context_id)


async def _wanted_key(call: Call, input: CopySnapshotInput, source: Snapshot) -> str:
    """Return the key that the copy is to have: the one that is given, the source's, or the account's default."""
    own_and_near = source.account == call.account and source.region == call.region
    named = input.KmsKeyId or (source.kms_key_arn if own_and_near else None)
    if named is None:
        defaults = await call.services.store.read(ebs_defaults.find_defaults, call.account, call.region)
        named = defaults.key_id or None
    return await volume_keys.describe_key(call, named)


def _insert(conn: Connection, snapshot: Snapshot, given: dict[str, str], source: str) -> None:
    """Add a copy, which needs the blobs of its source: for good, or until its own are written."""
    if source:
        snapshots.hold_completed(conn, source)
    is_pending = snapshot.state == snapshots.PENDING
    if is_pending and snapshots.count_copies(conn, snapshot.account, snapshot.region) >= _AT_ONCE:
        raise Ec2Fault("ResourceLimitExceeded", f"There are {_AT_ONCE} copies of snapshots under way in this Region.")
    snapshots.add_snapshot(conn, snapshot)
    if source:
        snapshot_blocks.copy_uses(conn, snapshot.snapshot_id, source)
    ec2_tags.set_tags(conn, snapshot.account, snapshot.region, snapshot.snapshot_id, given)
