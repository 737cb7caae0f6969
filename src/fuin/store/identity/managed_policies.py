"""Managed policies: documents with versions, attached to users, groups and roles, or set as boundaries."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from sqlalchemy import Connection, and_, delete, func, select, update

from fuin.store.engine import schema
from fuin.store.errors import NotFound, StillUsed, TooMany
from fuin.store.identity import accounts, identities
from fuin.store.identity.identities import Identity

VERSIONS_AT_MOST = 5

_i, _m, _v, _a = schema.identities, schema.managed_policies, schema.policy_versions, schema.attachments
_ID, _VERSION = schema.parameter("p_id"), schema.parameter("p_version", schema.LONG)
_POLICY = schema.parameter("p_policy")
_FIND = select(_m.c.description, _m.c.updated, _m.c.default_version, _m.c.last_version).where(_m.c.id == _ID)
_SET = (
    update(_m)
    .where(_m.c.id == _ID)
    .values(
        updated=schema.parameter("p_updated", schema.TIME),
        default_version=_VERSION,
        last_version=schema.parameter("p_last", schema.LONG),
    )
)
_VERSIONS = (
    select(_v.c.version, _v.c.document, _v.c.created).where(_v.c.id == _ID).order_by(_v.c.version.desc())
)  # fmt: skip
_DELETE_VERSION = delete(_v).where(_v.c.id == _ID, _v.c.version == _VERSION)
_DEFAULT = select(_v.c.document).join(_m, and_(_m.c.id == _v.c.id, _m.c.default_version == _v.c.version))
_DOCUMENTS = _DEFAULT.join(_a, _a.c.policy == _m.c.id).where(_a.c.id == _ID).order_by(_m.c.id)
_DOCUMENT = _DEFAULT.where(_m.c.id == _ID)
_BOUNDARY = _DEFAULT.join(_i, _i.c.boundary == _m.c.id).where(_i.c.id == _ID)
_ATTACHED = select(_a.c.policy).join(_i, _i.c.id == _a.c.policy).where(_a.c.id == _ID).order_by(_i.c.name)
# Policies of AWS are attached in several accounts; each sees its own.
_IN_ACCOUNT = _i.c.account == schema.parameter("p_account")
_ATTACHED_TO = and_(_a.c.policy == _ID, _IN_ACCOUNT)
_COUNT = select(func.count()).select_from(_a.join(_i, _i.c.id == _a.c.id)).where(_ATTACHED_TO)
_DETAILS = (
    select(_m.c.id, _m.c.description, _m.c.updated, _m.c.default_version, _m.c.last_version)
    .join(_i, _i.c.id == _m.c.id)
    .where(_IN_ACCOUNT)
)
_ATTACHED_TIMES = (
    select(_a.c.policy.label("id"), func.count().label("times"))
    .join(_i, _i.c.id == _a.c.id)
    .where(_IN_ACCOUNT)
    .group_by(_a.c.policy)
)
_BOUNDED_TIMES = (
    select(_i.c.boundary.label("id"), func.count().label("times"))
    .where(_IN_ACCOUNT, _i.c.boundary.is_not(None))
    .group_by(_i.c.boundary)
)
_COUNT_VERSIONS = select(func.count()).select_from(_v.join(_i, _i.c.id == _v.c.id)).where(_IN_ACCOUNT)
_DETACH = delete(_a).where(_a.c.id == _ID, _a.c.policy == _POLICY)


@dataclass(frozen=True, slots=True)
class ManagedPolicy(Identity):
    """A managed policy; `attachments` and `boundaries` count its uses in the calling account."""

    kind: ClassVar[str] = identities.POLICY

    description: str | None = None
    updated: float = 0.0
    default_version: int = 1
    last_version: int = 1
    attachments: int = 0
    boundaries: int = 0


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of a managed policy."""

    number: int
    document: str
    created: float


def insert_policy(conn: Connection, policy: ManagedPolicy, document: str, at_most: int | None = None) -> None:
    """Add a policy with its first version; raises NotFound (the account), AlreadyExists or TooMany."""
    identities.insert(conn, policy, at_most)
    conn.execute(
        _m.insert(),
        {
            "id": policy.id, "description": policy.description, "updated": policy.created, "default_version": 1,
            "last_version": 1,
        },
    )  # fmt: skip
    conn.execute(_v.insert(), {"id": policy.id, "version": 1, "document": document, "created": policy.created})


def find_policy(conn: Connection, account: str, arn: str) -> ManagedPolicy | None:
    """Return a policy of an account, or of AWS as the account sees it, by its ARN."""
    found = identities.find(conn, ManagedPolicy, identities.policy_owner(account, arn), arn.rpartition("/")[2])
    return None if found is None or found.arn != arn else _with_tags(conn, found, account)


def policy_by_id(conn: Connection, policy_id: str, account: str | None = None) -> ManagedPolicy:
    """Return a policy by its id as an account, by default its own, sees it; raises NotFound."""
    found = identities.find_by_id(conn, ManagedPolicy, policy_id)
    if found is None:
        raise NotFound(policy_id)
    return _with_tags(conn, found, account or found.account)


def page_policies(conn: Connection, account: str, prefix: str = "/") -> list[ManagedPolicy]:
    """Return all policies of an account by name; without tags."""
    return _list_owned(conn, account, account, prefix)


def policies_of_aws(conn: Connection, account: str, prefix: str = "/") -> list[ManagedPolicy]:
    """Return the policies of AWS by name, as an account sees them."""
    return _list_owned(conn, accounts.AWS, account, prefix)


