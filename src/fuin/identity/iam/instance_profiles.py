"""Instance profiles: create, get, list, delete, and the role in them. They are only data: no machine uses them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fuin import ids
from fuin.gate import lists
from fuin.identity.iam import entities, paging, quotas, roles
from fuin.identity.wire import faults
from fuin.identity.wire.faults import QueryFault
from fuin.store.errors import NotFound
from fuin.store.identity import identities
from fuin.store.identity import instance_profiles as rows
from fuin.store.identity.instance_profiles import InstanceProfile
from fuin.store.identity.roles import Role, find_role_by_id

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output

_MACHINES = {"iam:PassedToService": "ec2.amazonaws.com"}  # whose machines get the role in AWS


async def create_instance_profile(call: Call, given: Given) -> Output:
    """Add an instance profile, which holds no role yet."""
    profile = InstanceProfile(
        call.account, given["InstanceProfileName"], ids.new_instance_profile_id(), call.now, given.get("Path", "/"),
        tags=entities.tags_of(given),
    )  # fmt: skip
    await call.consult(entities.permit, profile.arn, entities.request_conditions(given))
    if profile.tags:
        await call.consult(
            entities.permit, profile.arn, entities.request_conditions(given), action="TagInstanceProfile"
        )
    await entities.add(call, profile, identities.insert, profile, quotas.INSTANCE_PROFILES)
    return {"InstanceProfile": _describe(profile, None)}


async def get_instance_profile(call: Call, given: Given) -> Output:
    """Return an instance profile with its role."""
    profile = await call.consult(entities.instance_profile, given)
    return {"InstanceProfile": _describe(profile, await call.services.store.read(_role_of, profile))}


async def list_instance_profiles(call: Call, given: Given) -> Output:
    """Return a page of the account's instance profiles, without tags as in AWS."""
    prefix = given.get("PathPrefix", "/")
    await call.consult(entities.permit, f"arn:aws:iam::{call.account}:instance-profile{prefix}")
    find = partial(_page, account=call.account, prefix=prefix)
    return await paging.read(
        call, given, "InstanceProfiles", find, lambda one: one[0].name, lambda one: _summarize(*one)
    )  # fmt: skip


def _page(
    conn: Connection, after: str, limit: int, *, account: str, prefix: str
) -> list[tuple[InstanceProfile, Role | None]]:
    found = identities.page(conn, InstanceProfile, account, prefix, after, limit)
    return [(profile, _role_of(conn, profile)) for profile in found]


async def list_instance_profiles_for_role(call: Call, given: Given) -> Output:
    """Return a page of the instance profiles that hold a role."""
    role = await call.consult(entities.role, given["RoleName"])
    found = await lists.page(call, rows.profiles_of, role.id)
    return paging.page_of_all(given, "InstanceProfiles", found, lambda one: one.name, lambda one: _summarize(one, role))


async def delete_instance_profile(call: Call, given: Given) -> None:
    """Remove an instance profile that holds no role."""
    profile = await call.consult(entities.instance_profile, given)
    await entities.change(call, profile, identities.apply_to, profile, rows.delete_profile)


async def add_role_to_instance_profile(call: Call, given: Given) -> None:
    """Put a role into an instance profile; the caller needs iam:PassRole on the role as well."""
    profile = await call.consult(entities.instance_profile, given)
    role = await call.consult(entities.role, given["RoleName"], _MACHINES, action="PassRole")
    await entities.add(call, profile, identities.apply_to, profile, _add, role)


def _add(conn: Connection, profile_id: str, role: Role) -> None:
    if identities.find_by_id(conn, Role, role.id) is None:  # which has gone since it was looked at
        raise faults.no_such_entity(role.kind, role.name)
    rows.add_role(conn, profile_id, role.id)


async def remove_role_from_instance_profile(call: Call, given: Given) -> None:
    """Take the role out of an instance profile."""
    profile = await call.consult(entities.instance_profile, given)
    try:
        await call.change(_remove, profile, given["RoleName"])
    except NotFound:
        raise QueryFault(
            "NoSuchEntity", f"The role with name {given['RoleName']} is not in the instance profile {profile.name}."
        ) from None


def _remove(conn: Connection, profile: InstanceProfile, name: str) -> None:
    role = _role_of(conn, profile)
    if role is None or role.name != name:  # the answer does not show whether the role exists
        raise NotFound(name)
    rows.remove_role(conn, profile.id, role.id)


def describe_of_role(conn: Connection, role: Role) -> list[Output]:
    """Return the descriptions of a role's instance profiles."""
    return [_summarize(profile, role) for profile in rows.profiles_of(conn, role.id)]


def _role_of(conn: Connection, profile: InstanceProfile) -> Role | None:
    role_id = rows.role_of(conn, profile.id)
    return None if role_id is None else find_role_by_id(conn, role_id)


def _describe(profile: InstanceProfile, role: Role | None) -> Output:
    return {**_summarize(profile, role), "Tags": entities.describe_tags(profile)}


def _summarize(profile: InstanceProfile, role: Role | None) -> Output:
    return {
        "Path": profile.path, "InstanceProfileName": profile.name, "InstanceProfileId": profile.id,
        "Arn": profile.arn, "CreateDate": profile.created,
        "Roles": [] if role is None else [roles.summarize_in_profile(role)],
    }  # fmt: skip
