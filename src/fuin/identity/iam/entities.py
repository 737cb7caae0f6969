"""The common parts of IAM's operations: finding users, groups and roles by name, rights, refusals, documents, tags.

Rights are checked before existence: a caller without the right does not learn whether the name exists. The action is
always iam: and the operation's name.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from fuin import ids
from fuin.access.refusals import NotAuthorized
from fuin.access.resources.own import OwnResource
from fuin.access.vocabulary.identity_keys import BOUNDED
from fuin.identity.wire import faults
from fuin.identity.wire.faults import QueryFault
from fuin.store.errors import StoreRefusal
from fuin.store.identity import identities
from fuin.store.identity.groups import Group
from fuin.store.identity.identities import Identity
from fuin.store.identity.instance_profiles import InstanceProfile, find_profile
from fuin.store.identity.roles import Role, find_role
from fuin.store.identity.users import User, find_user

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output

T = TypeVar("T", bound=Identity)
P = ParamSpec("P")
R = TypeVar("R")

Conditions = dict[str, str | tuple[str, ...]]

_BOUNDARY = "iam:PermissionsBoundary"
OF_SERVICES = "/aws-service-role/"  # the path of service-linked roles, and of no others

# What AWS lets nobody do with a service-linked role. Its description and tags are its account's to set: IAM user guide,
# "Edit a service-linked role description", "Tag IAM roles".
_PROTECTED = frozenset({
    "AddRoleToInstanceProfile", "AttachRolePolicy", "DeleteRole", "DeleteRolePermissionsBoundary", "DeleteRolePolicy",
    "DetachRolePolicy", "PutRolePermissionsBoundary", "PutRolePolicy", "UpdateAssumeRolePolicy",
})  # fmt: skip
NAME_OF = {"user": "UserName", "group": "GroupName", "role": "RoleName"}


def permit(
    call: Call,
    arn: str,
    more: Mapping[str, Any] | None = None,
    *,
    action: str | None = None,
    account: str | None = None,
    again: Callable[[], object] | None = None,
) -> None:
    """Check the right to the operation (or another action) on a resource of the caller's account (or another).

    `again` repeats the check before a commit, with the state of that time.
    """
    name = f"iam:{action or call.operation}"
    if more and _BOUNDARY in more and name not in BOUNDED:
        more = {key: value for key, value in more.items() if key != _BOUNDARY}
    call.permit(name, OwnResource(arn, account or call.account), more, again=again)


def user(call: Call, name: str, more: Mapping[str, Any] | None = None) -> User:
    """Return a user on which the operation is allowed; raises AccessDenied or NoSuchEntity."""
    return _permitted_entity(call, User, name, find_user, more)


def group(call: Call, name: str, more: Mapping[str, Any] | None = None) -> Group:
    """Return a group on which the operation is allowed; raises AccessDenied or NoSuchEntity."""
    return _permitted_entity(call, Group, name, _find_group, more)


def role(call: Call, name: str, more: Mapping[str, Any] | None = None, *, action: str | None = None) -> Role:
    """Return a role on which the operation (or another action) is allowed; raises AccessDenied or NoSuchEntity."""
    found = _permitted_entity(call, Role, name, find_role, more, action)
    if call.operation in _PROTECTED:
        check_modifiable(found)
    return found


def check_modifiable(role: Role) -> None:
    """Raise UnmodifiableEntity for a service-linked role."""
    if role.service is not None:
        raise faults.QueryFault(
            "UnmodifiableEntity",
            f"Cannot perform the operation on the protected role '{role.name}' - this role is only modifiable by AWS",
        )


def instance_profile(call: Call, given: Given, more: Mapping[str, Any] | None = None) -> InstanceProfile:
    """Return an instance profile on which the operation is allowed; raises AccessDenied or NoSuchEntity."""
    return _permitted_entity(call, InstanceProfile, given["InstanceProfileName"], find_profile, more)


def identity_of_kind(call: Call, kind: str, given: Given, more: Mapping[str, Any] | None = None) -> User | Group | Role:
    """Return the user, group or role that an operation names."""
    name = given[NAME_OF[kind]]
    if kind == identities.USER:
        return user(call, name, more)
    return group(call, name, more) if kind == identities.GROUP else role(call, name, more)


def _find_group(conn: Connection, account: str, name: str) -> Group | None:
    return identities.find(conn, Group, account, name)


def _permitted_entity(
    call: Call,
    cls: type[T],
    name: str,
    find: Callable[[Connection, str, str], T | None],
    more: Mapping[str, Any] | None,
    action: str | None = None,
) -> T:
    found = call.services.store.look_up(find, call.account, name)
    arn = ids.iam_arn(call.account, cls.kind, "/", name) if found is None else found.arn
    # Who asks again finds it again: its path, tags and boundary may have changed as much as the caller's rights.
    again = partial(_permitted_entity, call, cls, name, find, more, action)
    try:
        permit(call, arn, {**resource_conditions(found), **(more or {})}, action=action, again=again)
    except NotAuthorized as error:  # the ARN has a path, by which strangers would learn that there is such a user
        raise error.rephrase(noun=f"resource: {cls.kind.replace('-', ' ')} {name}") from None
    if found is None:
        raise faults.no_such_entity(cls.kind, name)
    return found


def resource_conditions(identity: Identity | None) -> Conditions:
    """Return the condition keys of an identity as a resource: its tags and its boundary."""
    if identity is None:
        return {}
    keys: Conditions = {f"aws:ResourceTag/{name}": value for name, value in identity.tags}
    keys.update({f"iam:ResourceTag/{name}": value for name, value in identity.tags})
    if identity.boundary is not None:
        keys[_BOUNDARY] = identity.boundary
    return keys


def request_conditions(given: Given) -> Conditions:
    """Return the condition keys of a request: its tags and its boundary."""
    pairs = tags_of(given)
    keys: Conditions = {f"aws:RequestTag/{name}": value for name, value in pairs}
    names = given.get("TagKeys") or [name for name, _ in pairs]
    if names:
        keys["aws:TagKeys"] = tuple(names)
    if "PermissionsBoundary" in given:
        keys[_BOUNDARY] = given["PermissionsBoundary"]
    return keys


def tags_of(given: Given) -> identities.Tags:
    """Return a request's tags; raises InvalidInput for a name that comes twice (in any case) or is AWS's."""
    pairs = tuple((tag["Key"], tag["Value"]) for tag in given.get("Tags", []))
    folded = [name.lower() for name, _ in pairs]
    if len(set(folded)) != len(folded):
        raise QueryFault("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(name.startswith("aws:") for name in folded):
        raise QueryFault("InvalidInput", "Tag keys that begin with aws: are reserved for AWS use.")
    return pairs


async def add(
    call: Call,
    subject: Identity,
    fn: Callable[Concatenate[Connection, P], R],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Announce and make a change that takes no right from anybody; errors as in `change`."""
    await call.announce("change")
    try:
        return await call.add(fn, *args, **kwargs)
    except StoreRefusal as error:
        raise faults.refusal(error, subject.kind, subject.name, subject.boundary) from None


async def change(
    call: Call,
    subject: Identity,
    fn: Callable[Concatenate[Connection, P], R],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Announce and make a change in the store; its errors become IAM's faults, about `subject`."""
    try:
        return await call.change(fn, *args, **kwargs)
    except StoreRefusal as error:
        raise faults.refusal(error, subject.kind, subject.name, subject.boundary) from None


def own_name(call: Call) -> str | None:
    """Return the user for a request that names no user: the caller; None is the account's root."""
    if call.principal.kind == "root":
        return None
    if call.principal.kind != "user":
        raise QueryFault("ValidationError", "Must specify userName when calling with non-User credentials")
    return call.principal.name


def encode_document(document: str) -> str:
    """Return a policy document in the form of IAM's answers: URL-encoded (RFC 3986)."""
    return quote(document, safe="")


def describe_tags(identity: Identity) -> list[Output] | None:
    """Return the tags of an identity as outputs have them; None without tags."""
    return [{"Key": name, "Value": value} for name, value in identity.tags] or None


def describe_boundary(identity: Identity) -> Output | None:
    """Return the boundary of an identity as outputs have it."""
    if identity.boundary is None:
        return None
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": identity.boundary}
