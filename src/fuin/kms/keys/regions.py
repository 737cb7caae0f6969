"""Multi-Region keys: ReplicateKey, UpdatePrimaryRegion.

One server answers for all Regions, and the credential scope of a request says which is meant. The related keys of a
set have one id and the same material, so that one opens what another has encrypted; all else is each Region's own.
Replication is one transaction: the replica can be used as soon as ReplicateKey is answered, and only that answer shows
it as Creating, as AWS does. AWS KMS developer guide, "Multi-Region keys in AWS KMS".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin import crash
from fuin.access.resources.key import KeyResource, NewKey
from fuin.kms.keys import managed
from fuin.kms.keys.keys import permit_creation
from fuin.kms.keys.metadata import key_metadata
from fuin.kms.keys.policies import check_key_policy
from fuin.kms.keys.tags import check_tags
from fuin.kms.model import quotas
from fuin.kms.model.faults import KmsFault, NotFoundException
from fuin.kms.model.region_names import kms_regions
from fuin.kms.model.shapes_keys import ReplicateKeyInput, ReplicateKeyOutput, UpdatePrimaryRegionInput
from fuin.kms.model.shapes_parts import KeyMetadata, Tag
from fuin.kms.reach import states
from fuin.kms.reach.key import authorized_key, existing_key
from fuin.store.errors import AlreadyExists, NotFound, NotPrimary, WrongState
from fuin.store.kms import replicas
from fuin.store.kms.keys import Key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from sqlalchemy import Connection

    from fuin.gate.call import Call


async def replicate_key(call: Call, input: ReplicateKeyInput) -> ReplicateKeyOutput:
    """Make a replica of a primary key in another Region: the same id and material, all else its own."""
    tags = check_tags(input.Tags)
    region = input.ReplicaRegion or ""
    named = await call.consult(
        authorized_key, input.KeyId or "", "kms:ReplicateKey", extra={"kms:ReplicaRegion": region}
    )
    primary = existing_key(named)
    _check_primary(primary, named.arn)
    _check_region(call, region)
    there = _call_in_region(call, region)
    bypass = bool(input.BypassPolicyLockoutSafetyCheck)
    new = NewKey(primary.spec, primary.usage, primary.origin, True, True, tuple(tags.items()))
    await there.consult(permit_creation, new, input.BypassPolicyLockoutSafetyCheck)
    replica = _new_replica(there, primary, input, tags)
    if input.Policy is not None:
        resource = KeyResource(replica.arn, replica.account, input.Policy, new)
        await there.consult(check_key_policy, resource, input.Policy, bypass=bypass)
    call.facts["replicaKey"] = replica.arn
    try:
        made = await call.change(_insert, replica)
    except AlreadyExists:
        raise KmsFault("AlreadyExistsException", f"The key {replica.arn} already exists") from None
    except (NotFound, NotPrimary, WrongState) as error:
        _refuse(error, "kms:ReplicateKey", named.arn)
    crash.point("replicate_key.after_store")
    return ReplicateKeyOutput(
        ReplicaKeyMetadata=_metadata_while_creating(await there.consult(key_metadata, made, made.arn)),
        ReplicaPolicy=made.policy,
        ReplicaTags=[Tag(TagKey=name, TagValue=value) for name, value in made.tags] or None,
    )


async def update_primary_region(call: Call, input: UpdatePrimaryRegionInput) -> None:
    """Let a replica be the primary key, and the primary key its replica; both must be enabled."""
    region = input.PrimaryRegion or ""
    conditions = {"kms:PrimaryRegion": region}
    named = await call.consult(authorized_key, input.KeyId or "", "kms:UpdatePrimaryRegion", extra=conditions)
    primary = existing_key(named)
    _check_primary(primary, named.arn)
    if region == primary.region:
        raise KmsFault("UnsupportedOperationException", f"{named.arn} is the primary key already.")
    there = _call_in_region(call, region)
    replica = await there.consult(authorized_key, primary.key_id, "kms:UpdatePrimaryRegion", extra=conditions)
    existing_key(replica)
    call.facts.update(kmsKey=named.arn, replicaKey=replica.arn)
    try:
        await call.change(replicas.change_primary, primary.key_id, primary.region, region)
    except (NotFound, NotPrimary, WrongState) as error:
        _refuse(error, "kms:UpdatePrimaryRegion", named.arn)


def _call_in_region(call: Call, region: str) -> Call:
    """Return the call as one in another Region, where the operation needs a second right; both share the record."""
    return msgspec.structs.replace(call, region=region)


def _check_primary(key: Key, arn: str) -> None:
    """Refuse single-Region keys and replicas; the text is recorded from AWS."""
    if key.primary_region != key.region:
        raise _not_primary_fault(arn)


def _not_primary_fault(arn: str) -> KmsFault:
    return KmsFault("UnsupportedOperationException", f"{arn} is not a multi-region primary key.")


def _check_region(call: Call, region: str) -> None:
    """Refuse a name that is not a Region of AWS KMS in the partition aws; the server's own Region may have any name."""
    if region not in kms_regions() and region != call.services.settings.region:
        raise KmsFault("UnsupportedOperationException", f"The Region {region} is not supported.")


def _new_replica(there: Call, primary: Key, input: ReplicateKeyInput, tags: Mapping[str, str]) -> Key:
    """Return the replica's row; the transaction reads again all that it shares with the primary key."""
    return Key(
        key_id=primary.key_id,
        account=primary.account,
        region=there.region,
        state=states.ENABLED,
        description=input.Description or "",
        spec=primary.spec,
        usage=primary.usage,
        origin=primary.origin,
        manager=primary.manager,
        service="",
        multi_region=True,
        primary_region=primary.region,
        created=round(there.now, 3),
        deletion_date=None,
        policy=managed.default_key_policy(primary.account) if input.Policy is None else input.Policy,
        current_material=primary.current_material,
        tags=tuple(tags.items()),
    )


def _insert(conn: Connection, replica: Key) -> Key:
    made = replicas.insert_replica(conn, replica)
    quotas.check_keys(conn, replica.account, replica.region)
    return made


def _metadata_while_creating(made: KeyMetadata) -> KeyMetadata:
    """Return the metadata of a replica as AWS shows it while it is being created."""
    return msgspec.structs.replace(made, KeyState=states.CREATING, Enabled=False, CurrentKeyMaterialId=None)


def _refuse(error: NotFound | NotPrimary | WrongState, action: str, arn: str) -> NoReturn:
    """Raise AWS's error for a key that another request has changed meanwhile."""
    if isinstance(error, WrongState):
        raise states.refusal(error.state, action, arn) from None
    if isinstance(error, NotPrimary):
        raise _not_primary_fault(arn) from None
    raise NotFoundException(f"Key '{arn}' does not exist") from None
