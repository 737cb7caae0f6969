"""What is of the account as a whole, and lists of what there is nothing of here.

Infrastructure tools ask for those before they remove a user or role (Terraform's AWS provider does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.identity import entities, quotas
from fuin.identity.faults import NoSuchEntity
from fuin.store import identities

if TYPE_CHECKING:
    from fuin.gate import Call
    from fuin.identity.model import Given, Output


async def get_account_summary(call: Call, _given: Given) -> Output:
    """Return how many of everything there are, and the quotas."""
    entities.permit(call, "*")
    have = {
        kind: call.services.store.read(identities.count, call.account, kind)
        for kind in (identities.USER, identities.GROUP, identities.ROLE, identities.POLICY)
    }
    summary = {
        "Users": have["user"], "UsersQuota": quotas.USERS, "Groups": have["group"], "GroupsQuota": quotas.GROUPS,
        "Roles": have["role"], "RolesQuota": quotas.ROLES, "Policies": have["policy"],
        "PoliciesQuota": quotas.POLICIES, "AccessKeysPerUserQuota": quotas.ACCESS_KEYS,
        "GroupsPerUserQuota": quotas.GROUPS_OF_USER, "AttachedPoliciesPerUserQuota": quotas.ATTACHED["user"],
        "AttachedPoliciesPerGroupQuota": quotas.ATTACHED["group"],
        "AttachedPoliciesPerRoleQuota": quotas.ATTACHED["role"], "UserPolicySizeQuota": quotas.INLINE["user"],
        "GroupPolicySizeQuota": quotas.INLINE["group"], "RolePolicySizeQuota": quotas.INLINE["role"],
        "PolicySizeQuota": quotas.POLICY_SIZE, "VersionsPerPolicyQuota": quotas.VERSIONS,
        "AssumeRolePolicySizeQuota": quotas.TRUST_POLICY_SIZE, "MFADevices": 0, "AccountMFAEnabled": 0,
    }  # fmt: skip
    return {"SummaryMap": summary}


async def list_account_aliases(call: Call, _given: Given) -> Output:
    """Return no alias: accounts have none here."""
    entities.permit(call, "*")
    return {"AccountAliases": [], "IsTruncated": False}


async def nothing_of(kind: str, member: str, call: Call, given: Given) -> Output:
    """Return an empty list of what a user or role cannot have here: MFA devices, instance profiles, certificates …"""
    if entities.NAME_OF[kind] in given or kind == identities.ROLE:
        entities.of_kind(call, kind, given)
    else:
        entities.user(call, entities.own_name(call) or "")
    return {member: [], "IsTruncated": False}


async def no_login_profile(call: Call, given: Given) -> None:
    """Tell that a user has no password for a console: there is none."""
    user = entities.user(call, given.get("UserName") or entities.own_name(call) or "")
    raise NoSuchEntity(f"Login Profile for User {user.name} cannot be found.")
