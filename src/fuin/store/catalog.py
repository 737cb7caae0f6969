"""The catalog: keys, identities, policies and buckets in memory, for as long as nothing has changed."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

from fuin.store.identity import access_keys, identities, managed_policies, roles, users
from fuin.store.kms import aliases, grants, keys, materials
from fuin.store.s3 import buckets
from fuin.store.volumes import hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any, Protocol

    from sqlalchemy import Connection

    from fuin.access.grants import Grant
    from fuin.access.principal import Principal
    from fuin.formats.wrapped import Material
    from fuin.store.identity.access_keys import AccessKey
    from fuin.store.identity.identities import Identity
    from fuin.store.identity.roles import Role
    from fuin.store.kms.keys import Key
    from fuin.store.s3.buckets import Bucket

    class LookUp(Protocol):
        """How a catalog reads: `Store._find_entry`."""

        def __call__(self, keep: Callable[[Any], Any], fn: Callable[..., Any], /, *args: Any) -> Any:
            """Return `keep(fn(conn, *args))`, or raise NotInMemory, whose fetch does that."""


ALIASES_AT_MOST = 50  # of one key; AWS KMS quotas
ENTRIES_AT_MOST = 10_000  # per kind, found and missing each
WEIGHT_AT_MOST = 32 * 1024 * 1024  # characters of policy documents per kind
_GRANT_WEIGHT = 1024  # about what a grant takes
# The rights of a root as a policy, which root itself does not need: its federated users have them within their limits.
ROOTS = ('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}',)
MISSING_NAME_AT_MOST = 512  # characters; of a longer name that does not exist only a digest is kept


class _Shelf:
    """Entries of one kind. Missing ones are kept apart, so that guessed names never push out what is in use."""

    __slots__ = ("_find", "_found", "_look_up", "_missing", "_weigh", "_weight")

    def __init__(self, look_up: LookUp, find: Callable[..., Any], weigh: Callable[[Any], int]) -> None:
        self._look_up, self._find, self._weigh = look_up, find, weigh
        self._found: dict[Hashable, Any] = {}
        self._missing: set[Hashable] = set()
        self._weight = 0

    def get(self, *name: Hashable) -> Any:
        """Return an entry, or None when the database has no such row; raises NotInMemory."""
        entry = self._found.get(name)
        if entry is not None or name in self._missing:
            return entry
        if (digest := _digest_of_long(name)) is not None and digest in self._missing:
            return None
        return self._look_up(partial(self._keep, name), self._find, *name)

    def _keep(self, name: tuple[Hashable, ...], entry: Any) -> Any:
        """Keep the entry that the database has for a name, and return it."""
        if entry is None:
            if len(self._missing) >= ENTRIES_AT_MOST:
                self._missing.clear()
            self._missing.add(_digest_of_long(name) or name)
            return None
        weight = self._weigh(entry)
        if len(self._found) >= ENTRIES_AT_MOST or self._weight + weight > WEIGHT_AT_MOST:
            self._found.clear()
            self._weight = 0
        self._found[name] = entry
        self._weight += weight
        return entry

    def clear(self) -> None:
        self._found.clear()
        self._missing.clear()
        self._weight = 0


def _digest_of_long(name: tuple[Hashable, ...]) -> bytes | None:
    """Return a digest in place of a name that is too long to be kept: strangers can choose names that do not exist."""
    if sum(len(part) for part in name if isinstance(part, str)) <= MISSING_NAME_AT_MOST:
        return None
    return hashlib.sha256(repr(name).encode("utf-8", "surrogatepass")).digest()


class Conclusions(dict["Hashable", "Any"]):
    """A bounded dictionary: when it is full, it is emptied."""

    def keep(self, name: Hashable, conclusion: Any) -> None:
        """Keep a conclusion until the catalog's entries change."""
        if len(self) >= ENTRIES_AT_MOST:
            self.clear()
        self[name] = conclusion


def _alias_target(conn: Connection, account: str, region: str, name: str) -> str | None:
    alias = aliases.find_alias(conn, account, region, name)
    return None if alias is None else alias.key_id


def _alias_names(conn: Connection, account: str, region: str, key_id: str) -> tuple[str, ...]:
    return tuple(alias.name for alias in aliases.list_aliases(conn, account, region, key_id, "", ALIASES_AT_MOST))


def _identity_with(conn: Connection, identity_id: str) -> Identity | None:
    """Return a user or a role; the first letters of the id say which it is (IAM user guide, "Unique identifiers")."""
    kind: type[Identity] = roles.Role if identity_id.startswith("AROA") else users.User
    return identities.find_by_id(conn, kind, identity_id)


def _access_key(conn: Connection, access_key_id: str) -> AccessKey | None:
    """Return an access key of a user, of an account's root, or of a host, which IAM does not show."""
    known = access_keys.find_access_key(conn, access_key_id)
    host = hosts.find_by_access_key(conn, access_key_id) if known is None else None
    if host is None:
        return known
    return access_keys.AccessKey(
        access_key_id, host.account, None, True, host.sealed_secret, host.principal, host.created_at
    )  # fmt: skip


def _managed_document(conn: Connection, account: str, arn: str) -> str | None:
    policy = managed_policies.find_policy(conn, account, arn)
    return None if policy is None else managed_policies.default_document(conn, policy.id)


def _weight_of(bucket: Bucket) -> int:
    return len(bucket.policy or "") + sum(len(document) for _, document in bucket.settings)


def _identity_of(principal: Principal) -> str:
    """Return the unique id of a user, of a federated user's user, or of a session's role (AROA…:SESSION)."""
    return principal.issuer or principal.id.partition(":")[0]


