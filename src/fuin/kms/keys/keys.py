"""Keys: CreateKey, DescribeKey, ListKeys, UpdateKeyDescription."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fuin import crash, ids
from fuin.access.resources.key import KeyResource, NewKey, condition_keys
from fuin.access.resources.own import OwnResource
from fuin.clock import CLOCK
from fuin.errors import AccessDenied
from fuin.gate.permit import permit
from fuin.kms.key_stores import external_keys
from fuin.kms.keys import managed
from fuin.kms.keys.metadata import key_metadata
from fuin.kms.keys.policies import check_key_policy
from fuin.kms.keys.tags import check_tags
from fuin.kms.model import quotas
from fuin.kms.model.faults import KmsFault, NotFoundException
from fuin.kms.model.shapes_keys import (
    CreateKeyInput,
    CreateKeyOutput,
    DescribeKeyInput,
    DescribeKeyOutput,
    ListKeysInput,
    ListKeysOutput,
    UpdateKeyDescriptionInput,
)
from fuin.kms.model.shapes_parts import KeyListEntry
from fuin.kms.model.specs import ENCRYPT_DECRYPT, SM2, SPECS, SYMMETRIC_DEFAULT
from fuin.kms.reach import paging, rights, throttling
from fuin.kms.reach.grant_tokens import consult_grant_tokens
from fuin.kms.reach.key import authorized_key, existing_key
from fuin.store.errors import NotFound
from fuin.store.kms import keys

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.formats.wrapped import Material
    from fuin.gate.call import Call
    from fuin.kms.reach.key_identifiers import KeyReference
    from fuin.store.kms.keys import Key

_PAGE = 100
_OWN = "SELF"
AWS_KMS, EXTERNAL = "AWS_KMS", "EXTERNAL"
AWS_CLOUDHSM, EXTERNAL_KEY_STORE = "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"


async def create_key(call: Call, input: CreateKeyInput) -> CreateKeyOutput:
    """Make a key of any kind; its material is made in the keyholder and stored wrapped."""
    kind = requested_kind(input)
    tags = check_tags(input.Tags)
    bypass = bool(input.BypassPolicyLockoutSafetyCheck)
    new = NewKey(kind.spec, kind.usage, kind.origin, kind.multi_region, False, tuple(tags.items()))
    await call.consult(permit_creation, new, input.BypassPolicyLockoutSafetyCheck)
    if input.CustomKeyStoreId is not None:
        await external_keys.check_new_key(
            call, input.CustomKeyStoreId, input.XksKeyId, kind.origin, kind.spec, multi_region=kind.multi_region
        )
    key_id = ids.new_multi_region_key_id() if kind.multi_region else ids.new_key_id()
    arn = ids.key_arn(call.account, call.region, key_id)
    policy = managed.default_key_policy(call.account) if input.Policy is None else input.Policy
    if input.Policy is not None:
        resource = KeyResource(arn, call.account, policy, new)
        await call.consult(check_key_policy, resource, policy, bypass=bypass)
    call.facts["kmsKey"] = arn
    material = await _material(call, kind, key_id, arn)
    key = managed.new_key(
        call, key_id, call.account, material, spec=kind.spec, usage=kind.usage, origin=kind.origin,
        description=input.Description or "", policy=policy, tags=tuple(tags.items()),
    )  # fmt: skip
    if input.CustomKeyStoreId is None or material is None:
        await call.add(_insert, key, material)
    else:
        key = await external_keys.insert_key(call, key, material, input.CustomKeyStoreId, input.XksKeyId or "")
    crash.point("create_key.after_store")
    return CreateKeyOutput(KeyMetadata=await call.consult(key_metadata, key, arn))


def _insert(conn: Connection, key: Key, material: Material | None) -> None:
    keys.insert_key(conn, key, material)
    quotas.check_keys(conn, key.account, key.region)


async def _material(call: Call, kind: KeyKind, key_id: str, arn: str) -> Material | None:
    """Return fresh material; a key that waits for an import has none, and only the record says that it was made."""
    draft = call.draft(use="kms:CreateKey", key=arn)
    if kind.origin == EXTERNAL:
        await call.services.keyholder.record(draft)
        return None
    with throttling.limit_slow_keys(call, kind.spec):
        material = await call.services.keyholder.create_material(key_id, kind.spec, draft)
    crash.point("create_key.after_material")
    return material


def permit_creation(call: Call, new: NewKey, bypass: bool | None) -> None:
    """Check the rights to make a key and to tag it, which only the caller's own policies can give."""
    tags = dict(new.tags)
    conditions = {**condition_keys(new), **rights.tag_conditions(tags)}
    every_key = OwnResource("*", call.account)
    call.permit("kms:CreateKey", every_key, {**conditions, **rights.bypass_conditions(bypass)})
    if not tags:
        return
    try:
        call.permit("kms:TagResource", every_key, conditions)
    except AccessDenied:  # AWS has a sentence of its own for it
        raise AccessDenied(
            "You don't have the kms:TagResource permission that is required to add tags during key creation."
        ) from None


