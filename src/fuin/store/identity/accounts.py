"""The accounts of this server."""

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from fuin.store.engine import schema
from fuin.store.errors import AlreadyExists, NotFound

_a = schema.accounts
AWS = "aws"  # owner of AWS's managed policies; nobody acts in this account, and it is not one of this server's
_FIND = select(_a.c.created).where(_a.c.account == schema.parameter("p_account"), _a.c.account != AWS)
_LIST = select(_a.c.account).where(_a.c.account != AWS).order_by(_a.c.account)


def insert_account(conn: Connection, account: str, created: float) -> None:
    """Add an account of twelve digits; raises AlreadyExists."""
    try:
        conn.execute(_a.insert(), {"account": account, "created": created})
    except IntegrityError:
        raise AlreadyExists(f"account {account}") from None


def account_exists(conn: Connection, account: str) -> bool:
    """Return whether the account is one of this server's."""
    return conn.execute(_FIND, {"p_account": account}).first() is not None


def creation_time(conn: Connection, account: str) -> float:
    """Return when an account of this server's was added, in seconds since 1970."""
    return float(conn.execute(_FIND, {"p_account": account}).scalar_one())


def check_account(conn: Connection, account: str) -> None:
    """Raise NotFound unless the account is one of this server's."""
    if not account_exists(conn, account):
        raise NotFound(f"account {account}")


def list_accounts(conn: Connection) -> list[str]:
    """Return the numbers of all accounts."""
    return list(conn.execute(_LIST).scalars())
