"""Users."""

from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import Connection, select

from fuin.access.principal import Principal
from fuin.store.engine import schema
from fuin.store.errors import StillUsed
from fuin.store.identity import groups, identities, inline_policies, login_profiles, managed_policies, principals
from fuin.store.identity.identities import Identity

_k = schema.access_keys
_KEYS = select(_k.c.access_key_id).where(
    _k.c.account == schema.parameter("p_account"), _k.c.user_id == schema.parameter("p_id")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class User(Identity):
    """A user of an account."""

    kind: ClassVar[str] = identities.USER


def user_principal(user: User) -> Principal:
    """Return the principal of a user's requests."""
    return Principal("user", user.arn, user.account, user.id, user.name, tags=user.tags)


def insert_user(conn: Connection, user: User, at_most: int | None = None) -> None:
    """Add a user; raises NotFound (account, boundary), AlreadyExists or TooMany."""
    identities.insert(conn, user, at_most)


def find_user(conn: Connection, account: str, name: str) -> User | None:
    """Return a user by name."""
    return identities.find(conn, User, account, name)


def rename_user(conn: Connection, account: str, name: str, new_name: str, new_path: str | None) -> None:
    """Give a user another name or path; references to it follow. Raises NotFound or AlreadyExists."""
    user = identities.get(conn, User, account, name)
    identities.rename(conn, user, new_name, user.path if new_path is None else new_path)
    principals.replace_arn(conn, user, identities.get(conn, User, account, new_name))


def put_user_policy(conn: Connection, account: str, name: str, document: str) -> None:
    """Replace the inline policy that the command line gives a user; raises NotFound."""
    inline_policies.put(conn, identities.get(conn, User, account, name).id, inline_policies.INLINE, document)


def delete_user(conn: Connection, account: str, name: str) -> None:
    """Remove a user without groups, keys and policies; raises NotFound or StillUsed (what must be removed first).

    Grants and policies that name it then name its id: a new user of the same name gets no rights from them.
    """
    user = identities.get(conn, User, account, name)
    if conn.execute(_KEYS, {"p_account": account, "p_id": user.id}).first() is not None:
        raise StillUsed("access keys")
    if login_profiles.find_profile(conn, user.id) is not None:
        raise StillUsed("login profile")
    if groups.groups_of(conn, user.id):
        raise StillUsed("groups")
    groups.check_without_policies(conn, user)
    identities.delete_identity(conn, user.id)
    principals.replace_arn_by_id(conn, user)


def policies_of(conn: Connection, user_id: str) -> tuple[str, ...]:
    """Return every document that gives a user rights: inline and attached, its own and its groups'."""
    owners = (user_id, *(group.id for group in groups.groups_of(conn, user_id)))
    return tuple(
        document
        for owner in owners
        for document in (
            *inline_policies.list_documents(conn, owner),
            *managed_policies.attached_documents(conn, owner),
        )
    )
