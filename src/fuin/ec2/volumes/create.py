"""CreateVolume: a row with a new data key, from nothing or from a snapshot. The disk is made by the host.

AWS looks at the KMS key only after it has answered: CreateVolume answers `creating` with an id, and the volume then
vanishes if the key cannot be used. So it is here. The request's record says why (`facts.volumeNotMade`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fuin.access.resources.ec2 import Ec2Resource
from fuin.ec2.account import regions
from fuin.ec2.request import kms_refusals, resource_ids, rights, tags
from fuin.ec2.snapshots.known import permitted_source
from fuin.ec2.volumes import views
from fuin.ec2.volumes.known import volume_conditions
from fuin.ec2.volumes.shapes import DEFAULT_TYPE, checked_shape
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.form import Input
from fuin.ec2.wire.members import TagSpecification
from fuin.kms import volume_keys
from fuin.store.errors import AlreadyExists, NotFound
from fuin.store.volumes import ebs_defaults, ec2_tags, snapshots, volumes
from fuin.store.volumes.volumes import Volume

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.ec2.wire.answers import Output
    from fuin.gate.call import Call
    from fuin.kms.volume_keys import VolumeKey
    from fuin.store.volumes.snapshots import Snapshot

NOT_ENCRYPTED = (
    "This server stores encrypted volumes only, and encryption by default is off in this Region. Set the parameter "
    "Encrypted to true, or switch encryption by default on: aws ec2 enable-ebs-encryption-by-default"
)


class CreateVolumeInput(Input):
    """The input of CreateVolume."""

    AvailabilityZone: str | None = None
    AvailabilityZoneId: str | None = None
    ClientToken: str = ""
    Encrypted: bool | None = None
    Iops: int | None = None
    KmsKeyId: str | None = None
    MultiAttachEnabled: bool = False
    OutpostArn: str | None = None
    Operator: dict[str, str] | None = None
    Size: int | None = None
    SnapshotId: str | None = None
    TagSpecification: list[TagSpecification] = []
    Throughput: int | None = None
    VolumeInitializationRate: int | None = None
    VolumeType: str = DEFAULT_TYPE


async def create_volume(call: Call, input: CreateVolumeInput) -> Output:
    """Make a volume; the same ClientToken with the same request returns the volume that is there."""
    _refuse_unsupported(input)
    zone = regions.requested_zone(call, input.AvailabilityZone, input.AvailabilityZoneId)
    given = tags.tags_for("volume", input.TagSpecification)
    snapshot = await call.consult(_source_snapshot, input.SnapshotId)
    volume = _new_volume(call, input, zone, snapshot)
    await call.consult(_permit, volume, given)
    rights.end_dry_run(input)
    if input.ClientToken and (known := await _known_volume(call, volume)) is not None:
        return views.new_volume_item(known.volume, known.tags)
    call.facts["volume"] = volume.volume_id
    try:
        return await _make(call, input, volume, snapshot, given)
    except Ec2Fault:
        raise
    except kms_refusals.REFUSALS as error:
        call.facts["volumeNotMade"] = kms_refusals.cause_of(error)
        return views.new_volume_item(replace(volume, kms_key_arn=input.KmsKeyId or ""), given)


async def _make(
    call: Call, input: CreateVolumeInput, volume: Volume, snapshot: Snapshot | None, given: dict[str, str]
) -> Output:
    """Ask KMS for the data key, and put the volume into the store; raises KMS's refusals."""
    key = await _data_key(call, input, volume, snapshot)
    made = replace(
        volume, kms_key_arn=key.key_arn, kms_material_id=key.material_id, data_key=key.blob, context_id=volume.volume_id
    )  # fmt: skip
    call.remember(partial(volume_keys.require_lasting_key, call, key.key_arn))
    try:
        await call.write(_insert, made, given)
    except AlreadyExists:  # the same request came twice at once
        known = await _known_volume(call, volume)
        if known is None:
            raise
        return views.new_volume_item(known.volume, known.tags)
    except NotFound:  # the snapshot was deleted meanwhile
        raise resource_ids.missing_fault(resource_ids.SNAPSHOT, volume.snapshot_id) from None
    return views.new_volume_item(made, given)


def _refuse_unsupported(input: CreateVolumeInput) -> None:
    if input.MultiAttachEnabled:
        text = "Multi-Attach is not built in this server: a volume is attached to one host at a time."
        raise Ec2Fault("UnsupportedOperation", text)
    if input.OutpostArn is not None or input.Operator is not None:
        raise Ec2Fault("UnsupportedOperation", "Outposts and service providers are not built in this server.")
    if input.KmsKeyId is not None and input.Encrypted is None:
        text = "The parameter KmsKeyId requires the parameter Encrypted to be set."
        raise Ec2Fault("InvalidParameterDependency", text)
    if input.KmsKeyId is not None and not input.Encrypted:
        text = "The parameter KmsKeyId cannot be used with Encrypted set to false."
        raise Ec2Fault("InvalidParameterCombination", text)


