"""Credential reports: the credentials of an account's users and its root, and the last report."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from fuin import ids
from fuin.store.engine import schema
from fuin.store.identity import accounts, identities, login_profiles
from fuin.store.identity.access_keys import LastAccessKeyUse
from fuin.store.identity.login_profiles import LoginProfile

_i, _k, _u = schema.identities, schema.access_keys, schema.access_key_uses
_l, _r = schema.login_profiles, schema.credential_reports
_ACCOUNT = schema.parameter("p_account")
_USERS = (
    select(_i.c.id, _i.c.name, _i.c.path, _i.c.created.label("since"), _l.c.created, _l.c.changed, _l.c.reset_required)
    .select_from(_i.outerjoin(_l, _l.c.id == _i.c.id))
    .where(_i.c.account == _ACCOUNT, _i.c.kind == identities.USER)
    .order_by(_i.c.folded)
)
_KEYS = (
    select(_k.c.user_id, _k.c.active, _k.c.created, _u.c.used, _u.c.service, _u.c.region)
    .select_from(_k.outerjoin(_u, _u.c.access_key_id == _k.c.access_key_id))
    .where(_k.c.account == _ACCOUNT)
    .order_by(_k.c.access_key_id)
)
_FIND = select(_r.c.generated, _r.c.content).where(_r.c.account == _ACCOUNT)
_DELETE = delete(_r).where(_r.c.account == _ACCOUNT)


@dataclass(frozen=True, slots=True)
class ReportedKey:
    """An access key with the facts that reports show."""

    active: bool
    created: float
    use: LastAccessKeyUse | None


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of a user, or (without a name) of the account's root."""

    name: str | None
    arn: str
    created: float
    keys: tuple[ReportedKey, ...]
    login: LoginProfile | None = None


def credentials_of(conn: Connection, account: str) -> list[Credentials]:
    """Return the root's credentials and then each user's, by name; keys by their ids."""
    keys: dict[str | None, list[ReportedKey]] = defaultdict(list)
    for row in conn.execute(_KEYS, {"p_account": account}):
        use = None if row.used is None else LastAccessKeyUse(row.used, row.service, row.region)
        keys[row.user_id].append(ReportedKey(bool(row.active), row.created, use))
    root = Credentials(None, ids.root_arn(account), accounts.creation_time(conn, account), tuple(keys[None]))
    return [root] + [
        Credentials(
            row.name, ids.iam_arn(account, identities.USER, row.path, row.name), row.since, tuple(keys[row.id]),
            login_profiles.from_row(row),
        )
        for row in conn.execute(_USERS, {"p_account": account})
    ]  # fmt: skip


def find_report(conn: Connection, account: str) -> tuple[float, str] | None:
    """Return when the last report was made, in seconds since 1970, and the report."""
    row = conn.execute(_FIND, {"p_account": account}).first()
    return None if row is None else (row.generated, row.content)


def put_report(conn: Connection, account: str, generated: float, content: str) -> None:
    """Keep a report in place of the one before."""
    conn.execute(_DELETE, {"p_account": account})
    conn.execute(_r.insert(), {"account": account, "generated": generated, "content": content})