class KeyKind(NamedTuple):
    """The kind of key that a request asks for."""

    spec: str
    usage: str
    origin: str
    multi_region: bool


def requested_kind(input: CreateKeyInput) -> KeyKind:
    """Return the kind of key that a request asks for; refuses the kinds that AWS refuses."""
    if input.KeySpec is not None and input.CustomerMasterKeySpec is not None:
        raise KmsFault(
            "ValidationException",
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated.",
        )
    spec = input.KeySpec or input.CustomerMasterKeySpec or SYMMETRIC_DEFAULT
    if spec != SYMMETRIC_DEFAULT and input.KeyUsage is None:
        raise KmsFault(
            "ValidationException",
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
        )
    usage = input.KeyUsage or ENCRYPT_DECRYPT
    if spec == SM2:
        raise KmsFault("UnsupportedOperationException", f"KeySpec {SM2} is not supported in this Region")
    if usage not in SPECS[spec].usages:
        raise KmsFault("ValidationException", f"KeyUsage {usage} is not compatible with KeySpec {spec}")
    origin = input.Origin or AWS_KMS
    if input.XksKeyId is not None and origin != EXTERNAL_KEY_STORE:
        raise KmsFault("ValidationException", "XksKeyId is only valid for keys with an Origin of EXTERNAL_KEY_STORE.")
    if origin in {AWS_CLOUDHSM, EXTERNAL_KEY_STORE} and input.CustomKeyStoreId is None:
        raise KmsFault("ValidationException", f"CustomKeyStoreId is required for keys with an Origin of {origin}.")
    return KeyKind(spec, usage, origin, bool(input.MultiRegion))


async def describe_key(call: Call, input: DescribeKeyInput) -> DescribeKeyOutput:
    """Return a key's metadata; a key of another account by ARN, as far as its policy allows."""
    await consult_grant_tokens(call, input.GrantTokens)
    try:
        named = await call.consult(_key_to_describe, input)
    except NotFoundException:
        service = managed.managed_service(call, input.KeyId or "")
        if service is None:
            raise
        await managed.ensure_key(call, service)  # AWS: describing a predefined alias makes its key
        named = await call.consult(_key_to_describe, input)
    return DescribeKeyOutput(KeyMetadata=await call.consult(key_metadata, existing_key(named), named.arn))


def _key_to_describe(call: Call, input: DescribeKeyInput) -> KeyReference:
    return authorized_key(call, input.KeyId or "", "kms:DescribeKey", aliases=True, foreign=True)


async def list_keys(call: Call, input: ListKeysInput) -> ListKeysOutput:
    """Return the ids of the account's keys in this region, a page at a time."""
    await call.consult(permit, "kms:ListKeys", OwnResource("*", call.account))
    after = paging.parse_marker("keys", input.Marker)
    if input.ResourceOwners is not None and _OWN not in input.ResourceOwners:
        return ListKeysOutput(Keys=[], Truncated=False)  # nobody shares keys by RAM
    limit = input.Limit or _PAGE
    listed = await paging.read_page(
        call, keys.list_keys, call.account, call.region, after, limit + 1, CLOCK.certain_time()
    )
    shown, marker, more = paging.cut_page("keys", listed, limit, str)
    entries = [KeyListEntry(KeyId=key_id, KeyArn=ids.key_arn(call.account, call.region, key_id)) for key_id in shown]
    return ListKeysOutput(Keys=entries, NextMarker=marker, Truncated=more)


async def update_key_description(call: Call, input: UpdateKeyDescriptionInput) -> None:
    """Replace the key's description."""
    named = await call.consult(authorized_key, input.KeyId or "", "kms:UpdateKeyDescription")
    key = existing_key(named)
    try:
        await call.change(keys.set_description, key.key_id, key.region, input.Description or "")
    except NotFound:
        raise NotFoundException(f"Key '{named.arn}' does not exist") from None
