"""GetAccountAuthorizationDetails: every user, group, role and policy with its details, in pages over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fuin.gate import lists
from fuin.identity.iam import attachments, entities, groups, instance_profiles, managed_policies, paging, roles, users
from fuin.store.identity import groups as memberships
from fuin.store.identity import identities, inline_policies
from fuin.store.identity import managed_policies as rows
from fuin.store.identity.groups import Group
from fuin.store.identity.identities import Identity
from fuin.store.identity.managed_policies import ManagedPolicy
from fuin.store.identity.roles import Role, existing_role, last_use
from fuin.store.identity.users import User

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output

T = TypeVar("T", bound=Identity)

_KINDS: dict[str, type[Identity]] = {
    "Group": Group, "LocalManagedPolicy": ManagedPolicy, "Role": Role, "User": User,
}  # fmt: skip
_AT_MOST = 100  # on a page; AWS: "IAM might return fewer than the MaxItems number of results". Each has much to read.


async def get_account_authorization_details(call: Call, given: Given) -> Output:
    """Return a page of everything in the account, with all policy documents."""
    await call.consult(entities.permit, "*")
    wanted = given.get("Filter") or [*_KINDS, "AWSManagedPolicy"]
    kinds = [kind for name, kind in _KINDS.items() if name in wanted]
    return await lists.page(call, _page, call.account, given, kinds, "AWSManagedPolicy" in wanted)


def _page(conn: Connection, account: str, given: Given, kinds: Sequence[type[Identity]], aws: bool) -> Output:
    """Return a page; it has only those policies of AWS that a user, group or role of the account has."""
    fewer = {**given, "MaxItems": min(given.get("MaxItems", _AT_MOST), _AT_MOST)}
    after, limit = paging.bounds(fewer)
    found = [identity for kind in kinds for identity in _list_after(conn, kind, account, after, limit + 1)]
    used = rows.policies_of_aws(conn, account) if aws else []
    found += [policy for policy in used if policy.attachments or policy.boundaries]
    page = paging.page_of_all(fewer, "shown", found, _place, lambda one: one)
    shown: list[Identity] = page.pop("shown")
    for member, kind, detail in _DETAILS:
        page[member] = [detail(conn, one, account) for one in shown if isinstance(one, kind)]
    return page


def _place(one: Identity) -> str:
    """Return the place of one in the order of all; an account's policy may have the name of one of AWS's."""
    return f"{one.kind}/{one.name} {one.account}"


def _list_after(conn: Connection, kind: type[T], account: str, after: str, limit: int) -> list[T]:
    """Return up to `limit` of a kind after a place in the order, and perhaps the one at the place."""
    last, _, rest = after.partition("/")
    if kind.kind < last:
        return []
    name = rest.partition(" ")[0] if kind.kind == last else ""
    return identities.page(conn, kind, account, after=name, limit=limit)


def _policies_of(conn: Connection, owner: Identity) -> Output:
    inline = [
        {"PolicyName": name, "PolicyDocument": entities.encode_document(document)}
        for name, document in zip(
            inline_policies.list_names(conn, owner.id), inline_policies.list_documents(conn, owner.id), strict=True
        )
    ]
    attached = [
        attachments.describe_attached(rows.policy_by_id(conn, policy)) for policy in rows.list_attached(conn, owner.id)
    ]
    return {f"{owner.kind.capitalize()}PolicyList": inline, "AttachedManagedPolicies": attached}


def _user(conn: Connection, light: Identity, _account: str) -> Output:
    user = identities.get(conn, User, light.account, light.name)
    names = [group.name for group in memberships.groups_of(conn, user.id)]
    return {**users.describe(user), **_policies_of(conn, user), "GroupList": names}


def _group(conn: Connection, group: Group, _account: str) -> Output:
    return {**groups.describe(group), **_policies_of(conn, group)}


def _role(conn: Connection, light: Identity, _account: str) -> Output:
    role = existing_role(conn, light)
    shown = roles.describe(role, last_use(conn, role.id))
    for name in ("Description", "MaxSessionDuration"):  # which the details have not
        del shown[name]
    return {**shown, **_policies_of(conn, light), "InstanceProfileList": instance_profiles.describe_of_role(conn, role)}


def _policy(conn: Connection, light: Identity, account: str) -> Output:
    policy = rows.policy_by_id(conn, light.id, account)
    shown = managed_policies.describe(policy)
    del shown["Tags"]
    versions = [
        managed_policies.describe_version(policy, version, entities.encode_document(version.document))
        for version in rows.list_versions(conn, policy.id)
    ]
    return {**shown, "PolicyVersionList": versions}


_DETAILS: tuple[tuple[str, type[Identity], Callable[[Connection, Any, str], Output]], ...] = (
    ("UserDetailList", User, _user),
    ("GroupDetailList", Group, _group),
    ("RoleDetailList", Role, _role),
    ("Policies", ManagedPolicy, _policy),
)
