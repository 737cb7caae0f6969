"""Grants of KMS keys: their rows, by key, by grantee and by retiring principal."""

import json
from collections.abc import Collection
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, select

from fuin import ids
from fuin.access.grants import Grant, Pairs
from fuin.access.principal import Principal
from fuin.store.engine import schema
from fuin.store.errors import NotFound, StoreRefusal, WrongState
from fuin.store.kms import keys

_g = schema.grants
_ARN, _LIMIT = schema.parameter("p_arn"), schema.parameter("p_limit", schema.LONG)
_IN_REGION = _g.c.region == schema.parameter("p_region")
_OF_KEY = and_(_g.c.key_id == schema.parameter("p_key"), _IN_REGION)
_IS_GRANT = _g.c.grant_id == schema.parameter("p_id")
_ALL = select(
    _g.c.grant_id, _g.c.key_id, _g.c.region, _g.c.account, _g.c.name, _g.c.grantee, _g.c.grantee_service,
    _g.c.retiring, _g.c.retiring_service, _g.c.operations, _g.c.constraints, _g.c.created,
)  # fmt: skip
_FIND = _ALL.where(_IS_GRANT)
_TO_SERVICE = _ALL.where(_OF_KEY, _g.c.grantee_service == _ARN)
# Without an order: with one, SQLite would go through all grants of the key by the index that has it.
_TO_PRINCIPAL = _ALL.where(
    _OF_KEY, _g.c.grantee.in_([_ARN, schema.parameter("p_role"), schema.parameter("p_root")])
)  # fmt: skip
# By grantee as well, which has an index and a name has not.
_NAMED = _ALL.where(_OF_KEY, _g.c.grantee.is_not_distinct_from(_ARN), _g.c.name == schema.parameter("p_name"))
_COUNT = select(func.count()).select_from(_g).where(_OF_KEY)
_COUNT_TO = select(func.count()).select_from(_g).where(_OF_KEY, _g.c.grantee.is_not_distinct_from(_ARN))
_DELETE = delete(_g).where(_IS_GRANT)


def _page(*conditions: Any) -> Select[Any]:
    after = _g.c.grant_id > schema.parameter("p_after")
    return _ALL.where(*conditions, after).order_by(_g.c.grant_id).limit(_LIMIT)


_LIST = _page(_OF_KEY)
_LIST_TO = _page(_OF_KEY, _g.c.grantee == _ARN)
_LIST_RETIRABLE = _page(_g.c.retiring == _ARN, _IN_REGION)


class TooManyGrants(StoreRefusal):
    """The key would have more grants, in all or to one principal, than it may have."""


def insert_grant(conn: Connection, grant: Grant, states: Collection[str], at_most: int, at_most_to_one: int) -> str:
    """Add a grant and return its id; if a grant with the same name and content exists, return that one's id.

    Raises NotFound when the key has gone, WrongState when it is in none of `states`, and TooManyGrants.
    """
    key = keys.find_key(conn, grant.key_id, grant.region)
    if key is None:
        raise NotFound(f"key {grant.key_id}")
    if key.state not in states:
        raise WrongState(key.state)
    of_key = {"p_key": grant.key_id, "p_region": grant.region}
    if grant.name is not None:
        for row in conn.execute(_NAMED, {**of_key, "p_arn": grant.grantee, "p_name": grant.name}):
            found = _grant(row)
            if _effect(found) == _effect(grant):
                return found.grant_id
    if conn.execute(_COUNT, of_key).scalar_one() >= at_most:
        raise TooManyGrants(f"at most {at_most:,} grants")
    if conn.execute(_COUNT_TO, {**of_key, "p_arn": grant.grantee}).scalar_one() >= at_most_to_one:
        raise TooManyGrants(f"at most {at_most_to_one:,} grants to one principal")
    conn.execute(_g.insert(), _row(grant))
    return grant.grant_id


def _effect(grant: Grant) -> tuple[object, ...]:
    """Return the content of a grant for comparison; the order of operations does not matter."""
    return (
        grant.account, grant.grantee, grant.grantee_service, grant.retiring, grant.retiring_service,
        frozenset(grant.operations), grant.equals, grant.subset, grant.source_arn,
    )  # fmt: skip


