"""Instance profiles: in AWS they give a role to a machine. Here they are only data, since there are no machines."""

from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import Connection, delete, select

from fuin.store.engine import schema
from fuin.store.errors import NotFound, StillUsed, TooMany
from fuin.store.identity import identities
from fuin.store.identity.identities import Identity

ROLES_AT_MOST = 1  # AWS: "IAM and AWS STS quotas", which nobody can have raised

_i, _p = schema.identities, schema.instance_profile_roles
_ID, _ROLE = schema.parameter("p_id"), schema.parameter("p_role")
_ROLE_OF = select(_p.c.role).where(_p.c.id == _ID)
_PROFILES_OF = select(_p.c.id).join(_i, _i.c.id == _p.c.id).where(_p.c.role == _ROLE).order_by(_i.c.name)
_REMOVE = delete(_p).where(_p.c.id == _ID, _p.c.role == _ROLE)


@dataclass(frozen=True, slots=True)
class InstanceProfile(Identity):
    """An instance profile of an account."""

    kind: ClassVar[str] = identities.INSTANCE_PROFILE


def find_profile(conn: Connection, account: str, name: str) -> InstanceProfile | None:
    """Return an instance profile by name."""
    return identities.find(conn, InstanceProfile, account, name)


def role_of(conn: Connection, profile_id: str) -> str | None:
    """Return the id of the role in a profile."""
    role: str | None = conn.execute(_ROLE_OF, {"p_id": profile_id}).scalar()
    return role


def profiles_of(conn: Connection, role_id: str) -> list[InstanceProfile]:
    """Return the profiles that hold a role, by name."""
    ids = conn.execute(_PROFILES_OF, {"p_role": role_id}).scalars().all()
    found = [identities.find_by_id(conn, InstanceProfile, profile) for profile in ids]
    return [profile for profile in found if profile is not None]


def add_role(conn: Connection, profile_id: str, role_id: str) -> None:
    """Put a role into a profile; raises TooMany when it has a role already, even the same one."""
    if role_of(conn, profile_id) is not None:
        raise TooMany("roles of an instance profile", ROLES_AT_MOST)
    conn.execute(_p.insert(), {"id": profile_id, "role": role_id})


def remove_role(conn: Connection, profile_id: str, role_id: str) -> None:
    """Take a role out of a profile; raises NotFound."""
    if conn.execute(_REMOVE, {"p_id": profile_id, "p_role": role_id}).rowcount == 0:
        raise NotFound(role_id)


def delete_profile(conn: Connection, profile_id: str) -> None:
    """Remove a profile without a role; raises StillUsed."""
    if role_of(conn, profile_id) is not None:
        raise StillUsed("instance profiles")
    identities.delete_identity(conn, profile_id)