def _source_snapshot(call: Call, snapshot_id: str | None) -> Snapshot | None:
    """Return the snapshot that a volume is to be made from, if the caller may do that."""
    if not snapshot_id:
        return None
    found = permitted_source(call, "CreateVolume", snapshot_id, call.region)
    if found.account != call.account:
        text = f"The snapshot '{snapshot_id}' is another account's: copy it under a key of your own first."
        raise Ec2Fault("UnsupportedOperation", text)
    if found.state != snapshots.COMPLETED:
        raise Ec2Fault("IncorrectState", f"Snapshot '{snapshot_id}' is not 'completed'.")
    return found


def _new_volume(call: Call, input: CreateVolumeInput, zone: str, snapshot: Snapshot | None) -> Volume:
    """Return the row of the volume that is asked for, still without a data key."""
    if input.Size is None and snapshot is None:
        raise Ec2Fault("MissingParameter", "The request must contain the parameter size/snapshot")
    size = input.Size if input.Size is not None else (snapshot.size if snapshot else 0)
    if snapshot is not None and size < snapshot.size:
        text = f"The size {size} GiB is smaller than that of the snapshot: {snapshot.size} GiB."
        raise Ec2Fault("InvalidParameterValue", text)
    shape = checked_shape(size, input.VolumeType, input.Iops, input.Throughput)
    return Volume(
        volume_id=resource_ids.new_id(resource_ids.VOLUME),
        account=call.account,
        region=call.region,
        zone=zone,
        size=shape.size,
        volume_type=shape.volume_type,
        iops=shape.iops,
        throughput=shape.throughput,
        state=volumes.AVAILABLE,
        kms_key_arn="",
        kms_material_id=None,
        data_key=b"",
        context_id="",
        snapshot_id="" if snapshot is None else snapshot.snapshot_id,
        client_token=input.ClientToken,
        request_digest=resource_ids.digest(input),
        created_at=round(call.now, 3),
        is_filled=snapshot is None,
    )


def _permit(call: Call, volume: Volume, given: dict[str, str]) -> None:
    """Check the rights to make the volume, and to give it tags."""
    conditions = {**volume_conditions(volume), **rights.requested_tags(given)}
    anew = Ec2Resource(rights.arn(call, "volume", "*"), call.account)
    rights.permit(call, "CreateVolume", anew, conditions)
    if given:
        creating = {"ec2:CreateAction": "CreateVolume", **rights.requested_tags(given)}
        rights.permit(call, "CreateTags", anew, creating)


async def _known_volume(call: Call, volume: Volume) -> views.VolumeView | None:
    """Return the volume that the request has made before; raises IdempotentParameterMismatch for another request."""
    known = await call.services.store.read(volumes.find_by_token, volume.account, volume.region, volume.client_token)
    if known is None:
        return None
    if known.request_digest != volume.request_digest:
        text = "The client token was used with other parameters in an earlier request."
        raise Ec2Fault("IdempotentParameterMismatch", text)
    found = await call.services.store.read(views.views_of, volume.account, volume.region, [known])
    return found[0]


async def _data_key(call: Call, input: CreateVolumeInput, volume: Volume, snapshot: Snapshot | None) -> VolumeKey:
    """Return the volume's data key: a new one, or under the snapshot's KMS key the snapshot's."""
    key = input.KmsKeyId
    if snapshot is None:
        defaults = await call.services.store.read(ebs_defaults.find_defaults, call.account, call.region)
        if not (input.Encrypted or defaults.by_default):
            raise Ec2Fault("UnsupportedOperation", NOT_ENCRYPTED)
        return await volume_keys.make_volume_key(call, key or defaults.key_id or None, volume.volume_id)
    wanted = snapshot.kms_key_arn if key is None else await call.consult(volume_keys.key_arn, key)
    if wanted == snapshot.kms_key_arn:
        return await volume_keys.re_encrypt(call, snapshot.data_key, snapshot.context_id, wanted, volume.volume_id)
    return await volume_keys.make_volume_key(call, wanted, volume.volume_id)


def _insert(conn: Connection, volume: Volume, given: dict[str, str]) -> None:
    if volume.snapshot_id:
        snapshots.hold_completed(conn, volume.snapshot_id)
    volumes.insert_volume(conn, volume)
    ec2_tags.set_tags(conn, volume.account, volume.region, volume.volume_id, given)
