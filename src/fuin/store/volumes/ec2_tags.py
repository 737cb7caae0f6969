"""The tags of volumes and snapshots."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, select, tuple_

from fuin.store.engine import schema
from fuin.store.engine.rows import ALL
from fuin.store.errors import TooManyTags

TAGS_AT_MOST = 50  # of one resource; AWS: EC2 user guide, "Tag restrictions"

_t = schema.ec2_tags
_IN_REGION = and_(_t.c.account == schema.parameter("p_account"), _t.c.region == schema.parameter("p_region"))
_OF_RESOURCE = and_(_IN_REGION, _t.c.resource_id == schema.parameter("p_id"))
_IDS = schema.parameter("p_ids", schema.TEXT, many=True)
_OF_RESOURCES = (
    select(_t.c.resource_id, _t.c.key, _t.c.value)
    .where(_IN_REGION, _t.c.resource_id.in_(_IDS))
    .order_by(_t.c.resource_id, _t.c.key)
)
_AFTER = tuple_(schema.parameter("p_id", schema.TEXT), schema.parameter("p_key", schema.TEXT))
_LIST = (
    select(_t.c.resource_id, _t.c.key, _t.c.value)
    .where(_IN_REGION, tuple_(_t.c.resource_id, _t.c.key) > _AFTER)
    .order_by(_t.c.resource_id, _t.c.key)
    .limit(schema.parameter("p_limit", schema.LONG))
)
_DELETE = delete(_t).where(_OF_RESOURCE)
_DELETE_KEY = delete(_t).where(_OF_RESOURCE, _t.c.key == schema.parameter("p_key"))
_DELETE_TAG = delete(_t).where(
    _OF_RESOURCE, _t.c.key == schema.parameter("p_key"), _t.c.value == schema.parameter("p_value")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of a resource."""

    resource_id: str
    key: str
    value: str


def find_tags(conn: Connection, account: str, region: str, resource_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the tags of resources, by the resource's id; a resource without tags is not there."""
    found: dict[str, dict[str, str]] = {}
    given = {"p_account": account, "p_region": region, "p_ids": list(resource_ids)}
    for resource_id, key, value in conn.execute(_OF_RESOURCES, given) if resource_ids else ():
        found.setdefault(resource_id, {})[key] = value
    return found


def list_tags(
    conn: Connection, account: str, region: str, after: tuple[str, str] = ("", ""), limit: int = ALL
) -> list[Tag]:
    """Return up to `limit` of an account's tags in a Region, by resource and key, greater than `after`."""
    given = {"p_account": account, "p_region": region, "p_id": after[0], "p_key": after[1], "p_limit": limit}
    return [Tag(*row) for row in conn.execute(_LIST, given)]


def set_tags(conn: Connection, account: str, region: str, resource_id: str, tags: Mapping[str, str]) -> None:
    """Add tags, or give those of the same key a new value; raises TooManyTags."""
    where = {"p_account": account, "p_region": region, "p_id": resource_id}
    for key, value in tags.items():
        conn.execute(_DELETE_KEY, {**where, "p_key": key})
        row = {"account": account, "region": region, "resource_id": resource_id, "key": key, "value": value}
        conn.execute(_t.insert(), row)
    if len(find_tags(conn, account, region, [resource_id]).get(resource_id, {})) > TAGS_AT_MOST:
        raise TooManyTags(resource_id)


def remove_tags(
    conn: Connection, account: str, region: str, resource_id: str, tags: Iterable[tuple[str, str | None]]
) -> None:
    """Remove tags by key, and where a value is given only if the tag has it."""
    where = {"p_account": account, "p_region": region, "p_id": resource_id}
    for key, value in tags:
        if value is None:
            conn.execute(_DELETE_KEY, {**where, "p_key": key})
        else:
            conn.execute(_DELETE_TAG, {**where, "p_key": key, "p_value": value})


def remove_all_tags(conn: Connection, account: str, region: str, resource_id: str) -> None:
    """Remove all tags of a resource, such as one that is deleted."""
    conn.execute(_DELETE, {"p_account": account, "p_region": region, "p_id": resource_id})
