"""The account as a whole, and lists of resources that do not exist here, which are empty.

Infrastructure tools ask for these lists before they remove a user or role (Terraform's AWS provider does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin import ids
from fuin.gate import lists
from fuin.identity.iam import entities, quotas
from fuin.identity.wire.faults import QueryFault
from fuin.store.errors import AlreadyExists, NotFound
from fuin.store.identity import access_keys, account_aliases, identities, managed_policies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output


_NONE_OF = (
    "AccountPasswordPresent", "AccountSigningCertificatesPresent", "MFADevicesInUse", "Providers",
    "ServerCertificates",
)  # fmt: skip
_COUNTED = (
    identities.USER, identities.GROUP, identities.ROLE, identities.POLICY, identities.INSTANCE_PROFILE,
)  # fmt: skip


async def get_account_summary(call: Call, _given: Given) -> Output:
    """Return the numbers of users, groups, roles and so on, and the quotas."""
    await call.consult(entities.permit, "*")
    return {"SummaryMap": await lists.page(call, _summary, call.account)}


def _summary(conn: Connection, account: str) -> dict[str, int]:
    have = {kind: identities.count(conn, account, kind) for kind in _COUNTED}
    roots = access_keys.list_of_user(conn, account, None)
    return {
        "Users": have["user"], "UsersQuota": quotas.USERS, "Groups": have["group"], "GroupsQuota": quotas.GROUPS,
        "Roles": have["role"], "RolesQuota": quotas.ROLES, "Policies": have["policy"],
        "PoliciesQuota": quotas.POLICIES, "InstanceProfiles": have["instance-profile"],
        "InstanceProfilesQuota": quotas.INSTANCE_PROFILES, "AccessKeysPerUserQuota": quotas.ACCESS_KEYS,
        "GroupsPerUserQuota": quotas.GROUPS_OF_USER, "AttachedPoliciesPerUserQuota": quotas.ATTACHED["user"],
        "AttachedPoliciesPerGroupQuota": quotas.ATTACHED["group"],
        "AttachedPoliciesPerRoleQuota": quotas.ATTACHED["role"], "UserPolicySizeQuota": quotas.INLINE["user"],
        "GroupPolicySizeQuota": quotas.INLINE["group"], "RolePolicySizeQuota": quotas.INLINE["role"],
        "PolicySizeQuota": quotas.POLICY_SIZE, "VersionsPerPolicyQuota": quotas.VERSIONS,
        "AssumeRolePolicySizeQuota": quotas.TRUST_POLICY_SIZE, "MFADevices": 0, "AccountMFAEnabled": 0,
        "AccountAccessKeysPresent": int(bool(roots)),
        "PolicyVersionsInUse": managed_policies.count_versions(conn, account),
        **dict.fromkeys(_NONE_OF, 0),
    }  # fmt: skip


async def list_account_aliases(call: Call, _given: Given) -> Output:
    """Return the account's alias, if it has one."""
    await call.consult(entities.permit, "*")
    alias = await call.services.store.read(account_aliases.find_alias, call.account)
    return {"AccountAliases": [alias] if alias else [], "IsTruncated": False}


async def create_account_alias(call: Call, given: Given) -> None:
    """Give the account an alias; AWS: it replaces the present one."""
    await call.consult(entities.permit, "*")
    await call.announce("change")
    try:
        await call.write(account_aliases.put_alias, call.account, given["AccountAlias"])
    except AlreadyExists:
        raise QueryFault("EntityAlreadyExists", f"The account alias {given['AccountAlias']} already exists.") from None


async def delete_account_alias(call: Call, given: Given) -> None:
    """Remove the account's alias, which the request must name."""
    await call.consult(entities.permit, "*")
    await call.announce("change")
    try:
        await call.write(account_aliases.delete_alias, call.account, given["AccountAlias"])
    except NotFound:
        raise QueryFault("NoSuchEntity", f"The account alias {given['AccountAlias']} does not exist.") from None


async def empty_list_for_user(member: str, call: Call, given: Given) -> Output:
    """Return an empty list of things that a user cannot have here: MFA devices, certificates …"""
    await call.consult(_user_or_root, given)
    return {member: [], "IsTruncated": False}


def _user_or_root(call: Call, given: Given) -> str:
    """Return the user that the request is about, by default the caller: its name, or the account of a root."""
    name = given.get("UserName") or entities.own_name(call)
    if name is not None:
        return entities.user(call, name).name
    entities.permit(call, ids.root_arn(call.account))
    return call.account


async def empty_list(member: str, resource: str, call: Call, _given: Given) -> Output:
    """Return an empty list of things that no account has here: virtual MFA devices, certificates."""
    await call.consult(entities.permit, f"arn:aws:iam::{call.account}:{resource}")
    return {member: [], "IsTruncated": False}


async def no_identity_providers(member: str, resource: str, call: Call, _given: Given) -> Output:
    """Return an empty list of identity providers, which has no pages."""
    await call.consult(entities.permit, f"arn:aws:iam::{call.account}:{resource}")
    return {member: []}
