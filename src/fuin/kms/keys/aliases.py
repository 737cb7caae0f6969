"""Aliases: CreateAlias, UpdateAlias, DeleteAlias, ListAliases.

Each changes two things, so each needs two rights: on the alias (the caller's own policies) and on the key (its policy).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fuin import ids
from fuin.access.resources.own import OwnResource
from fuin.gate.permit import permit
from fuin.kms.keys.managed_services import ALIASES, MANAGED
from fuin.kms.model.faults import KmsFault, NotFoundException
from fuin.kms.model.quotas import ALIASES_PER_KEY
from fuin.kms.model.shapes_keys import (
    CreateAliasInput,
    DeleteAliasInput,
    ListAliasesInput,
    ListAliasesOutput,
    UpdateAliasInput,
)
from fuin.kms.model.shapes_parts import AliasListEntry
from fuin.kms.model.specs import SPECS
from fuin.kms.reach import paging
from fuin.kms.reach.key import authorized_key, existing_key
from fuin.kms.reach.key_identifiers import find_key
from fuin.store.errors import AlreadyExists, NotFound
from fuin.store.kms import aliases
from fuin.store.kms.aliases import Alias

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.kms.reach.key_identifiers import KeyReference
    from fuin.store.kms.keys import Key

MOST = ALIASES_PER_KEY
_PREFIX = "alias/"
_PAGE, _LARGEST_PAGE = 50, 100


async def create_alias(call: Call, input: CreateAliasInput) -> None:
    """Give a key a name."""
    name = _check_name(input.AliasName or "")
    if name == _PREFIX:  # the others find no such alias
        raise KmsFault("InvalidAliasNameException", "The alias name is empty.")
    arn = await call.consult(_permit_alias, "kms:CreateAlias", name)
    target = await call.consult(_target_key, input.TargetKeyId or "", "kms:CreateAlias")
    key = existing_key(target)
    now = round(call.now, 3)
    alias = Alias(call.account, call.region, name, key.key_id, now, now)
    try:
        await call.change(_insert, alias)
    except AlreadyExists:
        raise KmsFault("AlreadyExistsException", f"An alias with the name {arn} already exists") from None
    except NotFound:
        raise NotFoundException(f"Key '{target.arn}' does not exist") from None


async def update_alias(call: Call, input: UpdateAliasInput) -> None:
    """Point a name at another key."""
    name = _check_name(input.AliasName or "")
    arn = await call.consult(_permit_alias, "kms:UpdateAlias", name)
    current = await call.consult(_permit_current_key, "kms:UpdateAlias", name, arn)
    target = existing_key(await call.consult(_target_key, input.TargetKeyId or "", "kms:UpdateAlias"))
    if _usage_and_symmetry(current) != _usage_and_symmetry(target):
        raise KmsFault(
            "ValidationException", "The current and the new key must be of the same type and have the same key usage."
        )
    key_id = target.key_id
    try:
        await call.change(_update, call.account, call.region, name, key_id, round(call.now, 3))
    except NotFound:
        raise NotFoundException(f"Alias {arn} is not found.") from None


async def delete_alias(call: Call, input: DeleteAliasInput) -> None:
    """Take a name away; the key stays."""
    name = _check_name(input.AliasName or "")
    arn = await call.consult(_permit_alias, "kms:DeleteAlias", name)
    await call.consult(_permit_current_key, "kms:DeleteAlias", name, arn)
    try:
        await call.change(aliases.delete_alias, call.account, call.region, name)
    except NotFound:
        raise NotFoundException(f"Alias {arn} is not found.") from None


async def list_aliases(call: Call, input: ListAliasesInput) -> ListAliasesOutput:
    """Return the account's aliases in this region, or those of one key, a page at a time."""
    await call.consult(permit, "kms:ListAliases", OwnResource("*", call.account))
    after = paging.parse_marker("aliases", input.Marker)
    key_id = None if input.KeyId is None else await call.consult(_key_id_of, input.KeyId)
    limit = min(input.Limit or _PAGE, _LARGEST_PAGE)
    read = await paging.read_page(call, aliases.list_aliases, call.account, call.region, key_id, after, limit + 1)
    if key_id is None:
        read = _add_predefined(call, read, after, limit + 1)
    shown, marker, more = paging.cut_page("aliases", read, limit, lambda alias: alias.name)
    return ListAliasesOutput(Aliases=[_list_entry(alias) for alias in shown], NextMarker=marker, Truncated=more)


