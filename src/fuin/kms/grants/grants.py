"""Grants: CreateGrant, RetireGrant, RevokeGrant; their lists are in `grant_lists.py`.

What a grant allows is `access/grants.py`; it holds in every worker when CreateGrant returns, and in none when
RetireGrant or RevokeGrant has.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fuin.access.grants import Grant
from fuin.access.refusals import NotAuthorized
from fuin.access.resources.key import RetirementResource
from fuin.kms.grants import grant_lists, grant_rules
from fuin.kms.model.faults import InvalidArnException, KmsFault, NotFoundException
from fuin.kms.model.quotas import GRANTS_PER_GRANTEE, GRANTS_PER_KEY
from fuin.kms.model.shapes_grants import CreateGrantInput, CreateGrantOutput, RetireGrantInput, RevokeGrantInput
from fuin.kms.model.shapes_parts import GrantConstraints
from fuin.kms.reach import grant_tokens, rights, states
from fuin.kms.reach.key import authorized_key, existing_key
from fuin.kms.reach.key_identifiers import KeyReference, find_key
from fuin.store.errors import NotFound, WrongState
from fuin.store.identity import principals
from fuin.store.identity.principals import NoSuchPrincipal
from fuin.store.kms import grants

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.access.facts import FactLookup, Values
    from fuin.errors import Fault
    from fuin.gate.call import Call
    from fuin.store.errors import StoreRefusal

_CREATE, _RETIRE, _REVOKE = "kms:CreateGrant", "kms:RetireGrant", "kms:RevokeGrant"


class PreparedGrant(NamedTuple):
    """A grant that the caller may add now; `arn` is the key's, `states` those in which a key takes grants."""

    arn: str
    grant: Grant
    states: frozenset[str]

    def insert(self, conn: Connection) -> str:
        """Return the id of the grant, or of the one of the same name that is there; raises as `insert_grant`."""
        return grants.insert_grant(conn, self.grant, self.states, GRANTS_PER_KEY, GRANTS_PER_GRANTEE)


async def create_grant(call: Call, input: CreateGrantInput) -> CreateGrantOutput:
    """Add a grant to a key; one with the same name that says the same is there already, and is returned."""
    prepared = await prepare_grant(call, input)
    grant_id = await _insert(call, prepared)
    call.facts["kmsGrant"]["id"] = grant_id
    return CreateGrantOutput(GrantToken=grant_tokens.issue_token(grant_id), GrantId=grant_id)


async def prepare_grant(call: Call, input: CreateGrantInput) -> PreparedGrant:
    """Return a grant that the caller may add to a key, and put it on the record."""
    wanted = _requested_grant(call, input)
    await grant_tokens.consult_grant_tokens(call, input.GrantTokens)
    named = await call.consult(
        authorized_key, input.KeyId or "", _CREATE, foreign=True, extra=_conditions(call, wanted), proposed=wanted
    )
    key = existing_key(named)
    grant_rules.check_fits(wanted, key)
    await call.consult(_check_principals, wanted)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    grant = replace(wanted, key_id=key.key_id)
    call.facts["kmsGrant"] = {"id": grant.grant_id, "to": _grantee(grant), "operations": grant.operations}
    allowed = states.ALLOWED[_CREATE]
    if key.state == states.UNAVAILABLE:  # which its key store makes of a disabled key as well
        allowed |= {states.DISABLED}
    return PreparedGrant(named.arn, grant, allowed)


def _requested_grant(call: Call, input: CreateGrantInput) -> Grant:
    """Return the grant that is asked for, of no key yet; its members are checked one by one and together."""
    given = input.Constraints or GrantConstraints()
    grant_rules.check_one(
        input.GranteePrincipal, input.GranteeServicePrincipal, ("GranteePrincipal", "GranteeServicePrincipal")
    )
    if input.RetiringPrincipal is not None and input.RetiringServicePrincipal is not None:
        raise KmsFault(
            "ValidationException", "You can specify either RetiringPrincipal or RetiringServicePrincipal, but not both."
        )
    if input.GranteeServicePrincipal is not None:
        _check_service_grant(input, given)
    equals, subset = grant_rules.check_pairs(given.EncryptionContextEquals, given.EncryptionContextSubset)
    operations = grant_rules.check_operations(input.Operations or [])
    return Grant(
        grant_id=os.urandom(32).hex(),
        key_id="",
        region=call.region,
        account=call.account,
        name=input.Name,
        grantee=grant_rules.check_principal(input.GranteePrincipal),
        grantee_service=input.GranteeServicePrincipal,
        retiring=grant_rules.check_principal(input.RetiringPrincipal),
        retiring_service=input.RetiringServicePrincipal,
        operations=operations,
        equals=equals,
        subset=subset,
        source_arn=given.SourceArn,
        created=round(call.now, 3),
    )


def _check_principals(call: Call, grant: Grant) -> None:
    """Refuse a grant that names a principal that does not exist, also by the time that it is stored.

    Only EC2 itself, on the caller's behalf, may name a host: a host decrypts by whatever grant names it.
    """
    names = tuple(name for name in (grant.grantee, grant.retiring) if name is not None)
    is_of_ec2 = (call.via or "").startswith("ec2.")

    def check() -> None:
        try:
            call.services.store.look_up(principals.check, names, with_hosts=is_of_ec2)
        except NoSuchPrincipal as error:
            raise InvalidArnException(f"ARN does not refer to a valid principal: {error.name}") from None

    check()
    call.remember(check)


