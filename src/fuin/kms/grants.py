"""Grants: CreateGrant, RetireGrant, RevokeGrant; their lists are in `grant_lists.py`.

What a grant allows is `access/grants.py`; it holds in every worker when CreateGrant returns, and in none when
RetireGrant or RevokeGrant has.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fuin.access.grants import Grant
from fuin.errors import AccessDenied
from fuin.gate.permit import permit_identity, permit_retirement
from fuin.kms import grant_lists, grant_rules, grant_tokens, rights, states
from fuin.kms.faults import (
    DryRunOperationException,
    InvalidArnException,
    InvalidGrantTokenException,
    LimitExceededException,
    NotFoundException,
    ValidationException,
)
from fuin.kms.grant_lists import GrantConstraints
from fuin.kms.key import found, reach
from fuin.kms.naming import Named, find
from fuin.kms.quotas import GRANTS_PER_GRANTEE, GRANTS_PER_KEY
from fuin.kms.shapes import Input, Output
from fuin.store.errors import NotFound, WrongState
from fuin.store.identity import principals
from fuin.store.identity.principals import NoSuchPrincipal
from fuin.store.kms import grants

if TYPE_CHECKING:
    from fuin.access.facts import Late, Values
    from fuin.gate.call import Call
    from fuin.store.kms.keys import Key

_CREATE, _RETIRE, _REVOKE = "kms:CreateGrant", "kms:RetireGrant", "kms:RevokeGrant"


class CreateGrantInput(Input, frozen=True):
    """What CreateGrant takes."""

    KeyId: str | None = None
    GranteePrincipal: str | None = None
    RetiringPrincipal: str | None = None
    Operations: list[str] | None = None
    Constraints: GrantConstraints | None = None
    GrantTokens: list[str] | None = None
    Name: str | None = None
    DryRun: bool | None = None
    GranteeServicePrincipal: str | None = None
    RetiringServicePrincipal: str | None = None


class CreateGrantOutput(Output, frozen=True):
    """The grant's id, and a token that names it."""

    GrantToken: str | None = None
    GrantId: str | None = None


class RetireGrantInput(Input, frozen=True):
    """What RetireGrant takes."""

    GrantToken: str | None = None
    KeyId: str | None = None
    GrantId: str | None = None
    DryRun: bool | None = None


class RevokeGrantInput(Input, frozen=True):
    """What RevokeGrant takes."""

    KeyId: str | None = None
    GrantId: str | None = None
    DryRun: bool | None = None


async def create_grant(call: Call, p: CreateGrantInput) -> CreateGrantOutput:
    """Add a grant to a key; one with the same name that says the same is there already, and is returned."""
    wanted = _wanted(call, p)
    await call.consult(grant_tokens.check_grant_tokens, p.GrantTokens)
    named = await call.consult(
        reach, p.KeyId or "", _CREATE, foreign=True, extra=_conditions(call, wanted), proposed=wanted
    )
    key = found(named)
    grant_rules.check_fits(wanted, key)
    await call.consult(_check_principals, wanted)
    if p.DryRun:
        raise DryRunOperationException
    grant = replace(wanted, key_id=key.key_id)
    call.facts["kmsGrant"] = {"id": grant.grant_id, "to": _grantee(grant), "operations": grant.operations}
    grant_id = await _insert(call, named, key, grant)
    call.facts["kmsGrant"]["id"] = grant_id
    return CreateGrantOutput(GrantToken=grant_tokens.issue(grant_id), GrantId=grant_id)