def _add_predefined(call: Call, read: list[Alias], after: str, limit: int) -> list[Alias]:
    """Return a page with the aliases of AWS-managed keys that are not made yet, which name no key. AWS: ListAliases."""
    made = {alias.name for alias in read}
    names = (ALIASES + service for service in MANAGED)
    more = [Alias(call.account, call.region, name, "", 0.0, 0.0) for name in names if name > after and name not in made]
    return sorted([*read, *more], key=lambda alias: alias.name)[:limit]


def _key_id_of(call: Call, identifier: str) -> str:
    named = find_key(call, call.services.store.catalog(), identifier, aliases=False)
    if named.key is None or named.account != call.account:
        raise NotFoundException(named.missing or f"Key '{named.arn}' does not exist")
    return named.key.key_id


def _list_entry(alias: Alias) -> AliasListEntry:
    arn = ids.alias_arn(alias.account, alias.region, alias.name)
    if not alias.key_id:
        return AliasListEntry(AliasName=alias.name, AliasArn=arn)
    return AliasListEntry(
        AliasName=alias.name,
        AliasArn=arn,
        TargetKeyId=alias.key_id,
        CreationDate=alias.created,
        LastUpdatedDate=alias.updated,
    )


def _check_name(name: str) -> str:
    """Return the name if it may be a customer's; texts recorded from AWS."""
    if not name.startswith(_PREFIX):
        raise KmsFault(
            "ValidationException",
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        )
    if ":" in name:
        raise KmsFault("ValidationException", f"{name} contains invalid characters for an alias")
    if name.startswith(ALIASES):
        raise KmsFault("NotAuthorizedException")
    return name


def _permit_alias(call: Call, action: str, name: str) -> str:
    """Return the alias's ARN if the caller's policies allow the action on it."""
    arn = ids.alias_arn(call.account, call.region, name)
    call.permit(action, OwnResource(arn, call.account))
    return arn


def _target_key(call: Call, identifier: str, action: str) -> KeyReference:
    """Return the key that an alias is to name; the caller may do the action on it, and it is in a fit state."""
    if identifier.startswith(_PREFIX) or ":alias/" in identifier:
        raise KmsFault("ValidationException", "Aliases must refer to keys. Not aliases")
    return authorized_key(call, identifier, action)


def _usage_and_symmetry(key: Key) -> tuple[str, bool]:
    """Return what an alias keeps of its key: the usage, and whether it is asymmetric."""
    return key.usage, SPECS[key.spec].asymmetric


def _permit_current_key(call: Call, action: str, name: str, arn: str) -> Key:
    """Return the key that an alias names now, in any state; raises AccessDenied unless the action is allowed."""
    catalog = call.services.store.catalog()
    named = find_key(call, catalog, name, aliases=True)
    if named.key is None:
        raise NotFoundException(f"Alias {arn} is not found.")
    key = named.key
    # AWS: kms:RequestAlias does not control operations on aliases.
    again = partial(_permit_current_key, call, action, name, arn)
    call.permit(action, named._replace(alias="").resource, catalog=catalog, again=again)
    return key


def _insert(conn: Connection, alias: Alias) -> None:
    """Add an alias within the quota; an alias that exists comes before the quota, as in AWS."""
    aliases.insert_alias(conn, alias)
    _check_quota(conn, alias.account, alias.region, alias.key_id)


def _update(conn: Connection, account: str, region: str, name: str, key_id: str, updated: float) -> None:
    aliases.update_alias(conn, account, region, name, key_id, updated)
    _check_quota(conn, account, region, key_id)


def _check_quota(conn: Connection, account: str, region: str, key_id: str) -> None:
    """Raise, and with that undo the change, when the key has more names than AWS allows."""
    if len(aliases.list_aliases(conn, account, region, key_id, "", MOST + 1)) > MOST:
        raise KmsFault("LimitExceededException", f"A key has at most {MOST} aliases.")
