"""Multi-Region keys: ReplicateKey, UpdatePrimaryRegion.

One server answers for all Regions, and the credential scope of a request says which is meant. The related keys of a
set have one id and the same material, so that one opens what another has encrypted; all else is each Region's own.
Replication is one transaction: the replica can be used as soon as ReplicateKey is answered, and only that answer shows
it as Creating, as AWS does. AWS KMS developer guide, "Multi-Region keys in AWS KMS".
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
from botocore.loaders import Loader

from fuin import crash
from fuin.gate.permit import permit_identity
from fuin.kms import managed, quotas, rights, states
from fuin.kms.faults import AlreadyExistsException, NotFoundException, UnsupportedOperationException
from fuin.kms.key import found, reach
from fuin.kms.keys import permit_tags
from fuin.kms.policies import check_key_policy
from fuin.kms.shapes import Input, KeyMetadata, Output, Tag, metadata
from fuin.kms.tags import check_tags
from fuin.store.errors import AlreadyExists, NotFound, NotPrimary, WrongState
from fuin.store.kms import replicas
from fuin.store.kms.keys import Key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from sqlalchemy import Connection

    from fuin.access.facts import Values
    from fuin.gate.call import Call


class ReplicateKeyInput(Input, frozen=True):
    """What ReplicateKey takes."""

    KeyId: str | None = None
    ReplicaRegion: str | None = None
    Policy: str | None = None
    BypassPolicyLockoutSafetyCheck: bool | None = None
    Description: str | None = None
    Tags: list[Tag] | None = None


class ReplicateKeyOutput(Output, frozen=True):
    """The new replica."""

    ReplicaKeyMetadata: KeyMetadata | None = None
    ReplicaPolicy: str | None = None
    ReplicaTags: list[Tag] | None = None


class UpdatePrimaryRegionInput(Input, frozen=True):
    """What UpdatePrimaryRegion takes."""

    KeyId: str | None = None
    PrimaryRegion: str | None = None


async def replicate_key(call: Call, p: ReplicateKeyInput) -> ReplicateKeyOutput:
    """Make a replica of a primary key in another Region: the same id and material, all else its own."""
    tags = check_tags(p.Tags)
    region = p.ReplicaRegion or ""
    named = await call.consult(reach, p.KeyId or "", "kms:ReplicateKey", extra={"kms:ReplicaRegion": region})
    primary = found(named)
    _check_primary(primary, named.arn)
    _check_region(call, region)
    there = _elsewhere(call, region)
    bypass = bool(p.BypassPolicyLockoutSafetyCheck)
    await there.consult(_permit_creation, primary, p, tags)
    replica = _replica_of(there, primary, p, tags)
    if p.Policy is not None:
        await there.consult(
            check_key_policy, replica.arn, replica.account, p.Policy, _conditions(primary, tags), bypass=bypass
        )
    call.facts["replicaKey"] = replica.arn
    try:
        made = await call.change(_insert, replica)
    except AlreadyExists:
        raise AlreadyExistsException(f"The key {replica.arn} already exists") from None
    except (NotFound, NotPrimary, WrongState) as error:
        _refuse(error, "kms:ReplicateKey", named.arn)
    crash.point("replicate_key.after_store")
    return ReplicateKeyOutput(
        ReplicaKeyMetadata=_creating(await there.consult(metadata, made, made.arn)),
        ReplicaPolicy=made.policy,
        ReplicaTags=[Tag(TagKey=name, TagValue=value) for name, value in made.tags] or None,
    )


async def update_primary_region(call: Call, p: UpdatePrimaryRegionInput) -> None:
    """Let a replica be the primary key, and the primary key its replica; both must be enabled."""
    region = p.PrimaryRegion or ""
    conditions = {"kms:PrimaryRegion": region}
    named = await call.consult(reach, p.KeyId or "", "kms:UpdatePrimaryRegion", extra=conditions)
    primary = found(named)
    _check_primary(primary, named.arn)
    if region == primary.region:
        raise UnsupportedOperationException(f"{named.arn} is the primary key already.")
    there = _elsewhere(call, region)
    replica = await there.consult(reach, primary.key_id, "kms:UpdatePrimaryRegion", extra=conditions)
    found(replica)
    call.facts.update(kmsKey=named.arn, replicaKey=replica.arn)
    try:
        await call.change(replicas.change_primary, primary.key_id, primary.region, region)
    except (NotFound, NotPrimary, WrongState) as error:
        _refuse(error, "kms:UpdatePrimaryRegion", named.arn)


def _elsewhere(call: Call, region: str) -> Call:
    """Return the call as one in another Region, where its second right is needed; facts and decisions are shared."""
    return msgspec.structs.replace(call, region=region)


def _check_primary(key: Key, arn: str) -> None:
    """Refuse single-Region keys and replicas; the text is recorded from AWS."""
    if key.primary_region != key.region:
        raise _no_primary(arn)


def _no_primary(arn: str) -> UnsupportedOperationException:
    return UnsupportedOperationException(f"{arn} is not a multi-region primary key.")


def _check_region(call: Call, region: str) -> None:
    """Refuse what is no Region of AWS KMS in the partition aws; the server's own Region may have any name."""
    if region not in kms_regions() and region != call.services.settings.region:
        raise UnsupportedOperationException(f"The Region {region} is not supported.")