def _wanted(call: Call, p: CreateGrantInput) -> Grant:
    """Return the grant that is asked for, of no key yet; its members are checked one by one and together."""
    given = p.Constraints or GrantConstraints()
    grant_rules.check_one(
        p.GranteePrincipal, p.GranteeServicePrincipal, ("GranteePrincipal", "GranteeServicePrincipal")
    )
    if p.RetiringPrincipal is not None and p.RetiringServicePrincipal is not None:
        raise ValidationException("You can specify either RetiringPrincipal or RetiringServicePrincipal, but not both.")
    if p.GranteeServicePrincipal is not None:
        _check_service_grant(p, given)
    equals, subset = grant_rules.check_pairs(given.EncryptionContextEquals, given.EncryptionContextSubset)
    operations = grant_rules.check_operations(p.Operations or [])
    return Grant(
        os.urandom(32).hex(), "", call.region, call.account, p.Name,
        grant_rules.check_principal(p.GranteePrincipal), p.GranteeServicePrincipal,
        grant_rules.check_principal(p.RetiringPrincipal), p.RetiringServicePrincipal,
        operations, equals, subset, given.SourceArn, round(call.now, 3),
    )  # fmt: skip


def _check_principals(call: Call, grant: Grant) -> None:
    """Refuse a grant that names a principal that does not exist, also by the time that it is stored."""
    names = tuple(name for name in (grant.grantee, grant.retiring) if name is not None)

    def check() -> None:
        try:
            call.services.store.look_up(principals.check, names)
        except NoSuchPrincipal as error:
            raise InvalidArnException(f"ARN does not refer to a valid principal: {error.name}") from None

    check()
    call.remember(check)


def _check_service_grant(p: CreateGrantInput, given: GrantConstraints) -> None:
    """Refuse a grant to a service without the resource that it is for, or that nobody else could retire."""
    if given.SourceArn is None:
        raise ValidationException("You must specify a SourceArn constraint when you specify a GranteeServicePrincipal.")
    if p.RetiringPrincipal is None and p.RetiringServicePrincipal is None:
        raise ValidationException(
            "You must specify a RetiringPrincipal or a RetiringServicePrincipal when you specify a "
            "GranteeServicePrincipal."
        )


def _conditions(call: Call, grant: Grant) -> dict[str, str | Values | Late]:
    """Return the condition keys of CreateGrant."""
    keys = {
        "kms:GranteePrincipal": grant.grantee,
        "kms:GranteeServicePrincipal": grant.grantee_service,
        "kms:RetiringPrincipal": grant.retiring,
        "kms:RetiringServicePrincipal": grant.retiring_service,
        "kms:GrantConstraintSourceArn": grant.source_arn,
        **grant_rules.for_resource(call),
    }
    said = {name: value for name, value in keys.items() if value is not None}
    return {**said, "kms:GrantOperations": grant.operations, **_of_constraint(grant)}


def _of_constraint(grant: Grant) -> dict[str, str | Values]:
    """Return the condition keys of a grant's constraint: its type, and those of an encryption context of its pairs."""
    pairs = grant.equals if grant.equals is not None else grant.subset
    if pairs is None:
        return {}
    return {
        "kms:GrantConstraintType": (
            "EncryptionContextEquals" if grant.equals is not None else "EncryptionContextSubset"
        ),
        **{f"kms:EncryptionContext:{name}": value for name, value in pairs},
        "kms:EncryptionContextKeys": tuple(name for name, _ in pairs),
    }


def _grantee(grant: Grant) -> str:
    return grant.grantee or grant.grantee_service or ""


async def _insert(call: Call, named: Named, key: Key, grant: Grant) -> str:
    """Return the id of the grant, or of the one of the same name that is there."""
    allowed = states.ALLOWED[_CREATE]
    if key.state == states.UNAVAILABLE:  # which its key store makes of a disabled key as well
        allowed |= {states.DISABLED}
    try:
        await call.announce("change")
        return await call.add(grants.insert_grant, grant, allowed, GRANTS_PER_KEY, GRANTS_PER_GRANTEE)
    except grants.TooManyGrants as error:
        raise LimitExceededException(f"A key has {error}.") from None
    except WrongState as error:
        raise states.refusal(error.state, _CREATE, named.arn) from None
    except NotFound:
        raise NotFoundException(f"Key '{named.arn}' does not exist") from None


