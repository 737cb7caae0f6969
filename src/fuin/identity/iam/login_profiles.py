"""Login profiles: create, get, update, delete, and ChangePassword. Nobody can sign in with them here.

The password of a request is checked against the account's policy and forgotten: it is in no record and not in the
database. So ChangePassword cannot know if the old password is right, and does not check it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin import ids
from fuin.identity.iam import entities, password_policy
from fuin.identity.wire.faults import QueryFault
from fuin.store.errors import AlreadyExists, NotFound
from fuin.store.identity import identities
from fuin.store.identity import login_profiles as rows
from fuin.store.identity.login_profiles import LoginProfile

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output
    from fuin.store.identity.users import User


async def create_login_profile(call: Call, given: Given) -> Output:
    """Note that a user has a password."""
    user = await call.consult(_user, given)
    if user is None:
        raise QueryFault("ValidationError", "Must specify userName: the root of an account has no password here.")
    if "Password" not in given:
        raise QueryFault("ValidationError", "Must specify a password.")
    await call.consult(password_policy.check, given["Password"])
    profile = LoginProfile(call.now, call.now, given.get("PasswordResetRequired", False))
    await call.announce("change")
    try:
        await call.write(identities.apply_to, user, rows.insert_profile, profile)
    except AlreadyExists:
        raise QueryFault("EntityAlreadyExists", f"Login Profile for user {user.name} already exists.") from None
    except NotFound:
        raise _missing_profile(user.name) from None
    return {"LoginProfile": _describe(user, profile)}


async def get_login_profile(call: Call, given: Given) -> Output:
    """Return when a user got its password, and whether the user must change it at sign-in."""
    user = await call.consult(_user, given)
    profile = None if user is None else await call.services.store.read(rows.find_profile, user.id)
    if user is None or profile is None:
        raise _missing_profile(call.account if user is None else user.name)
    return {"LoginProfile": _describe(user, profile)}


async def update_login_profile(call: Call, given: Given) -> None:
    """Note that a user has a new password, or must set one at sign-in; missing members change nothing."""
    user = await call.consult(entities.user, given["UserName"])
    if "Password" in given:
        await call.consult(password_policy.check, given["Password"])
    await _set(call, user, call.now if "Password" in given else None, given.get("PasswordResetRequired"))


async def delete_login_profile(call: Call, given: Given) -> None:
    """Note that a user no longer has a password."""
    user = await call.consult(_user, given)
    if user is None:
        raise _missing_profile(call.account)
    try:
        await call.change(rows.delete_profile, user.id)
    except NotFound:
        raise _missing_profile(user.name) from None


async def change_password(call: Call, given: Given) -> None:
    """Note that the calling user has a new password, and no longer has to set one at sign-in."""
    if call.principal.kind != "user":
        await call.consult(entities.permit, ids.iam_arn(call.account, "user", "/", "*"))
        raise QueryFault("InvalidUserType", "Only a user can change its own password.")
    user = await call.consult(entities.user, call.principal.name)
    if await call.services.store.read(rows.find_profile, user.id) is None:
        raise _missing_profile(user.name)
    await call.consult(password_policy.check, given["NewPassword"], given["OldPassword"])
    await _set(call, user, call.now, reset_required=False)


async def _set(call: Call, user: User, changed: float | None, reset_required: bool | None) -> None:
    await call.announce("change")
    try:
        await call.write(rows.set_profile, user.id, changed, reset_required)
    except NotFound:
        raise _missing_profile(user.name) from None


def _user(call: Call, given: Given) -> User | None:
    """Return the user that the request is about, by default the caller; None is the account's root."""
    name = given.get("UserName") or entities.own_name(call)
    if name is not None:
        return entities.user(call, name)
    entities.permit(call, ids.root_arn(call.account))
    return None


def _missing_profile(name: str) -> QueryFault:
    return QueryFault("NoSuchEntity", f"Login Profile for User {name} cannot be found.")


def _describe(user: User, profile: LoginProfile) -> Output:
    return {
        "UserName": user.name, "CreateDate": profile.created, "PasswordResetRequired": profile.reset_required,
    }  # fmt: skip
