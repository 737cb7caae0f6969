"""Accounts, users, their access keys and inline policies."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, select, update
from sqlalchemy.exc import IntegrityError

from fuin import ids
from fuin.access.principal import Principal, account_root
from fuin.store import schema
from fuin.store.errors import AlreadyExists, NotFound

INLINE = "inline"  # the name of the one policy that `fuin user policy` replaces

_accounts, _users, _keys, _policies = schema.accounts, schema.users, schema.access_keys, schema.user_policies
_ACCOUNT = schema.parameter("p_account")
_USER = schema.parameter("p_user")
_KEY = schema.parameter("p_key")
_IS_USER = and_(_users.c.account == _ACCOUNT, _users.c.name == _USER)
_OF_USER = and_(_policies.c.account == _ACCOUNT, _policies.c.user == _USER)

_FIND_ACCOUNT = select(_accounts.c.created).where(_accounts.c.account == _ACCOUNT)
_LIST_ACCOUNTS = select(_accounts.c.account).order_by(_accounts.c.account)
_FIND_USER = select(_users.c.account, _users.c.name, _users.c.user_id, _users.c.created).where(_IS_USER)
_LIST_USERS = (
    select(_users.c.account, _users.c.name, _users.c.user_id, _users.c.created)
    .where(_users.c.account == _ACCOUNT)
    .order_by(_users.c.name)
)
_DELETE_USER = delete(_users).where(_IS_USER)
_ACCESS_KEYS = select(
    _keys.c.access_key_id, _keys.c.account, _keys.c.user, _keys.c.active, _keys.c.sealed_secret, _keys.c.created,
    _users.c.user_id,
).select_from(
    _keys.outerjoin(_users, and_(_users.c.account == _keys.c.account, _users.c.name == _keys.c.user))
)  # fmt: skip
_FIND_ACCESS_KEY = _ACCESS_KEYS.where(_keys.c.access_key_id == _KEY)
_LIST_ACCESS_KEYS = _ACCESS_KEYS.where(_keys.c.account == _ACCOUNT).order_by(_keys.c.access_key_id)
_SET_ACTIVE = (
    update(_keys).where(_keys.c.access_key_id == _KEY).values(active=schema.parameter("p_active", schema.FLAG))
)
_DELETE_ACCESS_KEY = delete(_keys).where(_keys.c.access_key_id == _KEY)
_FIND_POLICIES = select(_policies.c.document).where(_OF_USER).order_by(_policies.c.name)
_DELETE_POLICIES = delete(_policies).where(_OF_USER)


@dataclass(frozen=True, slots=True)
class User:
    """A user of an account; `user_id` is the AIDA… id that outlives no deletion."""

    account: str
    name: str
    user_id: str
    created: float


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key; the secret is sealed, only the keyholder opens it. `user` is None for the account's root."""

    access_key_id: str
    account: str
    user: str | None
    active: bool
    sealed_secret: bytes
    principal: Principal
    created: float


def user_principal(user: User) -> Principal:
    """Return the principal that a user's requests come from."""
    return Principal("user", ids.user_arn(user.account, user.name), user.account, user.user_id, user.name)


def insert_account(conn: Connection, account: str, created: float) -> None:
    """Add an account of twelve digits; raises AlreadyExists."""
    try:
        conn.execute(_accounts.insert(), {"account": account, "created": created})
    except IntegrityError:
        raise AlreadyExists(f"account {account}") from None


def account_exists(conn: Connection, account: str) -> bool:
    """Tell whether the account is one of this server's."""
    return conn.execute(_FIND_ACCOUNT, {"p_account": account}).first() is not None


def list_accounts(conn: Connection) -> list[str]:
    """Return the numbers of all accounts."""
    return list(conn.execute(_LIST_ACCOUNTS).scalars())


