"""Keys: CreateKey, DescribeKey, ListKeys, UpdateKeyDescription."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fuin import crash, ids
from fuin.clock import CLOCK
from fuin.errors import AccessDenied
from fuin.gate.permit import permit_identity
from fuin.kms import external_keys, managed, paging, quotas, rights, shapes, throttling
from fuin.kms.faults import (
    NotFoundException,
    UnsupportedOperationException,
    ValidationException,
)
from fuin.kms.grant_tokens import check_grant_tokens
from fuin.kms.key import found, reach
from fuin.kms.policies import check_key_policy
from fuin.kms.shapes import Input, Output, Tag, metadata
from fuin.kms.specs import ENCRYPT_DECRYPT, SM2, SPECS, SYMMETRIC_DEFAULT
from fuin.kms.tags import check_tags
from fuin.store.errors import NotFound
from fuin.store.kms import keys

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.access.facts import Given
    from fuin.formats.wrapped import Material
    from fuin.gate.call import Call
    from fuin.kms.naming import Named
    from fuin.store.kms.keys import Key

_PAGE = 100
_OWN = "SELF"
AWS_KMS, EXTERNAL = "AWS_KMS", "EXTERNAL"
AWS_CLOUDHSM, EXTERNAL_KEY_STORE = "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"


class CreateKeyInput(Input, frozen=True):
    """What CreateKey takes."""

    Policy: str | None = None
    Description: str | None = None
    KeyUsage: str | None = None
    CustomerMasterKeySpec: str | None = None
    KeySpec: str | None = None
    Origin: str | None = None
    CustomKeyStoreId: str | None = None
    BypassPolicyLockoutSafetyCheck: bool | None = None
    Tags: list[Tag] | None = None
    MultiRegion: bool | None = None
    XksKeyId: str | None = None


class CreateKeyOutput(Output, frozen=True):
    """The new key."""

    KeyMetadata: shapes.KeyMetadata | None = None


class DescribeKeyInput(Input, frozen=True):
    """What DescribeKey takes."""

    KeyId: str | None = None
    GrantTokens: list[str] | None = None


class DescribeKeyOutput(Output, frozen=True):
    """The key's metadata."""

    KeyMetadata: shapes.KeyMetadata | None = None


class ListKeysInput(Input, frozen=True):
    """What ListKeys takes."""

    Limit: int | None = None
    Marker: str | None = None
    ResourceOwners: list[str] | None = None


class KeyListEntry(Output, frozen=True):
    """A key in a list."""

    KeyId: str | None = None
    KeyArn: str | None = None


class ListKeysOutput(Output, frozen=True):
    """A page of keys."""

    Keys: list[KeyListEntry] | None = None
    NextMarker: str | None = None
    Truncated: bool | None = None


class UpdateKeyDescriptionInput(Input, frozen=True):
    """What UpdateKeyDescription takes."""

    KeyId: str | None = None
    Description: str | None = None


async def create_key(call: Call, p: CreateKeyInput) -> CreateKeyOutput:
    """Make a key of any kind; its material is made in the keyholder and stored wrapped."""
    kind = wanted_kind(p)
    tags = check_tags(p.Tags)
    bypass = bool(p.BypassPolicyLockoutSafetyCheck)
    of_key = rights.of_new_key(kind.spec, kind.usage, kind.origin, False if kind.multi_region else None, tags)
    of_tags = {**of_key, **rights.of_tags(tags)}
    conditions = {**of_tags, **rights.of_bypass(p.BypassPolicyLockoutSafetyCheck)}
    await call.consult(permit_identity, "kms:CreateKey", "*", call.account, conditions)
    if tags:
        await call.consult(permit_tags, of_tags)
    if p.CustomKeyStoreId is not None:
        await external_keys.check(
            call, p.CustomKeyStoreId, p.XksKeyId, kind.origin, kind.spec, multi_region=kind.multi_region
        )
    key_id = ids.new_multi_region_key_id() if kind.multi_region else ids.new_key_id()
    arn = ids.key_arn(call.account, call.region, key_id)
    policy = managed.default_key_policy(call.account) if p.Policy is None else p.Policy
    if p.Policy is not None:
        await call.consult(check_key_policy, arn, call.account, policy, of_key, bypass=bypass)
    call.facts["kmsKey"] = arn
    material = await _material(call, kind, key_id, arn)
    key = managed.new_key(
        call, key_id, call.account, material, spec=kind.spec, usage=kind.usage, origin=kind.origin,
        description=p.Description or "", policy=policy, tags=tuple(tags.items()),
    )  # fmt: skip
    if p.CustomKeyStoreId is None or material is None:
        await call.add(_insert, key, material)
    else:
        key = await external_keys.insert(call, key, material, p.CustomKeyStoreId, p.XksKeyId or "")
    crash.point("create_key.after_store")
    return CreateKeyOutput(KeyMetadata=await call.consult(metadata, key, arn))


