"""Roles: create, get, list, update, delete, and their trust policies."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fuin import ids
from fuin.access.named_principals import principals_of
from fuin.access.policy import PolicyKind, check_policy
from fuin.errors import MalformedPolicy
from fuin.gate import policy_warnings
from fuin.identity.iam import entities, managed_policies, paging, quotas
from fuin.identity.wire.faults import QueryFault, malformed_policy
from fuin.store.identity import principals, roles
from fuin.store.identity.inline_policies import total_length
from fuin.store.identity.roles import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output


async def create_role(call: Call, given: Given) -> Output:
    """Add a role, with the trust policy that says who may assume it."""
    managed_policies.check_arn(given.get("PermissionsBoundary"))
    role = Role(
        call.account, given["RoleName"], ids.new_role_id(), call.now, given.get("Path", "/"),
        given.get("PermissionsBoundary"), entities.tags_of(given), given["AssumeRolePolicyDocument"],
        given.get("Description"), given.get("MaxSessionDuration", 3600),
    )  # fmt: skip
    await call.consult(entities.permit, role.arn, entities.request_conditions(given))
    if role.tags:
        await call.consult(entities.permit, role.arn, entities.request_conditions(given), action="TagRole")
    if role.path.startswith(entities.OF_SERVICES):
        raise QueryFault(
            "InvalidInput", f"Path prefix '{entities.OF_SERVICES}' can only be used for AWS Service linked Roles"
        )
    trusted = _trusted_principals(role.trust_policy)
    policy_warnings.note(call, role.trust_policy, PolicyKind.TRUST, role.arn)
    await entities.add(call, role, _insert, role, trusted)
    return {"Role": describe(role)}


def _insert(conn: Connection, role: Role, trusted: Sequence[str]) -> None:
    principals.check(conn, trusted)
    roles.insert_role(conn, role, quotas.ROLES)


def _trusted_principals(document: str) -> list[str]:
    """Return a trust policy's principals, as it spells them; raises MalformedPolicyDocument or LimitExceeded."""
    if total_length(document) > quotas.TRUST_POLICY_SIZE:
        raise QueryFault("LimitExceeded", f"Cannot exceed quota for ACLSizePerRole: {quotas.TRUST_POLICY_SIZE}")
    try:
        named = list(principals_of(check_policy(document, PolicyKind.TRUST)))
    except MalformedPolicy as error:
        raise malformed_policy(error, trusting=True) from None
    return [ids.root_arn(name) if ids.root_arn(name) in document else name for name in named]


async def get_role(call: Call, given: Given) -> Output:
    """Return a role."""
    role = await call.consult(entities.role, given["RoleName"])
    return {"Role": describe(role, await call.services.store.read(roles.last_use, role.id))}


async def list_roles(call: Call, given: Given) -> Output:
    """Return a page of the account's roles, without tags and boundaries as in AWS."""
    prefix = given.get("PathPrefix", "/")
    await call.consult(entities.permit, f"arn:aws:iam::{call.account}:role{prefix}")
    find = partial(_page, account=call.account, prefix=prefix)
    return await paging.read(call, given, "Roles", find, lambda role: role.name, _summarize)


def _page(conn: Connection, after: str, limit: int, *, account: str, prefix: str) -> list[Role]:
    return roles.page_roles(conn, account, prefix, after, limit)


async def update_role(call: Call, given: Given) -> Output:
    """Set a role's description and the longest duration of its sessions; missing members change nothing."""
    role = await call.consult(entities.role, given["RoleName"])
    if "MaxSessionDuration" in given:
        entities.check_modifiable(role)
    duration = given.get("MaxSessionDuration", role.max_session_duration)
    changed = {"description": given.get("Description", role.description), "max_session_duration": duration}
    await entities.change(call, role, _update, role, changed)
    return {}


async def update_role_description(call: Call, given: Given) -> Output:
    """Set a role's description; UpdateRole does the same."""
    role = await call.consult(entities.role, given["RoleName"])
    await entities.change(call, role, _update, role, {"description": given["Description"]})
    return {"Role": describe(replace(role, description=given["Description"]))}


async def update_assume_role_policy(call: Call, given: Given) -> None:
    """Replace a role's trust policy; present sessions go on."""
    role = await call.consult(entities.role, given["RoleName"])
    document = given["PolicyDocument"]
    trusted = _trusted_principals(document)
    policy_warnings.note(call, document, PolicyKind.TRUST, role.arn)
    await entities.change(call, role, _update, role, {"trust_policy": document}, trusted)


def _update(conn: Connection, role: Role, changed: dict[str, str | int | None], trusted: Sequence[str] = ()) -> None:
    """Change some members of a role, as the database has it now."""
    principals.check(conn, trusted)
    now = roles.existing_role(conn, role)
    roles.set_role(conn, replace(now, **changed))  # type: ignore[arg-type]


async def delete_role(call: Call, given: Given) -> None:
    """Remove a role without policies and instance profiles; its sessions end with it."""
    role = await call.consult(entities.role, given["RoleName"])
    await entities.change(call, role, roles.delete_role, call.account, role.name)


def describe(role: Role, used: tuple[float, str] | None = None) -> Output:
    """Return a role as outputs have it; `used` is when and in which Region it was last used."""
    return {
        **_summarize(role), "PermissionsBoundary": entities.describe_boundary(role),
        "Tags": entities.describe_tags(role),
        "RoleLastUsed": {} if used is None else {"LastUsedDate": used[0], "Region": used[1]},
    }  # fmt: skip


def _summarize(role: Role) -> Output:
    return {
        **summarize_in_profile(role), "Description": role.description, "MaxSessionDuration": role.max_session_duration,
    }  # fmt: skip


def summarize_in_profile(role: Role) -> Output:
    """Return a role as instance profiles have it."""
    return {
        "Path": role.path, "RoleName": role.name, "RoleId": role.id, "Arn": role.arn, "CreateDate": role.created,
        "AssumeRolePolicyDocument": entities.encode_document(role.trust_policy),
    }  # fmt: skip