def insert_user(conn: Connection, user: User) -> None:
    """Add a user; raises NotFound (the account) or AlreadyExists."""
    if not account_exists(conn, user.account):
        raise NotFound(f"account {user.account}")
    try:
        conn.execute(
            _users.insert(),
            {"account": user.account, "name": user.name, "user_id": user.user_id, "created": user.created},
        )
    except IntegrityError:
        raise AlreadyExists(f"user {user.name}") from None


def find_user(conn: Connection, account: str, name: str) -> User | None:
    """Return a user by name."""
    row = conn.execute(_FIND_USER, {"p_account": account, "p_user": name}).first()
    return None if row is None else User(*row)


def list_users(conn: Connection, account: str) -> list[User]:
    """Return an account's users by name."""
    return [User(*row) for row in conn.execute(_LIST_USERS, {"p_account": account})]


def delete_user(conn: Connection, account: str, name: str) -> None:
    """Remove a user with its access keys and policies; raises NotFound."""
    if conn.execute(_DELETE_USER, {"p_account": account, "p_user": name}).rowcount == 0:
        raise NotFound(f"user {name}")


def insert_access_key(
    conn: Connection, access_key_id: str, account: str, user: str | None, sealed_secret: bytes, created: float
) -> None:
    """Add an active access key of a user or of the account's root; raises NotFound (account, user) or AlreadyExists."""
    if not account_exists(conn, account):
        raise NotFound(f"account {account}")
    if user is not None and find_user(conn, account, user) is None:
        raise NotFound(f"user {user}")
    row = {
        "access_key_id": access_key_id, "account": account, "user": user, "active": 1,
        "sealed_secret": sealed_secret, "created": created,
    }  # fmt: skip
    try:
        conn.execute(_keys.insert(), row)
    except IntegrityError:
        raise AlreadyExists(f"access key {access_key_id}") from None


def _access_key(row: Any) -> AccessKey:
    access_key_id, account, user, active, sealed, created, user_id = row
    principal = account_root(account) if user is None else user_principal(User(account, user, user_id, created))
    return AccessKey(access_key_id, account, user, bool(active), sealed, principal, created)


def find_access_key(conn: Connection, access_key_id: str) -> AccessKey | None:
    """Return an access key with the principal that it stands for."""
    row = conn.execute(_FIND_ACCESS_KEY, {"p_key": access_key_id}).first()
    return None if row is None else _access_key(row)


def list_access_keys(conn: Connection, account: str) -> list[AccessKey]:
    """Return all access keys of an account: the root's and the users'."""
    return [_access_key(row) for row in conn.execute(_LIST_ACCESS_KEYS, {"p_account": account})]


def set_access_key_active(conn: Connection, access_key_id: str, active: bool) -> None:
    """Switch an access key on or off; raises NotFound."""
    if conn.execute(_SET_ACTIVE, {"p_key": access_key_id, "p_active": int(active)}).rowcount == 0:
        raise NotFound(f"access key {access_key_id}")


def delete_access_key(conn: Connection, access_key_id: str) -> None:
    """Remove an access key; raises NotFound."""
    if conn.execute(_DELETE_ACCESS_KEY, {"p_key": access_key_id}).rowcount == 0:
        raise NotFound(f"access key {access_key_id}")


def put_user_policy(conn: Connection, account: str, name: str, document: str) -> None:
    """Replace a user's inline policy; raises NotFound (the user)."""
    if find_user(conn, account, name) is None:
        raise NotFound(f"user {name}")
    delete_user_policy(conn, account, name)
    conn.execute(_policies.insert(), {"account": account, "user": name, "name": INLINE, "document": document})


def delete_user_policy(conn: Connection, account: str, name: str) -> None:
    """Remove a user's inline policy, if there is one."""
    conn.execute(_DELETE_POLICIES, {"p_account": account, "p_user": name})


def user_policies(conn: Connection, account: str, name: str) -> tuple[str, ...]:
    """Return a user's policy documents."""
    return tuple(conn.execute(_FIND_POLICIES, {"p_account": account, "p_user": name}).scalars())
