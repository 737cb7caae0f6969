"""The rights to snapshots: those of callers by their policies, those of hosts by their volumes.

An ARN of a snapshot has no account. A caller sees the snapshots of its account and those that are shared with it; for
all others the answer is the same as for a snapshot that does not exist. A caller writes only into snapshots that
StartSnapshot began: its host sends the blocks of a volume, and a worker those of a copy. A host has no policies. It may
write the blocks of a pending snapshot of a volume that it has, list those of the parent, since it sends only changes,
and read those of a snapshot from which its volume is to be filled.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fuin.access.resources.ec2 import Ec2Resource
from fuin.ebs import faults
from fuin.errors import AccessDenied, FuinError
from fuin.kms import snapshot_keys
from fuin.store.volumes import ec2_tags, host_snapshots, hosts, snapshots

if TYPE_CHECKING:
    from fuin.access.facts import Facts, Pairs
    from fuin.ebs.call import EbsCall
    from fuin.store.volumes.snapshots import Snapshot

_WRITES = frozenset({"CompleteSnapshot", "PutSnapshotBlock"})


class DataKey(NamedTuple):
    """A data key as it is stored: the ciphertext blob, and the id in its encryption context."""

    blob: bytes
    context_id: str


class Found(NamedTuple):
    """A snapshot that the caller may use, and the stored data key that opens for this caller."""

    snapshot: Snapshot
    data_key: DataKey


def find_snapshot(call: EbsCall, snapshot_id: str) -> Found:
    """Return a snapshot if the caller may do the call's operation on it.

    Raises NotAuthorized, AccessDenied, and ResourceNotFoundException. It is for `Call.consult`.
    """
    found = call.services.store.look_up_row(snapshots.find_for, snapshot_id, call.account)
    if found is not None and found.region != call.region:
        found = None
    if call.principal.name == hosts.ROLE and call.principal.kind == "role":
        return _find_for_host(call, snapshot_id, found)
    arn = f"arn:aws:ec2:{call.region}::snapshot/{snapshot_id}"
    add_facts = partial(_add_facts, call, found) if found is not None else None
    call.permit(f"ebs:{call.operation}", Ec2Resource(arn, call.account), add_facts)
    if found is None or (call.operation in _WRITES and found.account != call.account):
        raise faults.no_snapshot(snapshot_id)
    if call.operation in _WRITES and not found.is_of_start_snapshot:
        text = f"The snapshot '{snapshot_id}' was not begun by StartSnapshot: only the server writes its blocks."
        raise faults.invalid("INVALID_SNAPSHOT_ID", text)
    return Found(found, DataKey(found.data_key, found.context_id))


def _add_facts(call: EbsCall, snapshot: Snapshot, facts: Facts) -> None:
    facts.add({
        "ebs:VolumeSize": str(snapshot.size), "ebs:Description": snapshot.description,
        **({"ebs:ParentSnapshot": f"arn:aws:ec2:{snapshot.region}::snapshot/{snapshot.parent_id}"}
           if snapshot.parent_id else {}),
    })  # fmt: skip
    facts.add_table({"aws:resourcetag/": _tags}, call, snapshot)


def _tags(call: EbsCall, snapshot: Snapshot) -> Pairs:
    store, name = call.services.store, snapshot.snapshot_id
    found = store.look_up(ec2_tags.find_tags, snapshot.account, snapshot.region, (name,))
    return tuple(found.get(name, {}).items())


def _find_for_host(call: EbsCall, snapshot_id: str, found: Snapshot | None) -> Found:
    host, store = call.principal.session, call.services.store
    key: DataKey | None = None
    if found is not None and found.account == call.account:
        if call.operation in _WRITES:
            if not found.is_of_start_snapshot and store.look_up(host_snapshots.has_volume, host, found.volume_id):
                key = DataKey(found.data_key, found.context_id)
        else:
            key = _key_to_fill(call, found, host)
            lists = call.operation == "ListSnapshotBlocks"
            if key is None and lists and store.look_up(host_snapshots.has_pending_child, host, snapshot_id):
                key = DataKey(found.data_key, found.context_id)
    call.decisions.append({
        "action": f"ebs:{call.operation}", "resource": f"arn:aws:ec2:{call.region}::snapshot/{snapshot_id}",
        "allowed": key is not None, "rule": "host", "policies": [],
        "because": ["a volume of this host needs it" if key else "no volume of this host needs it"],
    })  # fmt: skip
    if found is None or key is None:
        raise AccessDenied(f"{call.principal.arn} may not use the snapshot {snapshot_id}: no volume of it needs that.")
    call.remember(partial(_find_for_host, call, snapshot_id, found))
    return Found(found, key)


def _key_to_fill(call: EbsCall, snapshot: Snapshot, host: str) -> DataKey | None:
    """Return the stored data key with which a host reads a snapshot from which its volume is to be filled.

    Under the same KMS key the volume has the snapshot's data key, and the host's grant is for the volume's context.
    """
    row = call.services.store.look_up(host_snapshots.find_volume_to_fill, host, snapshot.snapshot_id)
    if row is None:
        return None
    if row.kms_key_arn == snapshot.kms_key_arn:
        return DataKey(row.data_key, row.context_id)
    return DataKey(snapshot.data_key, snapshot.context_id)


async def open_key(call: EbsCall, found: Found) -> bytes:
    """Return the data key of a snapshot, opened as the caller; raises the error of this service for KMS's refusal."""
    try:
        return await snapshot_keys.open_snapshot_key(call, *found.data_key)
    except FuinError as error:
        if (fault := faults.key_fault(error)) is not None:
            raise fault from error
        raise
