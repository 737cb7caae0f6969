"""Inline policies of users, groups and roles: the same four operations for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.access.policy import PolicyKind, check_policy
from fuin.gate import policy_warnings
from fuin.identity.iam import entities, paging, quotas
from fuin.identity.wire.faults import QueryFault
from fuin.store.errors import NotFound
from fuin.store.identity import identities, inline_policies

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output

_KINDS = {"user": PolicyKind.IDENTITY, "group": PolicyKind.GROUP, "role": PolicyKind.ROLE}


async def put_policy(kind: str, call: Call, given: Given) -> None:
    """Add or replace an inline policy; every worker applies it when this returns."""
    owner = await call.consult(entities.identity_of_kind, kind, given)
    document = given["PolicyDocument"]
    if inline_policies.total_length(document) > quotas.INLINE[kind]:
        raise QueryFault(
            "LimitExceeded", f"Maximum policy size of {quotas.INLINE[kind]} bytes exceeded for {kind} {owner.name}"
        )
    check_policy(document, _KINDS[kind])
    policy_warnings.note(call, document, _KINDS[kind], owner.arn)
    await entities.change(
        call, owner, identities.apply_to, owner, inline_policies.put, given["PolicyName"], document, quotas.INLINE[kind]
    )


async def get_policy(kind: str, call: Call, given: Given) -> Output:
    """Return an inline policy as it was put."""
    owner = await call.consult(entities.identity_of_kind, kind, given)
    document = await call.services.store.read(inline_policies.find, owner.id, given["PolicyName"])
    if document is None:
        raise _missing_policy(kind, given["PolicyName"])
    named = {entities.NAME_OF[kind]: owner.name, "PolicyName": given["PolicyName"]}
    return {**named, "PolicyDocument": entities.encode_document(document)}


async def list_policies(kind: str, call: Call, given: Given) -> Output:
    """Return a page of the names of inline policies."""
    owner = await call.consult(entities.identity_of_kind, kind, given)
    names = await call.services.store.read(inline_policies.list_names, owner.id)
    return paging.page_of_all(given, "PolicyNames", names, str, str)


async def delete_policy(kind: str, call: Call, given: Given) -> None:
    """Remove an inline policy; it no longer allows anything when this returns."""
    owner = await call.consult(entities.identity_of_kind, kind, given)
    try:
        await call.change(inline_policies.remove, owner.id, given["PolicyName"])
    except NotFound:
        raise _missing_policy(kind, given["PolicyName"]) from None


def _missing_policy(kind: str, name: str) -> QueryFault:
    return QueryFault("NoSuchEntity", f"The {kind} policy with name {name} cannot be found.")