class Catalog:
    """A read-through cache, valid for one epoch; `Store.catalog()` empties it when the epoch moves.

    Ask the store for the catalog once per request, and again after every await: its entries are never older than that
    call. All entries are immutable.
    """

    __slots__ = (
        "_access_keys", "_alias_names", "_aliases", "_boundaries", "_buckets", "_grants", "_grants_to", "_identities",
        "_keys", "_managed", "_materials", "_policies", "_role_policies", "_roles", "_service_keys", "conclusions",
    )  # fmt: skip

    def __init__(self, look_up: LookUp) -> None:
        """Make an empty catalog that fills itself through `look_up`."""
        self._access_keys = _Shelf(look_up, _access_key, lambda _: 1)
        self._policies = _Shelf(look_up, users.policies_of, lambda documents: sum(map(len, documents)))
        self._role_policies = _Shelf(look_up, roles.policies_of, lambda documents: sum(map(len, documents)))
        self._boundaries = _Shelf(look_up, managed_policies.boundary_of, len)
        self._roles = _Shelf(look_up, roles.find_role, lambda role: len(role.trust_policy))
        self._identities = _Shelf(look_up, _identity_with, lambda _: 1)
        self._managed = _Shelf(look_up, _managed_document, len)
        self._keys = _Shelf(look_up, keys.find_key, lambda key: len(key.policy))
        self._aliases = _Shelf(look_up, _alias_target, lambda _: 1)
        self._alias_names = _Shelf(look_up, _alias_names, lambda names: 1 + sum(map(len, names)))
        self._service_keys = _Shelf(look_up, keys.find_service_key, lambda _: 1)
        self._materials = _Shelf(look_up, materials.find_material, lambda material: len(material.wrapped))
        self._buckets = _Shelf(look_up, buckets.find_bucket, _weight_of)
        self._grants = _Shelf(look_up, grants.find_grant, lambda _: _GRANT_WEIGHT)
        self._grants_to = _Shelf(look_up, grants.list_grants_to, lambda found: 1 + _GRANT_WEIGHT * len(found))
        # What a service has concluded from entries alone, such as a decision without conditions; it goes with them.
        self.conclusions: Conclusions = Conclusions()

    def clear(self) -> None:
        """Forget everything."""
        for name in self.__slots__:
            getattr(self, name).clear()

    def access_key(self, access_key_id: str) -> AccessKey | None:
        """Return an access key, active or not."""
        entry: AccessKey | None = self._access_keys.get(access_key_id)
        return entry

    def user_policies(self, principal: Principal) -> tuple[str, ...]:
        """Return every policy document that gives a user rights: inline and attached, its own and its groups'.

        A federated user has the policies of the user that asked for it, limited by its session's policies; root's
        federated user has all rights within the limit.
        """
        if principal.kind == "user":
            entry: tuple[str, ...] = self._policies.get(principal.id)
            return entry
        if principal.kind != "federated":
            return ()
        return ROOTS if principal.issuer == principal.account else self._policies.get(principal.issuer)

    def role_policies(self, principal: Principal) -> tuple[str, ...]:
        """Return every policy document that gives a role's session rights: the role's, inline and attached."""
        if principal.kind != "role":
            return ()
        entry: tuple[str, ...] = self._role_policies.get(_identity_of(principal))
        return entry

    def boundary(self, principal: Principal) -> str | None:
        """Return the permissions boundary of a user or a role's session, or None."""
        if principal.kind not in {"user", "role", "federated"}:
            return None
        entry: str | None = self._boundaries.get(_identity_of(principal))
        return entry

    def role(self, account: str, name: str) -> Role | None:
        """Return a role by name; a session ends if its role was deleted and created again (with another id)."""
        entry: Role | None = self._roles.get(account, name)
        return entry

    def identity(self, identity_id: str) -> Identity | None:
        """Return a user or role by its unique id; a role's session holds this id, so it ends with the role."""
        entry: Identity | None = self._identities.get(identity_id)
        return entry

    def managed_document(self, account: str, arn: str) -> str | None:
        """Return the document of an account's managed policy, in its default version."""
        entry: str | None = self._managed.get(account, arn)
        return entry

    def key(self, key_id: str, region: str) -> Key | None:
        """Return a KMS key in any state."""
        entry: Key | None = self._keys.get(key_id, region)
        return entry

    def alias(self, account: str, region: str, name: str) -> str | None:
        """Return the id of the key that an alias (it starts with alias/) names."""
        entry: str | None = self._aliases.get(account, region, name)
        return entry

    def alias_names(self, account: str, region: str, key_id: str) -> tuple[str, ...]:
        """Return the names of all aliases of a key."""
        entry: tuple[str, ...] = self._alias_names.get(account, region, key_id)
        return entry

    def service_key(self, account: str, region: str, manager: str, service: str) -> str | None:
        """Return the id of the key managed by AWS for a service (manager AWS), or of the service's own (SERVICE)."""
        entry: str | None = self._service_keys.get(account, region, manager, service)
        return entry

    def bucket(self, name: str) -> Bucket | None:
        """Return a bucket."""
        entry: Bucket | None = self._buckets.get(name)
        return entry

    def material(self, key_id: str, region: str, material_id: bytes) -> Material | None:
        """Return wrapped key material that may be used."""
        entry: Material | None = self._materials.get(key_id, region, material_id)
        return entry

    def grants(self, key_id: str, region: str, principal: Principal) -> tuple[Grant, ...]:
        """Return a key's grants to a principal or its account: a key may have 50,000 grants to others."""
        entry: tuple[Grant, ...] = self._grants_to.get(key_id, region, principal)
        return entry

    def grant(self, grant_id: str) -> Grant | None:
        """Return a grant of any key."""
        entry: Grant | None = self._grants.get(grant_id)
        return entry
