"""Wrapped key material: one or more rows per key; rotations and imports add rows."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, and_, case, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from fuin.formats.wrapped import Material
from fuin.store.engine import rows, schema
from fuin.store.errors import AlreadyExists

CURRENT, NON_CURRENT, PENDING_ROTATION = "CURRENT", "NON_CURRENT", "PENDING_ROTATION"
PENDING_REGIONS = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
IMPORTED, PENDING_IMPORT = "IMPORTED", "PENDING_IMPORT"

_m, _s = schema.materials, schema.sealed_materials
_OF_KEY = and_(_m.c.key_id == schema.parameter("p_id"), _m.c.region == schema.parameter("p_region"))
_ALL = select(_m.c.key_id, _m.c.material_id, _m.c.spec, _s.c.wrapped).join_from(_m, _s, _m.c.id == _s.c.id)
_FIND = _ALL.where(
    _OF_KEY,
    _m.c.material_id == schema.parameter("p_material", schema.BYTES),
    or_(_m.c.import_state.is_(None), _m.c.import_state == IMPORTED),
)
_LIST = _ALL.where(_OF_KEY).order_by(_m.c.id)
_BLANK = (
    update(_s).where(_s.c.id.in_(select(_m.c.id).where(_OF_KEY))).values(wrapped=rows.zeros(func.length(_s.c.wrapped)))
)
_DELETE = delete(_m).where(_OF_KEY)


@dataclass(frozen=True, slots=True)
class MaterialVersion:
    """One of a key's materials without its bytes, as ListKeyRotations returns it; the values are AWS's.

    `state` is CURRENT (it encrypts), NON_CURRENT (it decrypts) or, of imported material, one of the two pending ones.
    `rotated` is when it became the current one, None for the first and for pending ones.
    """

    material_id: bytes
    created: float
    state: str = CURRENT
    import_state: str | None = None  # IMPORTED or PENDING_IMPORT, None for material that was made here
    description: str | None = None
    expiration_model: str | None = None
    valid_to: float | None = None
    rotated: float | None = None
    rotation_type: str | None = None


_VERSIONS = (
    select(
        _m.c.material_id, _m.c.created, _m.c.state, _m.c.import_state, _m.c.description, _m.c.expiration_model,
        _m.c.valid_to, _m.c.rotated, _m.c.rotation_type,
    )
    .where(_OF_KEY)
    # Material that was made here goes by its row, whatever the clock said. Imported material gets a new row with each
    # import, so it goes by the time at which it became the key's.
    .order_by(case((_m.c.import_state.is_(None), 0.0), else_=_m.c.created), _m.c.id)
)  # fmt: skip


def insert_material(conn: Connection, region: str, material: Material, created: float) -> None:
    """Add a key's first material; raises AlreadyExists for a material id that it has, or when there is no such key."""
    insert_version(conn, region, material, MaterialVersion(material.material_id, created))


def insert_version(conn: Connection, region: str, material: Material, version: MaterialVersion) -> None:
    """Add material to a key in one Region; raises AlreadyExists as `insert_material`."""
    sealed = rows.inserted_id(conn.execute(_s.insert(), {"wrapped": material.wrapped}))
    row = {"id": sealed, "key_id": material.key_id, "region": region, "spec": material.spec, **asdict(version)}
    try:
        conn.execute(_m.insert(), row)
    except IntegrityError:
        raise AlreadyExists(f"material of key {material.key_id}") from None


def list_versions(conn: Connection, key_id: str, region: str) -> list[MaterialVersion]:
    """Return the facts about all materials of a key in a Region, oldest first."""
    return [MaterialVersion(*row) for row in conn.execute(_VERSIONS, {"p_id": key_id, "p_region": region})]


def find_material(conn: Connection, key_id: str, region: str, material_id: bytes) -> Material | None:
    """Return one material that is there to be used; imported material may have been deleted in this Region."""
    row = conn.execute(_FIND, {"p_id": key_id, "p_region": region, "p_material": material_id}).first()
    return None if row is None else Material(*row)


def list_materials(conn: Connection, key_id: str, region: str) -> list[Material]:
    """Return all materials of a key, oldest first."""
    return [Material(*row) for row in conn.execute(_LIST, {"p_id": key_id, "p_region": region})]


def destroy_materials(conn: Connection, key_id: str, region: str) -> None:
    """Overwrite all wrapped material of a key with zeros of the same length, in its place, and forget its ids.

    The row of zeros stays: an update of equal size never moves a row, while a removal can.
    """
    conn.execute(_BLANK, {"p_id": key_id, "p_region": region})
    conn.execute(_DELETE, {"p_id": key_id, "p_region": region})
