"""What is in force now, under the names people know: identities with all their policies, keys and buckets as cases.

The gate reads the same rows through the catalog, as documents without names. Nothing here is on a request's way but
that of IAM's simulations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fuin import ids
from fuin.access import public_access
from fuin.access.case import Case, Sheet
from fuin.access.kinds import PolicyKind
from fuin.access.principal import Principal, account_root
from fuin.store.catalog import ROOTS
from fuin.store.identity import accounts, groups, identities, inline_policies, managed_policies, roles, users
from fuin.store.kms import aliases, grants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from fuin.access.case import Rule
    from fuin.access.grants import Grant
    from fuin.store.identity.identities import Identity
    from fuin.store.kms.keys import Key
    from fuin.store.s3.buckets import Bucket

ANY_SESSION = "*"  # the session's name where any session of a role is meant
_ALIASES_AT_MOST = 50
_GRANTS_PER_PAGE = 1000
_INLINE = {
    identities.USER: PolicyKind.IDENTITY, identities.GROUP: PolicyKind.GROUP, identities.ROLE: PolicyKind.ROLE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Holder:
    """A principal with its own policies and its boundary; `owner` is what people call it."""

    principal: Principal
    owner: str
    policies: tuple[Sheet, ...] = ()
    boundary: Sheet | None = None

    @property
    def session(self) -> tuple[Sheet, ...]:
        """Return the policies of its session, which no table holds: they are part of the principal."""
        found = enumerate(self.principal.session_policies, 1)
        return tuple(Sheet(f"session policy {number}", PolicyKind.SESSION, text) for number, text in found)

    def of_key(self, key: Key, of_key: tuple[Grant, ...]) -> Case:
        """Return the case of a key; `of_key` are the key's grants, at least those to this principal."""
        sheet = Sheet("key policy", PolicyKind.KEY, key.policy)
        return self._case("key", key.account, sheet, of_key)

    def of_bucket(self, bucket: Bucket) -> Case:
        """Return the case of a bucket or of an object in it."""
        sheet = None if bucket.policy is None else Sheet("bucket policy", PolicyKind.BUCKET, bucket.policy)
        block = public_access.of_setting(bucket.setting(public_access.SETTING))
        return replace(self._case("bucket", bucket.account, sheet), block=block)

    def of_own(self, account: str) -> Case:
        """Return the case of what only the principal's own policies govern."""
        return self._case("identity", account, None)

    def _case(self, rule: Rule, account: str, sheet: Sheet | None, given: tuple[Grant, ...] = ()) -> Case:
        return Case(rule, account, self.owner, sheet, self.policies, self.boundary, self.session, given)


def holders(conn: Connection) -> Iterator[Holder]:
    """Yield every principal that this server knows: the root, the users and the roles of each account."""
    for account in accounts.list_accounts(conn):
        yield root(account)
        for user in identities.page(conn, users.User, account):
            yield of_identity(conn, replace(user, tags=identities.list_tags(conn, user.id)))
        for role in roles.page_roles(conn, account):
            yield of_identity(conn, replace(role, tags=identities.list_tags(conn, role.id)))


def root(account: str) -> Holder:
    """Return an account's root, which has no policies of its own."""
    return Holder(account_root(account), f"the root of account {account}")


def of_identity(conn: Connection, identity: Identity) -> Holder:
    """Return a user, or any session of a role, with the policies that are in force for it."""
    owner = f"{identity.kind} {identity.name}"
    policies = list(_of_one(conn, identity))
    if identity.kind == identities.USER:
        principal = Principal(
            "user", identity.arn, identity.account, identity.id, identity.name, tags=identity.tags
        )  # fmt: skip
        for group in groups.groups_of(conn, identity.id):
            policies += _of_one(conn, group)
    else:
        principal = role_session(identity, ANY_SESSION)
    document = managed_policies.boundary_of(conn, identity.id)
    boundary = None
    if document is not None:
        label, name = f"permissions boundary {identity.boundary} of {owner}", str(identity.boundary).rpartition("/")[2]
        boundary = Sheet(label, PolicyKind.BOUNDARY, document, source=name)
    return Holder(principal, owner, tuple(policies), boundary)


