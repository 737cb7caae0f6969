"""Users: create, get, list, update, delete."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fuin import ids
from fuin.identity.iam import entities, managed_policies, paging, quotas
from fuin.store.identity import accounts, identities, users
from fuin.store.identity.users import User

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output


async def create_user(call: Call, given: Given) -> Output:
    """Add a user, who may do nothing yet and has no access key."""
    managed_policies.check_arn(given.get("PermissionsBoundary"))
    user = User(
        call.account, given["UserName"], ids.new_user_id(), call.now, given.get("Path", "/"),
        given.get("PermissionsBoundary"), entities.tags_of(given),
    )  # fmt: skip
    await call.consult(entities.permit, user.arn, entities.request_conditions(given))
    if user.tags:
        await call.consult(entities.permit, user.arn, entities.request_conditions(given), action="TagUser")
    await entities.add(call, user, users.insert_user, user, quotas.USERS)
    return {"User": describe(user)}


async def get_user(call: Call, given: Given) -> Output:
    """Return a user, by default the caller; for the root only its id, ARN and creation date."""
    name = given.get("UserName") or entities.own_name(call)
    if name is None:
        created = await call.services.store.read(accounts.creation_time, call.account)
        return {"User": {"UserId": call.account, "Arn": ids.root_arn(call.account), "CreateDate": created}}
    return {"User": describe(await call.consult(entities.user, name))}


async def list_users(call: Call, given: Given) -> Output:
    """Return a page of the account's users, without tags and boundaries as in AWS."""
    prefix = given.get("PathPrefix", "/")
    await call.consult(entities.permit, f"arn:aws:iam::{call.account}:user{prefix}")
    find = partial(_page, account=call.account, prefix=prefix)
    return await paging.read(call, given, "Users", find, lambda user: user.name, summarize)


def _page(conn: Connection, after: str, limit: int, *, account: str, prefix: str) -> list[User]:
    return identities.page(conn, User, account, prefix, after, limit)


async def update_user(call: Call, given: Given) -> None:
    """Give a user another name or path; the caller needs the right on both names."""
    user = await call.consult(entities.user, given["UserName"])
    name, path = given.get("NewUserName", user.name), given.get("NewPath", user.path)
    await call.consult(
        entities.permit, ids.iam_arn(call.account, User.kind, path, name), entities.resource_conditions(user)
    )
    renamed = User(user.account, name, user.id, user.created)
    await entities.change(call, renamed, users.rename_user, call.account, user.name, name, path)


async def delete_user(call: Call, given: Given) -> None:
    """Remove a user that has no access keys, policies or groups; statements that name it no longer match anybody."""
    user = await call.consult(entities.user, given["UserName"])
    await entities.change(call, user, users.delete_user, call.account, user.name)


def describe(user: User) -> Output:
    """Return a user as outputs have it."""
    return {
        **summarize(user), "PermissionsBoundary": entities.describe_boundary(user),
        "Tags": entities.describe_tags(user),
    }  # fmt: skip


def summarize(user: User) -> Output:
    """Return a user as lists have it."""
    return {
        "Path": user.path, "UserName": user.name, "UserId": user.id, "Arn": user.arn, "CreateDate": user.created,
    }  # fmt: skip
