"""Access keys, their principals, and their last uses."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from fuin.access.principal import Principal, account_root
from fuin.store.engine import schema
from fuin.store.errors import AlreadyExists, NotFound, TooMany
from fuin.store.identity import accounts, identities, users

USES_EVERY = 60.0  # seconds between two uses of a key that are noted

_k, _u, _i = schema.access_keys, schema.access_key_uses, schema.identities
_KEY, _USER = schema.parameter("p_key"), schema.parameter("p_user")
_ACCOUNT = schema.parameter("p_account")
_ALL = select(_k.c.access_key_id, _k.c.account, _k.c.user_id, _k.c.active, _k.c.sealed_secret, _k.c.created)
_FIND = _ALL.where(_k.c.access_key_id == _KEY)
_LIST = _ALL.where(_k.c.account == _ACCOUNT).order_by(_k.c.access_key_id)
_OF_USER = and_(_k.c.account == _ACCOUNT, _k.c.user_id.is_not_distinct_from(_USER))
_LIST_OF_USER = _ALL.where(_OF_USER).order_by(_k.c.created, _k.c.access_key_id)
_COUNT = select(func.count()).select_from(_k).where(_OF_USER)
_SET_ACTIVE = (
    update(_k).where(_k.c.access_key_id == _KEY).values(active=schema.parameter("p_active", schema.FLAG))
)  # fmt: skip
_DELETE = delete(_k).where(_k.c.access_key_id == _KEY)
_LAST_USE = select(_u.c.used, _u.c.service, _u.c.region).where(_u.c.access_key_id == _KEY)
_DELETE_USE = delete(_u).where(_u.c.access_key_id == _KEY)


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


@dataclass(frozen=True, slots=True)
class LastAccessKeyUse:
    """When an access key was last used (seconds since 1970), for which service, in which Region."""

    used: float
    service: str
    region: str


def insert_access_key(
    conn: Connection,
    access_key_id: str,
    account: str,
    user: str | None,
    sealed_secret: bytes,
    created: float,
    at_most: int | None = None,
) -> None:
    """Add an active access key of a user or of the account's root.

    Raises NotFound (account, user), AlreadyExists, or TooMany when there are `at_most` already.
    """
    accounts.check_account(conn, account)
    user_id = None if user is None else identities.get(conn, users.User, account, user).id
    if at_most is not None:
        have = conn.execute(_COUNT, {"p_account": account, "p_user": user_id}).scalar_one()
        if have >= at_most:
            raise TooMany("access keys", at_most)
    row = {
        "access_key_id": access_key_id, "account": account, "user_id": user_id, "active": 1,
        "sealed_secret": sealed_secret, "created": created,
    }  # fmt: skip
    try:
        conn.execute(_k.insert(), row)
    except IntegrityError:
        raise AlreadyExists(f"access key {access_key_id}") from None


def _access_key(conn: Connection, row: Any) -> AccessKey:
    if row.user_id is None:
        principal, user = account_root(row.account), None
    else:
        found = identities.find_by_id(conn, users.User, row.user_id)
        if found is None:  # the foreign key forbids it
            raise NotFound(row.user_id)
        principal, user = users.user_principal(found), found.name
    return AccessKey(
        row.access_key_id, row.account, user, bool(row.active), row.sealed_secret, principal, row.created
    )  # fmt: skip


def find_access_key(conn: Connection, access_key_id: str) -> AccessKey | None:
    """Return an access key with its principal."""
    row = conn.execute(_FIND, {"p_key": access_key_id}).first()
    return None if row is None else _access_key(conn, row)


def list_access_keys(conn: Connection, account: str) -> list[AccessKey]:
    """Return all access keys of an account: the root's and the users'."""
    return [_access_key(conn, row) for row in conn.execute(_LIST, {"p_account": account})]


def list_of_user(conn: Connection, account: str, user_id: str | None) -> list[AccessKey]:
    """Return the access keys of a user (None: of the account's root), the oldest first."""
    given = {"p_account": account, "p_user": user_id}
    return [_access_key(conn, row) for row in conn.execute(_LIST_OF_USER, given)]


def set_access_key_active(conn: Connection, access_key_id: str, active: bool) -> None:
    """Switch an access key on or off; raises NotFound."""
    if conn.execute(_SET_ACTIVE, {"p_key": access_key_id, "p_active": int(active)}).rowcount == 0:
        raise NotFound(f"access key {access_key_id}")


def delete_access_key(conn: Connection, access_key_id: str) -> None:
    """Remove an access key; raises NotFound."""
    if conn.execute(_DELETE, {"p_key": access_key_id}).rowcount == 0:
        raise NotFound(f"access key {access_key_id}")


def note_use(conn: Connection, access_key_id: str, use: LastAccessKeyUse) -> None:
    """Save the last use of a key, unless a use in the same minute is saved; a deleted key is ignored.

    The last transaction wins, also with an earlier time: so a future time from a wrong clock does not stay.
    """
    known = last_use(conn, access_key_id)
    if known is not None and abs(use.used - known.used) < USES_EVERY:
        return
    if conn.execute(_FIND, {"p_key": access_key_id}).first() is None:
        return
    conn.execute(_DELETE_USE, {"p_key": access_key_id})
    conn.execute(
        _u.insert(),
        {"access_key_id": access_key_id, "used": use.used, "service": use.service, "region": use.region},
    )


def last_use(conn: Connection, access_key_id: str) -> LastAccessKeyUse | None:
    """Return the last use of a key, or None."""
    row = conn.execute(_LAST_USE, {"p_key": access_key_id}).first()
    return None if row is None else LastAccessKeyUse(*row)
