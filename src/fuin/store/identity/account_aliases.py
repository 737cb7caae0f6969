"""Account aliases: a name for an account, one at most, that no other account of this server has."""

from sqlalchemy import Connection, delete, select

from fuin.store.engine import schema
from fuin.store.errors import AlreadyExists, NotFound
from fuin.store.identity import accounts

_a = schema.account_aliases
_ACCOUNT, _ALIAS = schema.parameter("p_account"), schema.parameter("p_alias")
_FIND = select(_a.c.alias).where(_a.c.account == _ACCOUNT)
_TAKEN = select(_a.c.account).where(_a.c.alias == _ALIAS)
_DELETE = delete(_a).where(_a.c.account == _ACCOUNT)
_DELETE_NAMED = _DELETE.where(_a.c.alias == _ALIAS)


def find_alias(conn: Connection, account: str) -> str | None:
    """Return the account's alias."""
    alias: str | None = conn.execute(_FIND, {"p_account": account}).scalar()
    return alias


def put_alias(conn: Connection, account: str, alias: str) -> None:
    """Give an account an alias in place of the one it has; raises NotFound, or AlreadyExists also for its own."""
    accounts.check_account(conn, account)
    if conn.execute(_TAKEN, {"p_alias": alias}).first() is not None:
        raise AlreadyExists(f"account alias {alias}")
    conn.execute(_DELETE, {"p_account": account})
    conn.execute(_a.insert(), {"account": account, "alias": alias})


def delete_alias(conn: Connection, account: str, alias: str) -> None:
    """Remove an alias; raises NotFound when it is not the account's."""
    if conn.execute(_DELETE_NAMED, {"p_account": account, "p_alias": alias}).rowcount == 0:
        raise NotFound(f"account alias {alias}")
