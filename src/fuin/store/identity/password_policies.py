"""The password policies of accounts: JSON that the identity service writes; an account without one has none."""

from sqlalchemy import Connection, delete, select

from fuin.store.engine import schema
from fuin.store.errors import NotFound

_p = schema.password_policies
_ACCOUNT = schema.parameter("p_account")
_FIND = select(_p.c.document).where(_p.c.account == _ACCOUNT)
_DELETE = delete(_p).where(_p.c.account == _ACCOUNT)


def find_policy(conn: Connection, account: str) -> str | None:
    """Return an account's password policy."""
    document: str | None = conn.execute(_FIND, {"p_account": account}).scalar()
    return document


def put_policy(conn: Connection, account: str, document: str) -> None:
    """Set an account's password policy in place of the one that it has."""
    conn.execute(_DELETE, {"p_account": account})
    conn.execute(_p.insert(), {"account": account, "document": document})


def delete_policy(conn: Connection, account: str) -> None:
    """Remove an account's password policy; raises NotFound."""
    if conn.execute(_DELETE, {"p_account": account}).rowcount == 0:
        raise NotFound(f"password policy of {account}")
