"""Groups of users, and their members."""

from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import IntegrityError

from fuin.store.engine import schema
from fuin.store.errors import NotFound, StillUsed, TooMany
from fuin.store.identity import identities, inline_policies, managed_policies
from fuin.store.identity.identities import Identity

_i, _m = schema.identities, schema.memberships
_ID = schema.parameter("p_id")
_MEMBERS = select(_m.c.user_id).join(_i, _i.c.id == _m.c.user_id).where(_m.c.group_id == _ID).order_by(_i.c.name)
_GROUPS = select(_m.c.group_id).join(_i, _i.c.id == _m.c.group_id).where(_m.c.user_id == _ID).order_by(_i.c.name)
_REMOVE = delete(_m).where(_m.c.user_id == _ID, _m.c.group_id == schema.parameter("p_group"))


@dataclass(frozen=True, slots=True)
class Group(Identity):
    """A group of users; it is not a principal."""

    kind: ClassVar[str] = identities.GROUP


def add_member(conn: Connection, user_id: str, group_id: str, at_most: int) -> None:
    """Put a user into a group, where it may be already; raises TooMany when it is in `at_most` groups."""
    if any(group.id == group_id for group in groups_of(conn, user_id)):
        return
    if len(groups_of(conn, user_id)) >= at_most:
        raise TooMany("groups", at_most)
    try:
        conn.execute(_m.insert(), {"user_id": user_id, "group_id": group_id})
    except IntegrityError:
        raise NotFound(user_id) from None


def remove_member(conn: Connection, user_id: str, group_id: str) -> None:
    """Take a user out of a group; raises NotFound."""
    if conn.execute(_REMOVE, {"p_id": user_id, "p_group": group_id}).rowcount == 0:
        raise NotFound(user_id)


def members(conn: Connection, group_id: str) -> list[str]:
    """Return the ids of a group's users, by name."""
    return list(conn.execute(_MEMBERS, {"p_id": group_id}).scalars())


def groups_of(conn: Connection, user_id: str) -> list[Group]:
    """Return a user's groups by name."""
    found = [identities.find_by_id(conn, Group, group) for group in conn.execute(_GROUPS, {"p_id": user_id}).scalars()]
    return [group for group in found if group is not None]


def delete_group(conn: Connection, account: str, name: str) -> None:
    """Remove a group without members and policies; raises NotFound or StillUsed."""
    group = identities.get(conn, Group, account, name)
    if members(conn, group.id):
        raise StillUsed("members")
    check_without_policies(conn, group)
    identities.delete_identity(conn, group.id)


def check_without_policies(conn: Connection, identity: Identity) -> None:
    """Raise StillUsed when a user, group or role has inline or attached policies."""
    if inline_policies.list_names(conn, identity.id):
        raise StillUsed("policies")
    if managed_policies.list_attached(conn, identity.id):
        raise StillUsed("attached policies")
