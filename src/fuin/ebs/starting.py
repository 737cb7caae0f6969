"""StartSnapshot: a new pending snapshot, alone or as the next one after a parent.

| parent | Encrypted, KmsKeyArn | the snapshot |
|---|---|---|
| given | either is given | ValidationException |
| given | neither | under the parent's data key |
| none | Encrypted, or encryption by default is on | under KmsKeyArn, or the account's default key |
| none | KmsKeyArn alone, encryption by default is off | ValidationException |
| none | neither, encryption by default is off | would not be encrypted: refused, since no such byte is stored here |
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from fuin.access.resources.ec2 import Ec2Resource
from fuin.ebs import answers, faults, rights
from fuin.ebs.blocks import check_completed
from fuin.ebs.faults import EbsFault, invalid
from fuin.errors import FuinError
from fuin.kms import volume_keys
from fuin.snapshots.lineage import new_snapshot, new_snapshot_id
from fuin.snapshots.pack import BLOCK
from fuin.store.errors import AlreadyExists, NotFound, TooManyTags
from fuin.store.volumes import ebs_defaults, ec2_tags, snapshots

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.ebs.call import EbsCall
    from fuin.gate.http import Answer
    from fuin.kms.volume_keys import VolumeKey
    from fuin.store.volumes.snapshots import Snapshot

_KEY_ARN = re.compile(r"arn:aws[a-z\-]*:kms:.*:[0-9]{12}:key/.*", re.ASCII)
_LARGEST = 65_536  # GiB
_TIMEOUT, _SHORTEST, _LONGEST = 60, 10, 4320  # minutes
_DESCRIPTION, _TOKEN, _TAG_KEY, _TAG_VALUE = 255, 255, 127, 255  # characters at most


class Tag(msgspec.Struct):
    """A tag of the new snapshot."""

    Key: str = ""
    Value: str = ""


class StartSnapshotInput(msgspec.Struct):
    """The body of StartSnapshot."""

    VolumeSize: int | None = None
    ParentSnapshotId: str | None = None
    Tags: list[Tag] = []
    Description: str | None = None
    ClientToken: str | None = None
    Encrypted: bool | None = None
    KmsKeyArn: str | None = None
    Timeout: int | None = None


@dataclass(frozen=True, slots=True)
class _Encryption:
    """The stored data key of a new snapshot, and the id in its encryption context."""

    key: VolumeKey
    context_id: str


async def start_snapshot(call: EbsCall) -> Answer:
    """Begin a snapshot."""
    input = _read_input(call)
    more = _conditions(call, input)
    await call.consult(_permit, input, more)
    digest = _digest(input)
    if input.ClientToken is not None:
        known = await call.services.store.read(
            snapshots.find_by_token, call.account, call.region, input.ClientToken
        )  # fmt: skip
        if known is not None:
            return await _answer_again(call, known, digest)
    snapshot_id = new_snapshot_id()
    call.facts["snapshot"] = snapshot_id
    encryption = await _encrypt(call, input, snapshot_id)
    made = new_snapshot(
        call, snapshot_id, size=input.VolumeSize, description=input.Description or "",
        parent_id=input.ParentSnapshotId or "", client_token=input.ClientToken or "", request_digest=digest,
        timeout_minutes=_TIMEOUT if input.Timeout is None else input.Timeout,
        kms_key_arn=encryption.key.key_arn, kms_material_id=encryption.key.material_id, data_key=encryption.key.blob,
        context_id=encryption.context_id,
    )  # fmt: skip
    call.remember(partial(volume_keys.require_lasting_key, call, made.kms_key_arn))
    known = await _insert(call, made, {tag.Key: tag.Value for tag in input.Tags})
    if known is not None:
        return await _answer_again(call, known, digest)
    return _answer(made, input.Tags)


def _read_input(call: EbsCall) -> StartSnapshotInput:
    try:
        input = msgspec.json.decode(call.body or b"{}", type=StartSnapshotInput)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise invalid("INVALID_PARAMETER_VALUE", f"The request cannot be read: {error}"[:256]) from None
    if input.VolumeSize is None or not 1 <= input.VolumeSize <= _LARGEST:
        raise invalid("INVALID_VOLUME_SIZE", f"VolumeSize must be from 1 to {_LARGEST} GiB.")
    if input.Timeout is not None and not _SHORTEST <= input.Timeout <= _LONGEST:
        raise invalid("INVALID_PARAMETER_VALUE", f"Timeout must be from {_SHORTEST} to {_LONGEST} minutes.")
    if len(input.Description or "") > _DESCRIPTION or len(input.ClientToken or "") > _TOKEN:
        raise invalid("INVALID_PARAMETER_VALUE", f"Description and ClientToken have at most {_TOKEN} characters.")
    if input.KmsKeyArn is not None and not _KEY_ARN.fullmatch(input.KmsKeyArn):
        raise invalid("INVALID_CUSTOMER_KEY", "KmsKeyArn must be the ARN of a key: arn:aws:kms:REGION:ACCOUNT:key/ID.")
    if any(not 1 <= len(tag.Key) <= _TAG_KEY or len(tag.Value) > _TAG_VALUE for tag in input.Tags):
        raise invalid("INVALID_TAG", f"A tag's key has 1 to {_TAG_KEY} characters, its value at most {_TAG_VALUE}.")
    if len({tag.Key for tag in input.Tags}) != len(input.Tags):
        raise invalid("INVALID_TAG", "The keys of tags must differ.")
    return input


def _arn(call: EbsCall, snapshot_id: str) -> str:
    return f"arn:aws:ec2:{call.region}::snapshot/{snapshot_id}"


def _conditions(call: EbsCall, input: StartSnapshotInput) -> dict[str, Any]:
    more: dict[str, Any] = {"ebs:VolumeSize": str(input.VolumeSize)}
    if input.Description:
        more["ebs:Description"] = input.Description
    if input.ParentSnapshotId:
        more["ebs:ParentSnapshot"] = _arn(call, input.ParentSnapshotId)
    if input.Tags:
        more |= {f"aws:RequestTag/{tag.Key}": tag.Value for tag in input.Tags}
        more["aws:TagKeys"] = tuple(tag.Key for tag in input.Tags)
    return more


def _permit(call: EbsCall, input: StartSnapshotInput, more: dict[str, Any]) -> None:
    """Check the right to a new snapshot, and to the parent: a child has all blocks of its parent."""
    resource = Ec2Resource(_arn(call, "*"), call.account)
    call.permit("ebs:StartSnapshot", resource, more)
    if input.ParentSnapshotId:
        parent_id, store = input.ParentSnapshotId, call.services.store
        tags = store.look_up(ec2_tags.find_tags, call.account, call.region, (parent_id,)).get(parent_id, {})
        parent = Ec2Resource(_arn(call, parent_id), call.account, tuple(tags.items()))
        call.permit("ebs:StartSnapshot", parent, more)
    if input.Tags:
        call.permit("ec2:CreateTags", resource, {**more, "ec2:CreateAction": "StartSnapshot"})


def _digest(input: StartSnapshotInput) -> bytes:
    """Return a digest of all that a repeated request must say again."""
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(input, ClientToken=None))).digest()


async def _encrypt(call: EbsCall, input: StartSnapshotInput, snapshot_id: str) -> _Encryption:
    if input.ParentSnapshotId is not None:
        return await _take_key_of_parent(call, input, input.ParentSnapshotId)
    defaults = await call.services.store.read(ebs_defaults.find_defaults, call.account, call.region)
    if not input.Encrypted and not defaults.by_default:
        if input.KmsKeyArn is not None:
            raise invalid("INVALID_PARAMETER_VALUE", "KmsKeyArn requires Encrypted to be true.")
        raise invalid(
            "INVALID_PARAMETER_VALUE",
            "This server stores no snapshot that is not encrypted. Set Encrypted, or switch encryption by default on: "
            "EnableEbsEncryptionByDefault.",
        )
    try:
        made = await volume_keys.make_volume_key(call, input.KmsKeyArn or defaults.key_id or None, snapshot_id)
    except FuinError as error:
        if (fault := faults.key_fault(error)) is not None:
            raise fault from error
        raise
    return _Encryption(made, snapshot_id)


async def _take_key_of_parent(call: EbsCall, input: StartSnapshotInput, parent_id: str) -> _Encryption:
    if input.Encrypted is not None or input.KmsKeyArn is not None:
        text = "Encrypted and KmsKeyArn cannot be used with ParentSnapshotId: the snapshot is encrypted as its parent."
        raise invalid("INVALID_PARAMETER_VALUE", text)
    parent = await call.services.store.read(snapshots.find_for, parent_id, call.account)
    if parent is None or parent.account != call.account or parent.region != call.region:
        raise faults.no_snapshot(parent_id)
    check_completed(parent)
    if (input.VolumeSize or 0) < parent.size:
        raise invalid("INVALID_VOLUME_SIZE", f"VolumeSize must be at least the parent's: {parent.size} GiB.")
    found = rights.Found(parent, rights.DataKey(parent.data_key, parent.context_id))
    await rights.open_key(call, found)
    key = volume_keys.VolumeKey(parent.kms_key_arn, parent.kms_material_id, parent.data_key)
    return _Encryption(key, parent.context_id)


async def _insert(call: EbsCall, made: Snapshot, tags: dict[str, str]) -> Snapshot | None:
    """Add a snapshot, or return the one that a request with the same ClientToken has begun meanwhile."""
    try:
        known: Snapshot | None = await call.write(_add, made, tags)
    except AlreadyExists:  # the same request came to two nodes at once
        known = await call.services.store.read(snapshots.find_by_token, made.account, made.region, made.client_token)
        if known is None:
            raise EbsFault("ConflictException", "The ClientToken was used for a snapshot that is deleted.") from None
    except NotFound:
        raise faults.no_snapshot(made.parent_id) from None
    except TooManyTags:
        raise invalid("INVALID_TAG", "A snapshot may have 50 tags.") from None
    return known


def _add(conn: Connection, made: Snapshot, tags: dict[str, str]) -> Snapshot | None:
    """Add a snapshot, or return the one that a request with the same ClientToken has begun meanwhile."""
    if made.client_token:
        known = snapshots.find_by_token(conn, made.account, made.region, made.client_token)
        if known is not None:
            return known
    snapshots.add_snapshot(conn, made)
    if tags:
        ec2_tags.set_tags(conn, made.account, made.region, made.snapshot_id, tags)
    return None


async def _answer_again(call: EbsCall, known: Snapshot, digest: bytes) -> Answer:
    """Answer a repeated request; raises ConflictException for another one with the same ClientToken."""
    if known.request_digest != digest:
        raise EbsFault("ConflictException", "The ClientToken was used for a request with other parameters.")
    call.facts["snapshot"] = known.snapshot_id
    read = call.services.store.read
    tags = (await read(ec2_tags.find_tags, known.account, known.region, [known.snapshot_id])).get(known.snapshot_id, {})
    return _answer(known, [Tag(key, value) for key, value in tags.items()])


def _answer(snapshot: Snapshot, tags: list[Tag]) -> Answer:
    return answers.document(201, {
        "Description": snapshot.description or None, "SnapshotId": snapshot.snapshot_id, "OwnerId": snapshot.account,
        "Status": snapshot.state, "StartTime": snapshot.started_at, "VolumeSize": snapshot.size, "BlockSize": BLOCK,
        "Tags": [{"Key": tag.Key, "Value": tag.Value} for tag in tags] or None,
        "ParentSnapshotId": snapshot.parent_id or None, "KmsKeyArn": snapshot.kms_key_arn or None, "SseType": "sse-kms",
    })  # fmt: skip
