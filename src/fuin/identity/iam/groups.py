"""Groups: create, get, list, update, delete, and their members."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fuin import ids
from fuin.identity.iam import entities, paging, quotas, users
from fuin.identity.wire.faults import QueryFault
from fuin.store.errors import NotFound
from fuin.store.identity import groups, identities
from fuin.store.identity.groups import Group
from fuin.store.identity.users import User

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output


async def create_group(call: Call, given: Given) -> Output:
    """Add a group without members and policies."""
    group = Group(call.account, given["GroupName"], ids.new_group_id(), call.now, given.get("Path", "/"))
    await call.consult(entities.permit, group.arn)
    await entities.add(call, group, identities.insert, group, quotas.GROUPS)
    return {"Group": describe(group)}


async def get_group(call: Call, given: Given) -> Output:
    """Return a group and a page of its users."""
    group = await call.consult(entities.group, given["GroupName"])
    find = partial(_members, group_id=group.id)
    page = await paging.read(call, given, "Users", find, lambda user: user.name, users.summarize)
    return {"Group": describe(group), **page}


def _members(conn: Connection, after: str, limit: int, *, group_id: str) -> list[User]:
    return identities.page_members(conn, User, group_id, after, limit)


async def list_groups(call: Call, given: Given) -> Output:
    """Return a page of the account's groups."""
    prefix = given.get("PathPrefix", "/")
    await call.consult(entities.permit, f"arn:aws:iam::{call.account}:group{prefix}")
    find = partial(_page, account=call.account, prefix=prefix)
    return await paging.read(call, given, "Groups", find, lambda group: group.name, describe)


def _page(conn: Connection, after: str, limit: int, *, account: str, prefix: str) -> list[Group]:
    return identities.page(conn, Group, account, prefix, after, limit)


async def update_group(call: Call, given: Given) -> None:
    """Give a group another name or path."""
    group = await call.consult(entities.group, given["GroupName"])
    name, path = given.get("NewGroupName", group.name), given.get("NewPath", group.path)
    await call.consult(entities.permit, ids.iam_arn(call.account, Group.kind, path, name))
    renamed = Group(group.account, name, group.id, group.created)
    await entities.change(call, renamed, identities.rename, group, name, path)


async def delete_group(call: Call, given: Given) -> None:
    """Remove a group without members and policies."""
    group = await call.consult(entities.group, given["GroupName"])
    await entities.change(call, group, groups.delete_group, call.account, group.name)


async def add_user_to_group(call: Call, given: Given) -> None:
    """Put a user into a group; its policies hold for the user when this returns."""
    group, user = await call.consult(_group_and_user, given)
    await entities.change(
        call, user, identities.apply_to, user, groups.add_member, group.id, quotas.GROUPS_OF_USER
    )  # fmt: skip


async def remove_user_from_group(call: Call, given: Given) -> None:
    """Take a user out of a group; its policies no longer hold for the user when this returns."""
    group, user = await call.consult(_group_and_user, given)
    try:
        await call.change(groups.remove_member, user.id, group.id)
    except NotFound:
        raise QueryFault("NoSuchEntity", f"The user with name {user.name} is not in the group {group.name}.") from None


def _group_and_user(call: Call, given: Given) -> tuple[Group, User]:
    """Return the group and the user; the caller needs the right on the group."""
    group = entities.group(call, given["GroupName"])
    user = call.services.store.look_up(identities.find, User, call.account, given["UserName"])
    if user is None:
        raise QueryFault("NoSuchEntity", f"The user with name {given['UserName']} cannot be found.")
    return group, user


async def list_groups_for_user(call: Call, given: Given) -> Output:
    """Return a page of the groups that a user is in."""
    user = await call.consult(entities.user, given["UserName"])
    found = await call.services.store.read(groups.groups_of, user.id)
    return paging.page_of_all(given, "Groups", found, lambda group: group.name, describe)


def describe(group: Group) -> Output:
    """Return a group as outputs have it."""
    return {
        "Path": group.path, "GroupName": group.name, "GroupId": group.id, "Arn": group.arn,
        "CreateDate": group.created,
    }  # fmt: skip
