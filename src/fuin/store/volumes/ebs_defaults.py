"""What an account has set for its new volumes in a Region: encryption by default, and the key for it."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, select

from fuin.store.engine import schema

_d = schema.ebs_defaults
_IN_REGION = and_(_d.c.account == schema.parameter("p_account"), _d.c.region == schema.parameter("p_region"))
_FIND = select(_d.c.by_default, _d.c.key_id).where(_IN_REGION)
_DELETE = delete(_d).where(_IN_REGION)


@dataclass(frozen=True, slots=True)
class EbsDefaults:
    """The defaults; an empty `key_id` means alias/aws/ebs."""

    by_default: bool = True
    key_id: str = ""


def find_defaults(conn: Connection, account: str, region: str) -> EbsDefaults:
    """Return the defaults of an account in a Region."""
    row = conn.execute(_FIND, {"p_account": account, "p_region": region}).first()
    return EbsDefaults() if row is None else EbsDefaults(bool(row.by_default), row.key_id)


def set_by_default(conn: Connection, account: str, region: str, by_default: bool) -> None:
    """Switch encryption by default on or off."""
    _put(conn, account, region, EbsDefaults(by_default, find_defaults(conn, account, region).key_id))


def set_key(conn: Connection, account: str, region: str, key_id: str) -> None:
    """Set the ARN of the default key; empty goes back to alias/aws/ebs."""
    _put(conn, account, region, EbsDefaults(find_defaults(conn, account, region).by_default, key_id))


def _put(conn: Connection, account: str, region: str, defaults: EbsDefaults) -> None:
    conn.execute(_DELETE, {"p_account": account, "p_region": region})
    row = {"account": account, "region": region, "by_default": int(defaults.by_default), "key_id": defaults.key_id}
    conn.execute(_d.insert(), row)
