"""The principals of this server with all policies in force, with the names that people know.

The gate reads the same rows through the catalog, as documents without names. Only IAM's simulations, of all requests,
use this module.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fuin import ids
from fuin.access.kinds import PolicyKind
from fuin.access.principal import Principal, account_root
from fuin.advice.case import Case, LabelledPolicy
from fuin.store.catalog import ROOTS
from fuin.store.identity import accounts, groups, identities, inline_policies, managed_policies, roles, users
from fuin.store.kms import aliases, grants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from fuin.access.grants import Grant
    from fuin.access.resources.resource import KeyProperties, Resource
    from fuin.store.identity.identities import Identity
    from fuin.store.kms.keys import Key

ANY_SESSION = "*"  # the session name that means any session of a role
_ALIASES_AT_MOST = 50
_GRANTS_PER_PAGE = 1000
_INLINE = {
    identities.USER: PolicyKind.IDENTITY, identities.GROUP: PolicyKind.GROUP, identities.ROLE: PolicyKind.ROLE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PrincipalInForce:
    """A principal with its own policies and its boundary; `owner` is the name that people know."""

    principal: Principal
    owner: str
    policies: tuple[LabelledPolicy, ...] = ()
    boundary: LabelledPolicy | None = None

    @property
    def session(self) -> tuple[LabelledPolicy, ...]:
        """Return the policies of its session; they are part of the principal, not of a table."""
        found = enumerate(self.principal.session_policies, 1)
        return tuple(LabelledPolicy(f"session policy {number}", PolicyKind.SESSION, text) for number, text in found)

    def case(self, resource: Resource, grants: tuple[Grant, ...] = ()) -> Case:
        """Return the case of a resource; `grants` are the grants of a key, at least those to this principal."""
        kind, document = resource.kind, resource.policy
        policy = None if kind is None or document is None else LabelledPolicy(kind.value, kind, document)
        return Case(resource, self.owner, policy, self.policies, self.boundary, self.session, grants)


def holders(conn: Connection) -> Iterator[PrincipalInForce]:
    """Yield every principal of this server: the root, the users and the roles of each account."""
    for account in accounts.list_accounts(conn):
        yield root(account)
        for user in identities.page(conn, users.User, account):
            yield identity_in_force(conn, replace(user, tags=identities.list_tags(conn, user.id)))
        for role in roles.page_roles(conn, account):
            yield identity_in_force(conn, replace(role, tags=identities.list_tags(conn, role.id)))


def root(account: str) -> PrincipalInForce:
    """Return an account's root, which has no policies of its own."""
    return PrincipalInForce(account_root(account), f"the root of account {account}")


def identity_in_force(conn: Connection, identity: Identity) -> PrincipalInForce:
    """Return a user, or any session of a role, with the policies that are in force for it."""
    owner = f"{identity.kind} {identity.name}"
    policies = list(_own_policies(conn, identity))
    if identity.kind == identities.USER:
        principal = Principal(
            "user", identity.arn, identity.account, identity.id, identity.name, tags=identity.tags
        )  # fmt: skip
        for group in groups.groups_of(conn, identity.id):
            policies += _own_policies(conn, group)
    else:
        principal = role_session(identity, ANY_SESSION)
    document = managed_policies.boundary_of(conn, identity.id)
    boundary = None
    if document is not None:
        label, name = f"permissions boundary {identity.boundary} of {owner}", str(identity.boundary).rpartition("/")[2]
        boundary = LabelledPolicy(label, PolicyKind.BOUNDARY, document, source=name)
    return PrincipalInForce(principal, owner, tuple(policies), boundary)


def role_session(role: Identity, session: str) -> Principal:
    """Return the principal of a role session that has no policies and tags of its own."""
    return Principal(
        "role", ids.session_arn(role.account, role.name, session), role.account, f"{role.id}:{session}", role.name,
        identity_arn=role.arn, tags=role.tags, session=session,
    )  # fmt: skip


def federated_user(account: str, name: str, whose: PrincipalInForce | None = None) -> PrincipalInForce:
    """Return a federated user with the policies of its user or root (`whose`), or without policies."""
    arn, unique, owner = ids.federated_arn(account, name), f"{account}:{name}", f"federated user {name}"
    if whose is None:
        return PrincipalInForce(Principal("federated", arn, account, unique, name, session=name), owner)
    user = whose.principal
    of = "" if user.kind == "root" else user.arn
    principal = Principal(
        "federated", arn, account, unique, name, of, user.tags, session=name, issuer=user.id
    )  # fmt: skip
    roots = (LabelledPolicy(f"rights of {whose.owner}", PolicyKind.MANAGED, ROOTS[0]),)
    return replace(whose, principal=principal, owner=owner, policies=roots if user.kind == "root" else whose.policies)


def find(conn: Connection, arn: str) -> PrincipalInForce | None:
    """Return the principal of an ARN: an account's root, a user, a role or one of its sessions, a federated user.

    A federated user has no policies here: only its session knows the user that it belongs to.
    """
    parts = arn.split(":", 5)
    if len(parts) != 6:
        return None
    account, (kind, _, name) = parts[4], parts[5].partition("/")
    name = name.rpartition("/")[2] if kind != "assumed-role" else name
    if kind == "root":
        return root(account) if accounts.account_exists(conn, account) else None
    if kind == "federated-user":
        return federated_user(account, name) if accounts.account_exists(conn, account) else None
    if kind == "user":
        user = identities.find(conn, users.User, account, name)
        return None if user is None or user.arn != arn else identity_in_force(conn, user)
    name, _, session = name.partition("/")
    role = identities.find(conn, roles.Role, account, name)
    if role is None or kind not in {"role", "assumed-role"} or (kind == "role" and role.arn != arn):
        return None
    found = identity_in_force(conn, role)
    return replace(found, principal=role_session(role, session)) if session else found


def group_policies(conn: Connection, group: Identity) -> tuple[LabelledPolicy, ...]:
    """Return the policies of a group; a group is not a principal."""
    return tuple(_own_policies(conn, group))


def _own_policies(conn: Connection, identity: Identity) -> Iterator[LabelledPolicy]:
    """Yield the inline and attached policies of a user, group or role."""
    owner = f"{identity.kind} {identity.name}"
    for name in inline_policies.list_names(conn, identity.id):
        document = inline_policies.find(conn, identity.id, name) or ""
        source = f"{identity.kind}_{identity.name}_{name}"
        yield LabelledPolicy(f'policy "{name}" of {owner}', _INLINE[identity.kind], document, source=source)
    for policy_id in managed_policies.list_attached(conn, identity.id):
        policy = managed_policies.policy_by_id(conn, policy_id)
        document = managed_policies.default_document(conn, policy_id)
        label = f"policy {policy.arn} attached to {owner}"
        yield LabelledPolicy(label, PolicyKind.MANAGED, document, source=policy.name)


def all_grants(conn: Connection, key: Key) -> tuple[Grant, ...]:
    """Return all grants of a key, of which there may be 50,000."""
    found: list[Grant] = []
    while True:
        after = found[-1].grant_id if found else ""
        page = grants.list_grants(conn, key.key_id, key.region, None, after, _GRANTS_PER_PAGE)
        found += page
        if len(page) < _GRANTS_PER_PAGE:
            return tuple(found)


class Aliases:
    """The aliases of keys, read from the database."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def aliases_of(self, key: KeyProperties) -> tuple[str, ...]:
        """Return the names of all aliases of a key."""
        read = aliases.list_aliases(self._conn, key.account, key.region, key.key_id, "", _ALIASES_AT_MOST)
        return tuple(alias.name for alias in read)