def _list_owned(conn: Connection, owner: str, account: str, prefix: str) -> list[ManagedPolicy]:
    """Return an owner's policies with only four queries: there may be 1,500, and nobody else is served meanwhile."""
    details = {row.id: row for row in conn.execute(_DETAILS, {"p_account": owner})}
    attached = {row.id: row.times for row in conn.execute(_ATTACHED_TIMES, {"p_account": account})}
    bounded = {row.id: row.times for row in conn.execute(_BOUNDED_TIMES, {"p_account": account})}
    return [
        _with_counts(policy, details[policy.id], attached.get(policy.id, 0), bounded.get(policy.id, 0))
        for policy in identities.page(conn, ManagedPolicy, owner, prefix)
    ]


def _with_counts(policy: ManagedPolicy, row: Any, attachments: int, boundaries: int) -> ManagedPolicy:
    return replace(
        policy, description=row.description, updated=row.updated, default_version=row.default_version,
        last_version=row.last_version, attachments=attachments, boundaries=boundaries,
    )  # fmt: skip


def _with_tags(conn: Connection, policy: ManagedPolicy, account: str) -> ManagedPolicy:
    row = conn.execute(_FIND, {"p_id": policy.id}).one()
    attachments = conn.execute(_COUNT, {"p_id": policy.id, "p_account": account}).scalar_one()
    return _with_counts(policy, row, int(attachments), identities.count_bounded(conn, policy.id, account))


def delete_policy(conn: Connection, policy: ManagedPolicy) -> None:
    """Remove a policy that is not attached and has one version left; raises StillUsed (which of the two)."""
    if policy.attachments or policy.boundaries:
        raise StillUsed("attached")
    if len(list_versions(conn, policy.id)) > 1:
        raise StillUsed("versions")
    identities.delete_identity(conn, policy.id)


def count_versions(conn: Connection, account: str) -> int:
    """Return how many versions an account's own policies have, all together."""
    return int(conn.execute(_COUNT_VERSIONS, {"p_account": account}).scalar_one())


def list_versions(conn: Connection, policy_id: str) -> list[PolicyVersion]:
    """Return the versions of a policy, the newest first."""
    return [PolicyVersion(*row) for row in conn.execute(_VERSIONS, {"p_id": policy_id})]


def add_version(conn: Connection, policy: ManagedPolicy, document: str, *, default: bool, now: float) -> int:
    """Add a version and return its number; raises TooMany when there are five."""
    if len(list_versions(conn, policy.id)) >= VERSIONS_AT_MOST:
        raise TooMany("versions", VERSIONS_AT_MOST)
    number = policy.last_version + 1
    conn.execute(_v.insert(), {"id": policy.id, "version": number, "document": document, "created": now})
    _set(conn, policy.id, number if default else policy.default_version, number, now)
    return number


def set_default(conn: Connection, policy: ManagedPolicy, number: int, now: float) -> None:
    """Make a version the default; raises NotFound."""
    if all(version.number != number for version in list_versions(conn, policy.id)):
        raise NotFound(f"version {number}")
    _set(conn, policy.id, number, policy.last_version, now)


def _set(conn: Connection, policy_id: str, default: int, last: int, now: float) -> None:
    conn.execute(_SET, {"p_id": policy_id, "p_version": default, "p_last": last, "p_updated": now})


def delete_version(conn: Connection, policy: ManagedPolicy, number: int) -> None:
    """Remove a version that is not the default one; raises StillUsed or NotFound."""
    if number == policy.default_version:
        raise StillUsed("default version")
    if conn.execute(_DELETE_VERSION, {"p_id": policy.id, "p_version": number}).rowcount == 0:
        raise NotFound(f"version {number}")


def attach(conn: Connection, owner: str, policy_id: str, at_most: int) -> None:
    """Attach a policy to a user, group or role (an id), which may have it already; raises TooMany."""
    have = list_attached(conn, owner)
    if policy_id in have:
        return
    if len(have) >= at_most:
        raise TooMany("attached policies", at_most)
    conn.execute(_a.insert(), {"id": owner, "policy": policy_id})


def detach(conn: Connection, owner: str, policy_id: str) -> None:
    """Take a policy away from a user, group or role; raises NotFound."""
    if conn.execute(_DETACH, {"p_id": owner, "p_policy": policy_id}).rowcount == 0:
        raise NotFound(policy_id)


def list_attached(conn: Connection, owner: str) -> list[str]:
    """Return the ids of the policies that a user, group or role has, by name."""
    return list(conn.execute(_ATTACHED, {"p_id": owner}).scalars())


def attached_documents(conn: Connection, owner: str) -> list[str]:
    """Return the documents of the policies attached to a user, group or role, each in its default version."""
    return list(conn.execute(_DOCUMENTS, {"p_id": owner}).scalars())


def default_document(conn: Connection, policy_id: str) -> str:
    """Return a policy's document in its default version; raises NotFound."""
    document: Any = conn.execute(_DOCUMENT, {"p_id": policy_id}).scalar()
    if document is None:
        raise NotFound(policy_id)
    return str(document)


def boundary_of(conn: Connection, identity_id: str) -> str | None:
    """Return the document of a user's or role's permissions boundary, in its default version."""
    document: str | None = conn.execute(_BOUNDARY, {"p_id": identity_id}).scalar()
    return document