def _insert(conn: Connection, key: Key, material: Material | None) -> None:
    keys.insert_key(conn, key, material)
    quotas.check_keys(conn, key.account, key.region)


async def _material(call: Call, kind: Kind, key_id: str, arn: str) -> Material | None:
    """Return fresh material; a key that waits for an import has none, and only the record says that it was made."""
    draft = call.draft(use="kms:CreateKey", key=arn)
    if kind.origin == EXTERNAL:
        await call.services.keyholder.record(draft)
        return None
    with throttling.slow(call, kind.spec):
        material = await call.services.keyholder.create_material(key_id, kind.spec, draft)
    crash.point("create_key.after_material")
    return material


def permit_tags(call: Call, conditions: Given) -> None:
    """Check the right to give the new key tags; AWS has a sentence of its own for it."""
    try:
        permit_identity(call, "kms:TagResource", "*", call.account, conditions)
    except AccessDenied:
        raise AccessDenied(
            "You don't have the kms:TagResource permission that is required to add tags during key creation."
        ) from None


class Kind(NamedTuple):
    """What kind of key is wanted."""

    spec: str
    usage: str
    origin: str
    multi_region: bool


def wanted_kind(p: CreateKeyInput) -> Kind:
    """Return the kind of key that a request asks for; refuses what AWS refuses."""
    if p.KeySpec is not None and p.CustomerMasterKeySpec is not None:
        raise ValidationException(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated."
        )
    spec = p.KeySpec or p.CustomerMasterKeySpec or SYMMETRIC_DEFAULT
    if spec != SYMMETRIC_DEFAULT and p.KeyUsage is None:
        raise ValidationException(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
        )
    usage = p.KeyUsage or ENCRYPT_DECRYPT
    if spec == SM2:
        raise UnsupportedOperationException(f"KeySpec {SM2} is not supported in this Region")
    if usage not in SPECS[spec].usages:
        raise ValidationException(f"KeyUsage {usage} is not compatible with KeySpec {spec}")
    origin = p.Origin or AWS_KMS
    if p.XksKeyId is not None and origin != EXTERNAL_KEY_STORE:
        raise ValidationException("XksKeyId is only valid for keys with an Origin of EXTERNAL_KEY_STORE.")
    if origin in {AWS_CLOUDHSM, EXTERNAL_KEY_STORE} and p.CustomKeyStoreId is None:
        raise ValidationException(f"CustomKeyStoreId is required for keys with an Origin of {origin}.")
    return Kind(spec, usage, origin, bool(p.MultiRegion))


async def describe_key(call: Call, p: DescribeKeyInput) -> DescribeKeyOutput:
    """Return a key's metadata; a key of another account by ARN, as far as its policy allows."""
    await call.consult(check_grant_tokens, p.GrantTokens)
    try:
        named = await call.consult(_described, p)
    except NotFoundException:
        service = managed.service_of(call, p.KeyId or "")
        if service is None:
            raise
        await managed.ensure_key(call, service)  # AWS: describing a predefined alias makes its key
        named = await call.consult(_described, p)
    return DescribeKeyOutput(KeyMetadata=await call.consult(metadata, found(named), named.arn))


def _described(call: Call, p: DescribeKeyInput) -> Named:
    return reach(call, p.KeyId or "", "kms:DescribeKey", aliases=True, foreign=True)


async def list_keys(call: Call, p: ListKeysInput) -> ListKeysOutput:
    """Return the ids of the account's keys in this region, a page at a time."""
    await call.consult(permit_identity, "kms:ListKeys", "*", call.account)
    after = paging.start("keys", p.Marker)
    if p.ResourceOwners is not None and _OWN not in p.ResourceOwners:
        return ListKeysOutput(Keys=[], Truncated=False)  # nobody shares keys by RAM
    limit = p.Limit or _PAGE
    listed = await paging.read(call, keys.list_keys, call.account, call.region, after, limit + 1, CLOCK.settled())
    shown, marker, more = paging.page("keys", listed, limit, str)
    entries = [KeyListEntry(KeyId=key_id, KeyArn=ids.key_arn(call.account, call.region, key_id)) for key_id in shown]
    return ListKeysOutput(Keys=entries, NextMarker=marker, Truncated=more)


async def update_key_description(call: Call, p: UpdateKeyDescriptionInput) -> None:
    """Replace the key's description."""
    named = await call.consult(reach, p.KeyId or "", "kms:UpdateKeyDescription")
    key = found(named)
    try:
        await call.change(keys.set_description, key.key_id, key.region, p.Description or "")
    except NotFound:
        raise NotFoundException(f"Key '{named.arn}' does not exist") from None
