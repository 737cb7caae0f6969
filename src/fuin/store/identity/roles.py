"""Roles: identities that others may assume, if the trust policy allows it."""

from dataclasses import dataclass, replace
from typing import ClassVar

from sqlalchemy import Connection, delete, select, update

from fuin.store.engine import schema
from fuin.store.engine.rows import ALL
from fuin.store.errors import NotFound, StillUsed
from fuin.store.identity import (
    access_keys,
    groups,
    identities,
    inline_policies,
    instance_profiles,
    managed_policies,
    principals,
)
from fuin.store.identity.identities import Identity

_r, _u = schema.roles, schema.role_uses
_ID = schema.parameter("p_id")
_FIND = select(_r.c.trust_policy, _r.c.description, _r.c.max_session_duration, _r.c.service).where(_r.c.id == _ID)
_SET = (
    update(_r)
    .where(_r.c.id == _ID)
    .values(
        trust_policy=schema.parameter("p_trust"),
        description=schema.parameter("p_description"),
        max_session_duration=schema.parameter("p_duration", schema.LONG),
    )
)


_LAST_USE = select(_u.c.used, _u.c.region).where(_u.c.id == _ID)
_DELETE_USE = delete(_u).where(_u.c.id == _ID)


@dataclass(frozen=True, slots=True)
class Role(Identity):
    """A role; `max_session_duration` is in seconds, `service` is the service of a service-linked role."""

    kind: ClassVar[str] = identities.ROLE

    trust_policy: str = ""
    description: str | None = None
    max_session_duration: int = 3600
    service: str | None = None


def insert_role(conn: Connection, role: Role, at_most: int | None = None) -> None:
    """Add a role; raises NotFound (account, boundary), AlreadyExists or TooMany."""
    identities.insert(conn, role, at_most)
    conn.execute(
        _r.insert(),
        {
            "id": role.id, "trust_policy": role.trust_policy, "description": role.description,
            "max_session_duration": role.max_session_duration, "service": role.service,
        },
    )  # fmt: skip


def find_role(conn: Connection, account: str, name: str) -> Role | None:
    """Return a role by name."""
    found = identities.find(conn, Role, account, name)
    return None if found is None else _with_tags(conn, found)


def find_role_by_id(conn: Connection, role_id: str) -> Role | None:
    """Return a role by its AROA… id."""
    found = identities.find_by_id(conn, Role, role_id)
    return None if found is None else _with_tags(conn, found)


def existing_role(conn: Connection, role: Identity) -> Role:
    """Return a role as it is now; raises NotFound when it was deleted."""
    now = find_role_by_id(conn, role.id)
    if now is None:
        raise NotFound(f"role {role.name}")
    return now


def page_roles(conn: Connection, account: str, prefix: str = "/", after: str = "", limit: int = ALL) -> list[Role]:
    """Return a page of roles by name; without tags."""
    return [_with_tags(conn, role) for role in identities.page(conn, Role, account, prefix, after, limit)]


def _with_tags(conn: Connection, role: Role) -> Role:
    trust, description, duration, service = conn.execute(_FIND, {"p_id": role.id}).one()
    return replace(
        role, trust_policy=trust, description=description, max_session_duration=duration, service=service
    )  # fmt: skip


def set_role(conn: Connection, role: Role) -> None:
    """Store a role's trust policy, description and duration as they are in `role`."""
    conn.execute(
        _SET,
        {
            "p_id": role.id, "p_trust": role.trust_policy, "p_description": role.description,
            "p_duration": role.max_session_duration,
        },
    )  # fmt: skip


def delete_role(conn: Connection, account: str, name: str) -> None:
    """Remove a role without policies and instance profiles; raises NotFound or StillUsed.

    Policies and grants that name it then name its id.
    """
    role = identities.get(conn, Role, account, name)
    if instance_profiles.profiles_of(conn, role.id):
        raise StillUsed("instance profiles")
    groups.check_without_policies(conn, role)
    identities.delete_identity(conn, role.id)
    principals.replace_arn_by_id(conn, role)


def policies_of(conn: Connection, role_id: str) -> tuple[str, ...]:
    """Return every document that gives a role rights: inline and attached."""
    return (*inline_policies.list_documents(conn, role_id), *managed_policies.attached_documents(conn, role_id))


def note_use(conn: Connection, role_id: str, used: float, region: str) -> None:
    """Save the last use of a role, unless a use in the same minute is saved; a deleted role is ignored."""
    known = last_use(conn, role_id)
    if known is not None and abs(used - known[0]) < access_keys.USES_EVERY:
        return
    if identities.find_by_id(conn, Role, role_id) is None:
        return
    conn.execute(_DELETE_USE, {"p_id": role_id})
    conn.execute(_u.insert(), {"id": role_id, "used": used, "region": region})


def last_use(conn: Connection, role_id: str) -> tuple[float, str] | None:
    """Return when a role was last used, in seconds since 1970, and in which Region; None if never."""
    row = conn.execute(_LAST_USE, {"p_id": role_id}).first()
    return None if row is None else (row.used, row.region)
