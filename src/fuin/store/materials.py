"""Wrapped key material: one or more rows per key, later ones by rotation or import."""

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from fuin.formats.wrapped import Material
from fuin.store import schema
from fuin.store.errors import AlreadyExists

CURRENT = "CURRENT"

_m = schema.materials
_COLUMNS = (_m.c.key_id, _m.c.material_id, _m.c.spec, _m.c.wrapped)
_FIND = (
    select(*_COLUMNS)
    .where(_m.c.key_id == schema.parameter("p_id"), _m.c.material_id == schema.parameter("p_material", schema.BYTES))
    .limit(1)
)
_LIST = (
    select(*_COLUMNS)
    .where(_m.c.key_id == schema.parameter("p_id"), _m.c.region == schema.parameter("p_region"))
    .order_by(_m.c.id)
)


def insert_material(conn: Connection, region: str, material: Material, created: float) -> None:
    """Add material to a key; raises AlreadyExists for a material id that it has, or when there is no such key."""
    row = {
        "key_id": material.key_id, "region": region, "material_id": material.material_id, "spec": material.spec,
        "wrapped": material.wrapped, "created": created, "state": CURRENT,
    }  # fmt: skip
    try:
        conn.execute(_m.insert(), row)
    except IntegrityError:
        raise AlreadyExists(f"material of key {material.key_id}") from None


def find_material(conn: Connection, key_id: str, material_id: bytes) -> Material | None:
    """Return one material; replicas of a multi-Region key hold the same, so no region is asked."""
    row = conn.execute(_FIND, {"p_id": key_id, "p_material": material_id}).first()
    return None if row is None else Material(*row)


def list_materials(conn: Connection, key_id: str, region: str) -> list[Material]:
    """Return all materials of a key, oldest first."""
    return [Material(*row) for row in conn.execute(_LIST, {"p_id": key_id, "p_region": region})]