@lru_cache(maxsize=1)
def kms_regions() -> frozenset[str]:
    """Return the Regions of the partition aws that have AWS KMS, by botocore's list; reading it takes 40 ms once."""
    partitions = Loader().load_data("endpoints")["partitions"]
    partition = next(each for each in partitions if each["partition"] == "aws")
    return frozenset(partition["regions"]) & frozenset(partition["services"]["kms"]["endpoints"])


def _permit_creation(there: Call, primary: Key, p: ReplicateKeyInput, tags: Mapping[str, str]) -> None:
    """Check the right to create the replica in its Region, where only the caller's own policies can give it."""
    of_tags = {**_conditions(primary, tags), **rights.of_tags(tags)}
    conditions = {**of_tags, **rights.of_bypass(p.BypassPolicyLockoutSafetyCheck)}
    permit_identity(there, "kms:CreateKey", "*", there.account, conditions)
    if tags:
        permit_tags(there, of_tags)


def _conditions(primary: Key, tags: Mapping[str, str]) -> dict[str, Values]:
    """Return the condition keys of the replica that is to be made."""
    return rights.of_new_key(primary.spec, primary.usage, primary.origin, True, tags)


def _replica_of(there: Call, primary: Key, p: ReplicateKeyInput, tags: Mapping[str, str]) -> Key:
    """Return the replica's row; what it shares with the primary key is read again in the transaction."""
    return Key(
        key_id=primary.key_id,
        account=primary.account,
        region=there.region,
        state=states.ENABLED,
        description=p.Description or "",
        spec=primary.spec,
        usage=primary.usage,
        origin=primary.origin,
        manager=primary.manager,
        service="",
        multi_region=True,
        primary_region=primary.region,
        created=round(there.now, 3),
        deletion_date=None,
        policy=managed.default_key_policy(primary.account) if p.Policy is None else p.Policy,
        current_material=primary.current_material,
        tags=tuple(tags.items()),
    )


def _insert(conn: Connection, replica: Key) -> Key:
    made = replicas.insert_replica(conn, replica)
    quotas.check_keys(conn, replica.account, replica.region)
    return made


def _creating(made: KeyMetadata) -> KeyMetadata:
    """Return what AWS tells of a replica while it is being created."""
    return msgspec.structs.replace(made, KeyState=states.CREATING, Enabled=False, CurrentKeyMaterialId=None)


def _refuse(error: NotFound | NotPrimary | WrongState, action: str, arn: str) -> NoReturn:
    """Raise AWS's error for what another request has changed meanwhile."""
    if isinstance(error, WrongState):
        raise states.refusal(error.state, action, arn) from None
    if isinstance(error, NotPrimary):
        raise _no_primary(arn) from None
    raise NotFoundException(f"Key '{arn}' does not exist") from None