async def retire_grant(call: Call, p: RetireGrantInput) -> None:
    """End a grant, as one whom the grant itself allows to, or its account; named by a token, or by key and id."""
    grant = await call.consult(_permitted_to_retire, p)
    if p.DryRun:
        raise DryRunOperationException
    await _end(call, grant)


def _permitted_to_retire(call: Call, p: RetireGrantInput) -> Grant:
    """Return the grant that the caller may retire."""
    named, grant_id, grant = _retired(call, p)
    call.facts["kmsKey"] = named.arn
    call.facts["kmsGrant"] = {"id": grant_id, **({} if grant is None else _deciding(grant))}
    _permit_retirement(call, named, grant)
    if grant is None:
        raise _no_grant(grant_id)
    call.remember(partial(_permitted_to_retire, call, p))
    return grant


def _deciding(grant: Grant) -> dict[str, object]:
    """Return what of a grant says who may retire it, for the record: the grant itself will be gone."""
    said = {
        "account": grant.account, "name": grant.name, "to": grant.grantee, "toService": grant.grantee_service,
        "operations": grant.operations, "retiring": grant.retiring, "retiringService": grant.retiring_service,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value is not None}


def _retired(call: Call, p: RetireGrantInput) -> tuple[Named, str, Grant | None]:
    """Return the key of the grant that is to be retired, its id, and the grant if it exists."""
    if p.GrantToken is not None and p.KeyId is None and p.GrantId is None:
        grant = grant_tokens.grant_of(call, p.GrantToken)
        return _key_of(call, grant), grant.grant_id, grant
    if p.GrantToken is not None or p.KeyId is None or p.GrantId is None:
        raise ValidationException("You must specify either a GrantToken, or both a KeyId and a GrantId.")
    grant_id = grant_rules.check_grant_id(p.GrantId)
    named = find(call, call.services.store.catalog(), p.KeyId, aliases=False)
    return named, grant_id, None if named.key is None else grant_lists.of_key(call, named.key, grant_id)


def _key_of(call: Call, grant: Grant) -> Named:
    key = call.services.store.catalog().key(grant.key_id, grant.region)
    if key is None or states.is_gone(key):
        raise InvalidGrantTokenException("The grant token is not valid.")
    return Named(key.arn, key.account, key)


def _permit_retirement(call: Call, named: Named, grant: Grant | None) -> None:
    """Check the right; it comes before existence."""
    conditions = partial(rights.add_key, call, named, {} if grant is None else _of_constraint(grant))
    try:
        if named.key is None:
            permit_identity(call, _RETIRE, named.arn, named.account, conditions)
            raise NotFoundException(named.missing)
        permit_retirement(call, grant, named.arn, named.account, named.key.policy, conditions)
    except AccessDenied as error:
        raise rights.refused(call, named, _RETIRE, error, rights.THIS_RESOURCE) from None


async def revoke_grant(call: Call, p: RevokeGrantInput) -> None:
    """End a grant, as one whom the key's policy allows to."""
    grant_id = grant_rules.check_grant_id(p.GrantId or "")
    key = found(await call.consult(reach, p.KeyId or "", _REVOKE, foreign=True, extra=grant_rules.for_resource(call)))
    call.facts["kmsGrant"] = {"id": grant_id}
    grant = await call.consult(grant_lists.of_key, key, grant_id)
    if grant is None:
        raise _no_grant(grant_id)
    if p.DryRun:
        raise DryRunOperationException
    await _end(call, grant)


async def _end(call: Call, grant: Grant) -> None:
    try:
        await call.change(grants.delete_grant, grant.grant_id)
    except NotFound:  # somebody else was faster
        raise _no_grant(grant.grant_id) from None


def _no_grant(grant_id: str) -> NotFoundException:
    return NotFoundException(f"Grant ID {grant_id} not found")
