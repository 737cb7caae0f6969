"""Lists of grants: ListGrants, ListRetirableGrants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin import ids
from fuin.access.resources.own import OwnResource
from fuin.gate.permit import permit
from fuin.kms.grants import grant_rules
from fuin.kms.model.faults import KmsFault
from fuin.kms.model.shapes_grants import ListGrantsInput, ListGrantsOutput, ListRetirableGrantsInput
from fuin.kms.model.shapes_parts import GrantConstraints, GrantListEntry
from fuin.kms.reach import paging, states
from fuin.kms.reach.key import Context, authorized_key, existing_key
from fuin.store.kms import grants, keys

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.access.grants import Grant, Pairs
    from fuin.gate.call import Call
    from fuin.store.kms.keys import Key

_PAGE, _LARGEST_PAGE = 50, 100
_LIST, _RETIRABLE = "grants", "retirable"


async def list_grants(call: Call, input: ListGrantsInput) -> ListGrantsOutput:
    """Return a key's grants, all or those to one principal or of one id, a page at a time."""
    if input.GranteePrincipal is not None and input.GranteeServicePrincipal is not None:
        raise KmsFault(
            "ValidationException", "You can specify either GranteePrincipal or GranteeServicePrincipal, but not both."
        )
    _check_filter(call, input.GranteeServicePrincipal, "GranteeServicePrincipal")
    one = None if input.GrantId is None else grant_rules.check_grant_id(input.GrantId)
    after = paging.parse_marker(_LIST, input.Marker)
    key = existing_key(
        await call.consult(
            authorized_key,
            input.KeyId or "",
            "kms:ListGrants",
            foreign=True,
            extra=grant_rules.resource_condition(call),
        )
    )
    if one is not None:
        return ListGrantsOutput(
            Grants=await call.consult(_single_entry, key, one, input.GranteePrincipal), Truncated=False
        )
    limit = min(input.Limit or _PAGE, _LARGEST_PAGE)
    read = await paging.read_page(
        call, grants.list_grants, key.key_id, key.region, input.GranteePrincipal, after, limit + 1
    )  # fmt: skip
    shown, marker, more = paging.cut_page(_LIST, read, limit, lambda grant: grant.grant_id)
    return ListGrantsOutput(
        Grants=[_list_entry(grant, key.account) for grant in shown], NextMarker=marker, Truncated=more
    )  # fmt: skip


def _single_entry(call: Call, key: Key, grant_id: str, grantee: str | None) -> list[GrantListEntry]:
    grant = grant_of_key(call, key, grant_id)
    if grant is None or grantee not in (None, grant.grantee):
        return []
    return [_list_entry(grant, key.account)]


def _check_filter(call: Call, service: str | None, member: str) -> None:
    """Refuse to filter by service principal, which AWS keeps to services."""
    if service is not None and call.principal.kind != "service":
        raise KmsFault("ValidationException", f"{member} can only be specified by callers that are service principals.")


async def list_retirable_grants(call: Call, input: ListRetirableGrantsInput) -> ListGrantsOutput:
    """Return the grants on any account's keys of the Region that a principal of the caller's account may retire."""
    grant_rules.check_one(
        input.RetiringPrincipal, input.RetiringServicePrincipal, ("RetiringPrincipal", "RetiringServicePrincipal")
    )
    _check_filter(call, input.RetiringServicePrincipal, "RetiringServicePrincipal")
    retiring = grant_rules.check_principal(input.RetiringPrincipal) or ""
    after = paging.parse_marker(_RETIRABLE, input.Marker)
    await call.consult(permit, "kms:ListRetirableGrants", OwnResource(retiring, retiring.split(":")[4]))
    limit = min(input.Limit or _PAGE, _LARGEST_PAGE)
    return await paging.read_page(call, _retirable_page, retiring, call.region, after, limit)


def _retirable_page(conn: Connection, retiring: str, region: str, after: str, limit: int) -> ListGrantsOutput:
    """Return a page, without the grants of keys that have passed their deletion date."""
    read = grants.list_retirable(conn, retiring, region, after, limit + 1)
    shown, marker, more = paging.cut_page(_RETIRABLE, read, limit, lambda grant: grant.grant_id)
    found = {key_id: keys.find_key(conn, key_id, region) for key_id in {grant.key_id for grant in shown}}
    living = {key_id: key for key_id, key in found.items() if key is not None and not states.is_gone(key)}
    entries = [_list_entry(grant, living[grant.key_id].account) for grant in shown if grant.key_id in living]
    return ListGrantsOutput(Grants=entries, NextMarker=marker, Truncated=more)


def _list_entry(grant: Grant, key_account: str) -> GrantListEntry:
    return GrantListEntry(
        KeyId=ids.key_arn(key_account, grant.region, grant.key_id),
        GrantId=grant.grant_id,
        Name=grant.name or "",  # as AWS shows a grant without a name
        CreationDate=grant.created,
        GranteePrincipal=grant.grantee,
        RetiringPrincipal=grant.retiring,
        IssuingAccount=ids.root_arn(grant.account),
        Operations=list(grant.operations),
        Constraints=_constraints(grant),
        GranteeServicePrincipal=grant.grantee_service,
        RetiringServicePrincipal=grant.retiring_service,
    )


def _constraints(grant: Grant) -> GrantConstraints | None:
    if grant.equals is None and grant.subset is None and grant.source_arn is None:
        return None
    return GrantConstraints(_pairs_by_name(grant.subset), _pairs_by_name(grant.equals), grant.source_arn)


def _pairs_by_name(pairs: Pairs | None) -> Context | None:
    return None if pairs is None else dict(pairs)


def grant_of_key(call: Call, key: Key, grant_id: str) -> Grant | None:
    """Return a grant by id, if it is the key's."""
    grant = call.services.store.catalog().grant(grant_id)
    return grant if grant is not None and (grant.key_id, grant.region) == (key.key_id, key.region) else None
