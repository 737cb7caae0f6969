"""Who has which managed policy: attached to users, groups and roles, and set as the boundary of users and roles."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fuin.identity.iam import entities, managed_policies, paging, quotas
from fuin.identity.wire.faults import QueryFault
from fuin.store.errors import NotFound
from fuin.store.identity import identities
from fuin.store.identity import managed_policies as rows
from fuin.store.identity.groups import Group
from fuin.store.identity.roles import Role
from fuin.store.identity.users import User

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output
    from fuin.store.identity.identities import Identity
    from fuin.store.identity.managed_policies import ManagedPolicy


async def attach_policy(kind: str, call: Call, given: Given) -> None:
    """Attach a policy, which may be attached already; every worker applies it when this returns."""
    owner = await call.consult(_owner, kind, given)
    await entities.change(
        call, owner, identities.apply_to, owner, _attach, call.account, given["PolicyArn"], quotas.ATTACHED[kind]
    )  # fmt: skip


def _attach(conn: Connection, owner: str, account: str, arn: str, at_most: int) -> None:
    rows.attach(conn, owner, identities.find_id(conn, account, identities.POLICY, arn), at_most)


async def detach_policy(kind: str, call: Call, given: Given) -> None:
    """Detach a policy; it no longer allows anything when this returns."""
    owner = await call.consult(_owner, kind, given)
    try:
        await call.change(_detach, owner.id, call.account, given["PolicyArn"])
    except NotFound:
        raise QueryFault("NoSuchEntity", f"Policy {given['PolicyArn']} was not found.") from None


def _detach(conn: Connection, owner: str, account: str, arn: str) -> None:
    rows.detach(conn, owner, identities.find_id(conn, account, identities.POLICY, arn))


def _owner(call: Call, kind: str, given: Given) -> User | Group | Role:
    managed_policies.check_arn(given["PolicyArn"])
    return entities.identity_of_kind(call, kind, given, {"iam:PolicyARN": given["PolicyArn"]})


async def list_attached(kind: str, call: Call, given: Given) -> Output:
    """Return a page of the policies that a user, group or role has."""
    owner = await call.consult(entities.identity_of_kind, kind, given)
    prefix = given.get("PathPrefix", "/")
    found = [
        policy
        for policy in await call.services.store.read(_attached_policies, owner.id)
        if policy.path.startswith(prefix)
    ]
    # AWS has policies of its own, one of which may have the same name.
    return paging.page_of_all(
        given, "AttachedPolicies", found, lambda one: f"{one.name} {one.account}", describe_attached
    )


def describe_attached(policy: ManagedPolicy) -> Output:
    """Return a policy as lists of attached policies have it."""
    return {"PolicyName": policy.name, "PolicyArn": policy.arn}


def _attached_policies(conn: Connection, owner: str) -> list[ManagedPolicy]:
    return [rows.policy_by_id(conn, policy) for policy in rows.list_attached(conn, owner)]


async def list_entities_for_policy(call: Call, given: Given) -> Output:
    """Return a page of the users, groups and roles that have a policy, or whose boundary it is."""
    policy = await call.consult(managed_policies.policy_of, given)
    usage, wanted = given.get("PolicyUsageFilter"), given.get("EntityFilter")
    prefix = given.get("PathPrefix", "/")
    kinds = [cls for cls in (User, Group, Role) if wanted in {None, cls.kind.capitalize()}]
    find = partial(_holders, policy_id=policy.id, account=call.account, kinds=kinds, prefix=prefix, usage=usage)
    page = await paging.read(call, given, "found", find, lambda one: f"{one.kind}/{one.name}", lambda one: one)
    shown: list[Identity] = page.pop("found")
    for kind, name in entities.NAME_OF.items():
        label = kind.capitalize()
        page[f"Policy{label}s"] = [{name: one.name, f"{label}Id": one.id} for one in shown if one.kind == kind]
    return page


def _holders(
    conn: Connection,
    after: str,
    limit: int,
    *,
    policy_id: str,
    account: str,
    kinds: Sequence[type[Identity]],
    prefix: str,
    usage: str | None,
) -> list[Identity]:
    return identities.page_holders(
        conn, policy_id, account, kinds, prefix, after, limit,
        attached=usage != "PermissionsBoundary", bounded=usage != "PermissionsPolicy",
    )  # fmt: skip


async def put_boundary(kind: str, call: Call, given: Given) -> None:
    """Set a permissions boundary; every worker applies it when this returns."""
    managed_policies.check_arn(given["PermissionsBoundary"])
    owner = await call.consult(entities.identity_of_kind, kind, given, entities.request_conditions(given))
    bounded = replace(owner, boundary=given["PermissionsBoundary"])
    await entities.change(call, bounded, _set_boundary, owner, bounded.boundary)


async def delete_boundary(kind: str, call: Call, given: Given) -> None:
    """Remove a permissions boundary."""
    owner = await call.consult(entities.identity_of_kind, kind, given)
    if owner.boundary is None:
        raise QueryFault("NoSuchEntity", f"The {kind} with name {owner.name} has no permissions boundary.")
    await entities.change(call, owner, _set_boundary, owner, None)


def _set_boundary(conn: Connection, owner: Identity, arn: str | None) -> None:
    identities.apply_to(conn, owner, lambda conn, _: identities.set_boundary(conn, owner, arn))
