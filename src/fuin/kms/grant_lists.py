"""Lists of grants: ListGrants, ListRetirableGrants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin import ids
from fuin.gate.permit import permit_identity
from fuin.kms import grant_rules, paging, states
from fuin.kms.faults import ValidationException
from fuin.kms.key import Context, found, reach
from fuin.kms.shapes import Input, Output
from fuin.store.kms import grants, keys

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.access.grants import Grant, Pairs
    from fuin.gate.call import Call
    from fuin.store.kms.keys import Key

_PAGE, _LARGEST_PAGE = 50, 100
_LIST, _RETIRABLE = "grants", "retirable"


class GrantConstraints(Output, frozen=True):
    """The constraints of a grant."""

    EncryptionContextSubset: Context | None = None
    EncryptionContextEquals: Context | None = None
    SourceArn: str | None = None


class ListGrantsInput(Input, frozen=True):
    """What ListGrants takes."""

    Limit: int | None = None
    Marker: str | None = None
    KeyId: str | None = None
    GrantId: str | None = None
    GranteePrincipal: str | None = None
    GranteeServicePrincipal: str | None = None


class ListRetirableGrantsInput(Input, frozen=True):
    """What ListRetirableGrants takes."""

    Limit: int | None = None
    Marker: str | None = None
    RetiringPrincipal: str | None = None
    RetiringServicePrincipal: str | None = None


class GrantListEntry(Output, frozen=True):
    """A grant in a list."""

    KeyId: str | None = None
    GrantId: str | None = None
    Name: str | None = None
    CreationDate: float | None = None
    GranteePrincipal: str | None = None
    RetiringPrincipal: str | None = None
    IssuingAccount: str | None = None
    Operations: list[str] | None = None
    Constraints: GrantConstraints | None = None
    GranteeServicePrincipal: str | None = None
    RetiringServicePrincipal: str | None = None


class ListGrantsOutput(Output, frozen=True):
    """A page of grants."""

    Grants: list[GrantListEntry] | None = None
    NextMarker: str | None = None
    Truncated: bool | None = None


async def list_grants(call: Call, p: ListGrantsInput) -> ListGrantsOutput:
    """Return a key's grants, all or those to one principal or of one id, a page at a time."""
    if p.GranteePrincipal is not None and p.GranteeServicePrincipal is not None:
        raise ValidationException("You can specify either GranteePrincipal or GranteeServicePrincipal, but not both.")
    _check_filter(call, p.GranteeServicePrincipal, "GranteeServicePrincipal")
    one = None if p.GrantId is None else grant_rules.check_grant_id(p.GrantId)
    after = paging.start(_LIST, p.Marker)
    key = found(
        await call.consult(reach, p.KeyId or "", "kms:ListGrants", foreign=True, extra=grant_rules.for_resource(call))
    )
    if one is not None:
        return ListGrantsOutput(Grants=await call.consult(_single, key, one, p.GranteePrincipal), Truncated=False)
    limit = min(p.Limit or _PAGE, _LARGEST_PAGE)
    read = await paging.read(
        call, grants.list_grants, key.key_id, key.region, p.GranteePrincipal, after, limit + 1
    )  # fmt: skip
    shown, marker, more = paging.page(_LIST, read, limit, lambda grant: grant.grant_id)
    return ListGrantsOutput(
        Grants=[_entry(grant, key.account) for grant in shown], NextMarker=marker, Truncated=more
    )  # fmt: skip


def _single(call: Call, key: Key, grant_id: str, grantee: str | None) -> list[GrantListEntry]:
    grant = of_key(call, key, grant_id)
    if grant is None or grantee not in (None, grant.grantee):
        return []
    return [_entry(grant, key.account)]


def _check_filter(call: Call, service: str | None, member: str) -> None:
    """Refuse to filter by service principal, which AWS keeps to services."""
    if service is not None and call.principal.kind != "service":
        raise ValidationException(f"{member} can only be specified by callers that are service principals.")


async def list_retirable_grants(call: Call, p: ListRetirableGrantsInput) -> ListGrantsOutput:
    """Return the grants on any account's keys of the Region that a principal of the caller's account may retire."""
    grant_rules.check_one(
        p.RetiringPrincipal, p.RetiringServicePrincipal, ("RetiringPrincipal", "RetiringServicePrincipal")
    )
    _check_filter(call, p.RetiringServicePrincipal, "RetiringServicePrincipal")
    retiring = grant_rules.check_principal(p.RetiringPrincipal) or ""
    after = paging.start(_RETIRABLE, p.Marker)
    await call.consult(permit_identity, "kms:ListRetirableGrants", retiring, retiring.split(":")[4])
    limit = min(p.Limit or _PAGE, _LARGEST_PAGE)
    return await paging.read(call, _retirable, retiring, call.region, after, limit)


def _retirable(conn: Connection, retiring: str, region: str, after: str, limit: int) -> ListGrantsOutput:
    """Return a page, without the grants of keys that have passed their deletion date."""
    read = grants.list_retirable(conn, retiring, region, after, limit + 1)
    shown, marker, more = paging.page(_RETIRABLE, read, limit, lambda grant: grant.grant_id)
    found = {key_id: keys.find_key(conn, key_id, region) for key_id in {grant.key_id for grant in shown}}
    living = {key_id: key for key_id, key in found.items() if key is not None and not states.is_gone(key)}
    entries = [_entry(grant, living[grant.key_id].account) for grant in shown if grant.key_id in living]
    return ListGrantsOutput(Grants=entries, NextMarker=marker, Truncated=more)


def _entry(grant: Grant, key_account: str) -> GrantListEntry:
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
    return GrantConstraints(_map(grant.subset), _map(grant.equals), grant.source_arn)


def _map(pairs: Pairs | None) -> Context | None:
    return None if pairs is None else dict(pairs)


def of_key(call: Call, key: Key, grant_id: str) -> Grant | None:
    """Return a grant by id, if it is the key's."""
    grant = call.services.store.catalog().grant(grant_id)
    return grant if grant is not None and (grant.key_id, grant.region) == (key.key_id, key.region) else None