def find_grant(conn: Connection, grant_id: str) -> Grant | None:
    """Return a grant of any key and Region."""
    row = conn.execute(_FIND, {"p_id": grant_id}).first()
    return None if row is None else _grant(row)


def list_grants_to(conn: Connection, key_id: str, region: str, principal: Principal) -> tuple[Grant, ...]:
    """Return a key's grants whose grantee is `principal`, the role of its session, or its account, by id."""
    named = {"p_key": key_id, "p_region": region, "p_arn": principal.arn}
    if principal.kind == "service":
        rows = conn.execute(_TO_SERVICE, named)
    else:
        named |= {"p_role": principal.identity_arn or principal.arn, "p_root": ids.root_arn(principal.account)}
        rows = conn.execute(_TO_PRINCIPAL, named)
    return tuple(sorted((_grant(row) for row in rows), key=attrgetter("grant_id")))


def list_grants(conn: Connection, key_id: str, region: str, grantee: str | None, after: str, limit: int) -> list[Grant]:
    """Return up to `limit` of a key's grants with ids greater than `after`, to one grantee or (None) to all."""
    parameters = {"p_key": key_id, "p_region": region, "p_after": after, "p_limit": limit}
    if grantee is None:
        return [_grant(row) for row in conn.execute(_LIST, parameters)]
    return [_grant(row) for row in conn.execute(_LIST_TO, {**parameters, "p_arn": grantee})]


def list_retirable(conn: Connection, retiring: str, region: str, after: str, limit: int) -> list[Grant]:
    """Return up to `limit` of the Region's grants, on keys of any account, that name the retiring principal."""
    parameters = {"p_arn": retiring, "p_region": region, "p_after": after, "p_limit": limit}
    return [_grant(row) for row in conn.execute(_LIST_RETIRABLE, parameters)]


def delete_grant(conn: Connection, grant_id: str) -> None:
    """Remove a grant; raises NotFound."""
    if conn.execute(_DELETE, {"p_id": grant_id}).rowcount == 0:
        raise NotFound(f"grant {grant_id}")


def _row(grant: Grant) -> dict[str, object]:
    named = {"equals": grant.equals, "subset": grant.subset, "sourceArn": grant.source_arn}
    given = {name: value for name, value in named.items() if value is not None}
    return {
        "grant_id": grant.grant_id, "key_id": grant.key_id, "region": grant.region, "account": grant.account,
        "name": grant.name, "grantee": grant.grantee, "grantee_service": grant.grantee_service,
        "retiring": grant.retiring, "retiring_service": grant.retiring_service,
        "operations": json.dumps(grant.operations), "constraints": json.dumps(given) if given else None,
        "created": grant.created,
    }  # fmt: skip


def _grant(row: Row[*tuple[Any, ...]]) -> Grant:
    grant_id, key_id, region, account, name, grantee, grantee_service, retiring, retiring_service, *_ = row
    equals, subset, source_arn = _constraints(row.constraints)
    return Grant(
        grant_id=grant_id,
        key_id=key_id,
        region=region,
        account=account,
        name=name,
        grantee=grantee,
        grantee_service=grantee_service,
        retiring=retiring,
        retiring_service=retiring_service,
        operations=_operations(row.operations),
        equals=equals,
        subset=subset,
        source_arn=source_arn,
        created=row.created,
    )


@lru_cache(256)  # a principal may have 5,000 grants that allow the same
def _operations(column: str) -> tuple[str, ...]:
    return tuple(json.loads(column))


@lru_cache(256)
def _constraints(column: str | None) -> tuple[Pairs | None, Pairs | None, str | None]:
    given = {} if column is None else json.loads(column)
    return _pairs(given.get("equals")), _pairs(given.get("subset")), given.get("sourceArn")


def _pairs(listed: list[list[str]] | None) -> Pairs | None:
    return None if listed is None else tuple((name, value) for name, value in listed)
