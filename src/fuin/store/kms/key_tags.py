"""The tags of KMS keys."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, and_, delete, select
from sqlalchemy.exc import IntegrityError

from fuin.store.engine import schema
from fuin.store.errors import NotFound, TooManyTags

_t = schema.key_tags
_OF_KEY = and_(_t.c.key_id == schema.parameter("p_id"), _t.c.region == schema.parameter("p_region"))
_LIST = select(_t.c.name, _t.c.value).where(_OF_KEY).order_by(_t.c.name)
_DELETE = delete(_t).where(_OF_KEY, _t.c.name == schema.parameter("p_name"))


def list_tags(conn: Connection, key_id: str, region: str) -> tuple[tuple[str, str], ...]:
    """Return a key's tags, sorted by name."""
    return tuple((name, value) for name, value in conn.execute(_LIST, {"p_id": key_id, "p_region": region}))


def set_tags(conn: Connection, key_id: str, region: str, tags: Mapping[str, str], at_most: int = 50) -> None:
    """Add tags, or give those of the same name a new value; raises NotFound or TooManyTags (AWS: 50 per key)."""
    try:
        for name, value in tags.items():
            conn.execute(_DELETE, {"p_id": key_id, "p_region": region, "p_name": name})
            conn.execute(_t.insert(), {"key_id": key_id, "region": region, "name": name, "value": value})
    except IntegrityError:
        raise NotFound(f"key {key_id}") from None
    if len(list_tags(conn, key_id, region)) > at_most:
        raise TooManyTags(f"key {key_id}")


def remove_tags(conn: Connection, key_id: str, region: str, names: Iterable[str]) -> None:
    """Remove tags by name; names that the key does not have are ignored, as in AWS."""
    for name in names:
        conn.execute(_DELETE, {"p_id": key_id, "p_region": region, "p_name": name})