def _check_service_grant(input: CreateGrantInput, given: GrantConstraints) -> None:
    """Refuse a grant to a service without the resource that it is for, or that nobody else could retire."""
    if given.SourceArn is None:
        raise KmsFault(
            "ValidationException", "You must specify a SourceArn constraint when you specify a GranteeServicePrincipal."
        )
    if input.RetiringPrincipal is None and input.RetiringServicePrincipal is None:
        raise KmsFault(
            "ValidationException",
            "You must specify a RetiringPrincipal or a RetiringServicePrincipal when you specify a "
            "GranteeServicePrincipal.",
        )


def _conditions(call: Call, grant: Grant) -> dict[str, str | Values | FactLookup]:
    """Return the condition keys of CreateGrant."""
    keys = {
        "kms:GranteePrincipal": grant.grantee,
        "kms:GranteeServicePrincipal": grant.grantee_service,
        "kms:RetiringPrincipal": grant.retiring,
        "kms:RetiringServicePrincipal": grant.retiring_service,
        "kms:GrantConstraintSourceArn": grant.source_arn,
        **grant_rules.resource_condition(call),
    }
    said = {name: value for name, value in keys.items() if value is not None}
    return {**said, "kms:GrantOperations": grant.operations, **_constraint_conditions(grant)}


def _constraint_conditions(grant: Grant) -> dict[str, str | Values]:
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


async def _insert(call: Call, prepared: PreparedGrant) -> str:
    """Add a grant, and return its id or that of the one of the same name that is there."""
    try:
        await call.announce("change")
        return await call.add(prepared.insert)
    except (grants.TooManyGrants, WrongState, NotFound) as error:
        raise refusal(prepared, error) from None


def refusal(prepared: PreparedGrant, error: StoreRefusal) -> Fault:
    """Return KMS's error for a key that takes no grant any longer, or no further one."""
    if isinstance(error, grants.TooManyGrants):
        return KmsFault("LimitExceededException", f"A key has {error}.")
    if isinstance(error, WrongState):
        return states.refusal(error.state, _CREATE, prepared.arn)
    return NotFoundException(f"Key '{prepared.arn}' does not exist")


async def retire_grant(call: Call, input: RetireGrantInput) -> None:
    """End a grant for its retiring principal or its account; a token names it, or its key and id."""
    grant = await call.consult(_authorized_grant, input)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    await _delete_grant(call, grant)


def _authorized_grant(call: Call, input: RetireGrantInput) -> Grant:
    """Return the grant that the caller may retire."""
    named, grant_id, grant = _grant_to_retire(call, input)
    call.facts["kmsKey"] = named.arn
    call.facts["kmsGrant"] = {"id": grant_id, **({} if grant is None else _grant_facts(grant))}
    _permit_retirement(call, named, grant)
    if grant is None:
        raise _missing_grant_fault(grant_id)
    call.remember(partial(_authorized_grant, call, input))
    return grant


def _grant_facts(grant: Grant) -> dict[str, object]:
    """Return the members of a grant that say who may retire it, for the record: the grant itself will be gone."""
    said = {
        "account": grant.account, "name": grant.name, "to": grant.grantee, "toService": grant.grantee_service,
        "operations": grant.operations, "retiring": grant.retiring, "retiringService": grant.retiring_service,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value is not None}


def _grant_to_retire(call: Call, input: RetireGrantInput) -> tuple[KeyReference, str, Grant | None]:
    """Return the key of the grant that is to be retired, its id, and the grant if it exists."""
    if input.GrantToken is not None and input.KeyId is None and input.GrantId is None:
        grant = grant_tokens.grant_by_token(call, input.GrantToken)
        return _key_of_grant(call, grant), grant.grant_id, grant
    if input.GrantToken is not None or input.KeyId is None or input.GrantId is None:
        raise KmsFault("ValidationException", "You must specify either a GrantToken, or both a KeyId and a GrantId.")
    grant_id = grant_rules.check_grant_id(input.GrantId)
    named = find_key(call, call.services.store.catalog(), input.KeyId, aliases=False)
    return named, grant_id, None if named.key is None else grant_lists.grant_of_key(call, named.key, grant_id)


def _key_of_grant(call: Call, grant: Grant) -> KeyReference:
    key = call.services.store.catalog().key(grant.key_id, grant.region)
    if key is None or states.is_gone(key):
        raise KmsFault("InvalidGrantTokenException", "The grant token is not valid.")
    return KeyReference(key.arn, key.account, key)


def _permit_retirement(call: Call, named: KeyReference, grant: Grant | None) -> None:
    """Check the right; it comes before existence."""
    key = named.key
    resource = named.resource if key is None else RetirementResource(named.arn, named.account, key.policy, key, grant)
    try:
        call.permit(_RETIRE, resource, None if grant is None else _constraint_conditions(grant))
    except NotAuthorized as error:
        raise rights.refusal_for_caller(call, named, _RETIRE, error, rights.THIS_RESOURCE) from None
    if key is None:
        raise NotFoundException(named.missing)


async def revoke_grant(call: Call, input: RevokeGrantInput) -> None:
    """End a grant for a caller whom the key policy allows this."""
    grant_id = grant_rules.check_grant_id(input.GrantId or "")
    key = existing_key(
        await call.consult(
            authorized_key, input.KeyId or "", _REVOKE, foreign=True, extra=grant_rules.resource_condition(call)
        )
    )
    call.facts["kmsGrant"] = {"id": grant_id}
    grant = await call.consult(grant_lists.grant_of_key, key, grant_id)
    if grant is None:
        raise _missing_grant_fault(grant_id)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    await _delete_grant(call, grant)


async def _delete_grant(call: Call, grant: Grant) -> None:
    try:
        await call.change(grants.delete_grant, grant.grant_id)
    except NotFound:  # somebody else was faster
        raise _missing_grant_fault(grant.grant_id) from None


def _missing_grant_fault(grant_id: str) -> KmsFault:
    return NotFoundException(f"Grant ID {grant_id} not found")
