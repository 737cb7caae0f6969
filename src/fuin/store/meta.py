"""What the database knows of itself: the epoch, the account and region it was made for, and when."""

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from fuin.store import schema

_EPOCH = select(schema.epoch.c.value).where(schema.epoch.c.id == 1)
_LOWER = 0xFFFFFFFF
_HERE = update(schema.epoch).where(schema.epoch.c.id == 1)
_BUMP = _HERE.values(value=schema.epoch.c.value + 1)
_BUMP_RIGHTS = _HERE.values(value=schema.epoch.c.value.bitwise_or(_LOWER) + 1)
_ALL = select(schema.meta.c.name, schema.meta.c.value)
_INSERT = schema.meta.insert().values(name=schema.parameter("p_name"), value=schema.parameter("p_value"))


@dataclass(frozen=True, slots=True)
class Meta:
    """The default account and region, as the first start fixed them, and the time of it."""

    account: str
    region: str
    created: float


def epoch(conn: Connection) -> int:
    """Return the counter that every change to keys, policies, identities and buckets bumps."""
    return int(conn.execute(_EPOCH).scalar_one())


def bump_epoch(conn: Connection, *, takes_rights: bool = True) -> None:
    """Make every cached catalog stale; part of the transaction that changes something.

    The upper half of the 64 bits counts the changes that can take a right from somebody: `rights_of`.
    """
    conn.execute(_BUMP_RIGHTS if takes_rights else _BUMP)


def rights_of(epoch: int) -> int:
    """Return the part of an epoch that moves only when somebody may have lost a right."""
    return epoch >> 32


def find_meta(conn: Connection) -> Meta | None:
    """Return what the first start wrote, or None before it."""
    values: dict[str, str] = {row[0]: row[1] for row in conn.execute(_ALL)}
    if "account" not in values:
        return None
    return Meta(values["account"], values["region"], float(values["created"]))


def insert_meta(conn: Connection, meta: Meta) -> None:
    """Write the values of the first start; a second time is an integrity error."""
    rows = {"account": meta.account, "region": meta.region, "created": repr(meta.created)}
    conn.execute(_INSERT, [{"p_name": name, "p_value": value} for name, value in rows.items()])
