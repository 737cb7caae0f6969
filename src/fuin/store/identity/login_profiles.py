"""Login profiles: they say that a user has a password for a console. Passwords are not kept, since nobody signs in."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select

from fuin.store.engine import schema
from fuin.store.errors import AlreadyExists, NotFound

_l = schema.login_profiles
_ID = schema.parameter("p_id")
_FIND = select(_l.c.created, _l.c.changed, _l.c.reset_required).where(_l.c.id == _ID)
_DELETE = delete(_l).where(_l.c.id == _ID)


@dataclass(frozen=True, slots=True)
class LoginProfile:
    """When a user got a password and when it was last set (seconds since 1970), and whether to set it at sign-in."""

    created: float
    changed: float
    reset_required: bool


def find_profile(conn: Connection, user_id: str) -> LoginProfile | None:
    """Return a user's login profile."""
    return from_row(conn.execute(_FIND, {"p_id": user_id}).first())


def from_row(row: Any) -> LoginProfile | None:
    """Return the profile of a row that has its columns, or None for no row or an empty one."""
    return None if row is None or row.created is None else LoginProfile(
        row.created, row.changed, bool(row.reset_required)
    )  # fmt: skip


def insert_profile(conn: Connection, user_id: str, profile: LoginProfile) -> None:
    """Add a login profile; raises AlreadyExists."""
    if find_profile(conn, user_id) is not None:
        raise AlreadyExists(f"login profile {user_id}")
    _insert(conn, user_id, profile)


def set_profile(conn: Connection, user_id: str, changed: float | None, reset_required: bool | None) -> None:
    """Note a new password, or whether it must be set at sign-in; None leaves that as it is. Raises NotFound."""
    now = find_profile(conn, user_id)
    delete_profile(conn, user_id)
    if now is not None:
        reset = now.reset_required if reset_required is None else reset_required
        _insert(conn, user_id, LoginProfile(now.created, now.changed if changed is None else changed, reset))


def delete_profile(conn: Connection, user_id: str) -> None:
    """Remove a login profile; raises NotFound."""
    if conn.execute(_DELETE, {"p_id": user_id}).rowcount == 0:
        raise NotFound(f"login profile {user_id}")


def _insert(conn: Connection, user_id: str, profile: LoginProfile) -> None:
    row = {
        "id": user_id, "created": profile.created, "changed": profile.changed,
        "reset_required": int(profile.reset_required),
    }  # fmt: skip
    conn.execute(_l.insert(), row)