def role_session(role: Identity, session: str) -> Principal:
    """Return the principal of a role's session without policies and tags of its own."""
    return Principal(
        "role", ids.session_arn(role.account, role.name, session), role.account, f"{role.id}:{session}", role.name,
        identity_arn=role.arn, tags=role.tags, session=session,
    )  # fmt: skip


def federated_user(account: str, name: str, whose: Holder | None = None) -> Holder:
    """Return a federated user with the policies of the user or root whose it is; without those, it has none."""
    arn, unique, owner = ids.federated_arn(account, name), f"{account}:{name}", f"federated user {name}"
    if whose is None:
        return Holder(Principal("federated", arn, account, unique, name, session=name), owner)
    user = whose.principal
    of = "" if user.kind == "root" else user.arn
    principal = Principal(
        "federated", arn, account, unique, name, of, user.tags, session=name, issuer=user.id
    )  # fmt: skip
    roots = (Sheet(f"rights of {whose.owner}", PolicyKind.MANAGED, ROOTS[0]),)
    return replace(whose, principal=principal, owner=owner, policies=roots if user.kind == "root" else whose.policies)


def find(conn: Connection, arn: str) -> Holder | None:
    """Return the principal of an ARN: an account's root, a user, a role or one of its sessions, a federated user.

    A federated user comes without policies: whose it is, only its session knows.
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
        return None if user is None or user.arn != arn else of_identity(conn, user)
    name, _, session = name.partition("/")
    role = identities.find(conn, roles.Role, account, name)
    if role is None or kind not in {"role", "assumed-role"} or (kind == "role" and role.arn != arn):
        return None
    found = of_identity(conn, role)
    return replace(found, principal=role_session(role, session)) if session else found


def group_policies(conn: Connection, group: Identity) -> tuple[Sheet, ...]:
    """Return the policies of a group, which is no principal."""
    return tuple(_of_one(conn, group))


def _of_one(conn: Connection, identity: Identity) -> Iterator[Sheet]:
    """Yield what a user, group or role has itself."""
    owner = f"{identity.kind} {identity.name}"
    for name in inline_policies.list_names(conn, identity.id):
        document = inline_policies.find(conn, identity.id, name) or ""
        source = f"{identity.kind}_{identity.name}_{name}"
        yield Sheet(f'policy "{name}" of {owner}', _INLINE[identity.kind], document, source=source)
    for policy_id in managed_policies.list_attached(conn, identity.id):
        policy = managed_policies.policy_by_id(conn, policy_id)
        document = managed_policies.default_document(conn, policy_id)
        label = f"policy {policy.arn} attached to {owner}"
        yield Sheet(label, PolicyKind.MANAGED, document, source=policy.name)


def all_grants(conn: Connection, key: Key) -> tuple[Grant, ...]:
    """Return all grants of a key, of which there may be 50,000."""
    found: list[Grant] = []
    while True:
        after = found[-1].grant_id if found else ""
        page = grants.list_grants(conn, key.key_id, key.region, None, after, _GRANTS_PER_PAGE)
        found += page
        if len(page) < _GRANTS_PER_PAGE:
            return tuple(found)


def key_facts(conn: Connection, key: Key) -> dict[str, str | tuple[str, ...]]:
    """Return the condition keys that follow from a key itself, as `kms/rights.py` brings them."""
    facts: dict[str, str | tuple[str, ...]] = {
        "kms:KeySpec": key.spec, "kms:CustomerMasterKeySpec": key.spec, "kms:KeyUsage": key.usage,
        "kms:CustomerMasterKeyUsage": key.usage, "kms:KeyOrigin": key.origin,
        "kms:MultiRegion": "true" if key.multi_region else "false",
    }  # fmt: skip
    if key.primary_region is not None:
        facts["kms:MultiRegionKeyType"] = "PRIMARY" if key.primary_region == key.region else "REPLICA"
    named = aliases.list_aliases(conn, key.account, key.region, key.key_id, "", _ALIASES_AT_MOST)
    if named:
        facts["kms:ResourceAliases"] = tuple(alias.name for alias in named)
    return facts | {f"aws:ResourceTag/{name}": value for name, value in key.tags}
