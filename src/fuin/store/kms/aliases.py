"""Aliases: names of keys, per account and region."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, select, update
from sqlalchemy.exc import IntegrityError

from fuin import ids
from fuin.store.engine import schema
from fuin.store.engine.errors import insert_refusal
from fuin.store.errors import NotFound

_a = schema.aliases
_IN_REGION = and_(_a.c.account == schema.parameter("p_account"), _a.c.region == schema.parameter("p_region"))
_IS_ALIAS = and_(_IN_REGION, _a.c.name == schema.parameter("p_name"))
_ALL = select(_a.c.account, _a.c.region, _a.c.name, _a.c.key_id, _a.c.created, _a.c.updated)
_FIND = _ALL.where(_IS_ALIAS)
_LIST = (
    _ALL.where(_IN_REGION, _a.c.name > schema.parameter("p_after"))
    .order_by(_a.c.name)
    .limit(schema.parameter("p_limit", schema.LONG))
)
_LIST_OF_KEY = (
    _ALL.where(_IN_REGION, _a.c.key_id == schema.parameter("p_key"), _a.c.name > schema.parameter("p_after"))
    .order_by(_a.c.name)
    .limit(schema.parameter("p_limit", schema.LONG))
)
_NAMES_OF_KEY = select(_a.c.name).where(_IN_REGION, _a.c.key_id == schema.parameter("p_key")).order_by(_a.c.name)
_UPDATE = update(_a).where(_IS_ALIAS).values(key_id=schema.parameter("p_key"), updated=schema.parameter("p_updated"))
_DELETE = delete(_a).where(_IS_ALIAS)


@dataclass(frozen=True, slots=True)
class Alias:
    """A name (it starts with alias/) of a key of the same account and region."""

    account: str
    region: str
    name: str
    key_id: str
    created: float
    updated: float


def insert_alias(conn: Connection, alias: Alias) -> None:
    """Add an alias; raises AlreadyExists, or NotFound when the key has gone."""
    row = {
        "account": alias.account, "region": alias.region, "name": alias.name, "key_id": alias.key_id,
        "created": alias.created, "updated": alias.updated,
    }  # fmt: skip
    try:
        conn.execute(_a.insert(), row)
    except IntegrityError as error:
        raise insert_refusal(error, missing=f"key {alias.key_id}", taken=alias.name) from None


def find_alias(conn: Connection, account: str, region: str, name: str) -> Alias | None:
    """Return an alias by name."""
    row = conn.execute(_FIND, {"p_account": account, "p_region": region, "p_name": name}).first()
    return None if row is None else Alias(*row)


def list_aliases(
    conn: Connection, account: str, region: str, key_id: str | None, after: str, limit: int
) -> list[Alias]:
    """Return up to `limit` aliases with names greater than `after`, of one key or (None) of all."""
    parameters = {"p_account": account, "p_region": region, "p_after": after, "p_limit": limit}
    if key_id is None:
        return [Alias(*row) for row in conn.execute(_LIST, parameters)]
    return [Alias(*row) for row in conn.execute(_LIST_OF_KEY, {**parameters, "p_key": key_id})]


def list_key_arns(conn: Connection, account: str, region: str, key_id: str) -> list[str]:
    """Return all ARNs that name a key: its own, and those of its aliases."""
    names = conn.execute(_NAMES_OF_KEY, {"p_account": account, "p_region": region, "p_key": key_id}).scalars()
    return [ids.key_arn(account, region, key_id), *(ids.alias_arn(account, region, name) for name in names)]


def update_alias(conn: Connection, account: str, region: str, name: str, key_id: str, updated: float) -> None:
    """Point an alias at another key; raises NotFound (the alias, or the key has gone)."""
    parameters = {
        "p_account": account, "p_region": region, "p_name": name, "p_key": key_id, "p_updated": updated,
    }  # fmt: skip
    try:
        found = conn.execute(_UPDATE, parameters).rowcount
    except IntegrityError:
        raise NotFound(f"key {key_id}") from None
    if found == 0:
        raise NotFound(name)


def delete_alias(conn: Connection, account: str, region: str, name: str) -> None:
    """Remove an alias; raises NotFound."""
    if conn.execute(_DELETE, {"p_account": account, "p_region": region, "p_name": name}).rowcount == 0:
        raise NotFound(name)
