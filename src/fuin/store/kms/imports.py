"""Imported key material: its owner brings it, with or without an end date, and can delete it again.

A key is usable while all of its CURRENT and NON_CURRENT material is there; its row has the earliest end date of those.
Material that waits for a rotation does not count yet. Each Region of a multi-Region key has its own copies and its own
dates. AWS KMS developer guide, "Importing key material".
"""

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from fuin.formats.wrapped import Material
from fuin.store.engine import rows, schema
from fuin.store.errors import (
    AnotherPending,
    NotExpected,
    NotFound,
    NothingPending,
    NotPrimary,
    WrongState,
)
from fuin.store.kms import keys, materials, rotations
from fuin.store.kms.materials import (
    CURRENT,
    IMPORTED,
    NON_CURRENT,
    PENDING_IMPORT,
    PENDING_REGIONS,
    PENDING_ROTATION,
    MaterialVersion,
)

EXPIRES, DOES_NOT_EXPIRE = "KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"

_k, _m, _s = schema.keys, schema.materials, schema.sealed_materials
_ID, _REGION, _NOW = schema.parameter("p_id"), schema.parameter("p_region"), schema.parameter("p_now", schema.TIME)
_MATERIAL = schema.parameter("p_material", schema.BYTES)
_PENDING = (PENDING_ROTATION, PENDING_REGIONS)
_KEY = select(_k.c.state, _k.c.spec, _k.c.primary_region, _k.c.current_material).where(
    _k.c.key_id == _ID, _k.c.region == _REGION
)
_COPIES = select(_m.c.region, _m.c.import_state).where(_m.c.key_id == _ID, _m.c.material_id == _MATERIAL)
_THIS = (_m.c.key_id == _ID, _m.c.region == _REGION, _m.c.material_id == _MATERIAL)
_BLANK = (
    update(_s).where(_s.c.id.in_(select(_m.c.id).where(*_THIS))).values(wrapped=rows.zeros(func.length(_s.c.wrapped)))
)
_EMPTY = update(_m).where(*_THIS).values(import_state=PENDING_IMPORT, expiration_model=None, valid_to=None)
_REMOVE = delete(_m).where(*_THIS)
_REFILL = update(_m).where(*_THIS).values(id=schema.parameter("p_sealed", schema.LONG))
_DETAILS = update(_m).where(*_THIS).values(
    import_state=IMPORTED,
    description=func.coalesce(schema.parameter("p_description"), _m.c.description),
    expiration_model=schema.parameter("p_model"),
    valid_to=schema.parameter("p_valid_to", schema.TIME),
)  # fmt: skip
_SET_PENDING = (
    update(_m)
    .where(_m.c.key_id == _ID, _m.c.material_id == _MATERIAL, _m.c.state.in_(_PENDING))
    .values(state=schema.parameter("p_state"))
)
_PROMOTE = (
    update(_m)
    .where(_m.c.key_id == _ID, _m.c.material_id == _MATERIAL)
    .values(state=CURRENT, rotated=_NOW, rotation_type=rotations.ON_DEMAND)
)
_READY = select(_m.c.material_id).where(
    _m.c.key_id == _ID, _m.c.region == _REGION, _m.c.state == PENDING_ROTATION, _m.c.import_state == IMPORTED,
    or_(_m.c.valid_to.is_(None), _m.c.valid_to > _NOW),
)  # fmt: skip
_SET_FIRST = update(_k).where(_k.c.key_id == _ID).values(current_material=_MATERIAL)
_SETTLE = (
    update(_k)
    .where(_k.c.key_id == _ID, _k.c.region == _REGION)
    .values(
        state=schema.parameter("p_state"),
        valid_to=schema.parameter("p_valid_to", schema.TIME),
        expiration_model=schema.parameter("p_model"),
    )
)
_EXPIRED = select(_m.c.key_id, _m.c.region, _k.c.account, _m.c.material_id).join_from(
    _m, _k, (_m.c.key_id == _k.c.key_id) & (_m.c.region == _k.c.region)
).where(_m.c.valid_to <= _NOW)  # fmt: skip
_LENGTH = select(func.length(_s.c.wrapped)).join_from(_m, _s, _m.c.id == _s.c.id).where(*_THIS)
_INSERT_BLANK = _s.insert().values(wrapped=rows.zeros(bindparam("p_length", type_=schema.LONG)))


class Brought(NamedTuple):
    """Material in an import request. `new` follows from ImportType, None without one.

    `named` is the material id that it is expected to have. None as `description` keeps the one it had.
    """

    material: Material
    now: float
    new: bool | None = None
    named: bytes | None = None
    description: str | None = None
    expiration_model: str = DOES_NOT_EXPIRE
    valid_to: float | None = None


class _Place(NamedTuple):
    """The columns of a key's row that its material depends on."""

    state: str
    spec: str
    current_material: bytes
    replica: bool


class ExpiredMaterial(NamedTuple):
    """Imported material whose end date has passed."""

    key_id: str
    region: str
    account: str
    material_id: bytes


def import_material(conn: Connection, region: str, brought: Brought) -> None:
    """Put material into a key; its role follows from the key's other material, and from `new`.

    Raises NotFound; WrongState unless the key is enabled, disabled or waiting for material; NotExpected when it is not
    the material that this call may bring; AnotherPending; NotPrimary for new material of a replica.
    """
    key_id, material_id = brought.material.key_id, brought.material.material_id
    row = _key(conn, key_id, region)
    if row.state not in {*keys.IN_USE, keys.DISABLED, keys.PENDING_IMPORT}:
        raise WrongState(row.state)
    known = {version.material_id: version for version in materials.list_versions(conn, key_id, region)}
    _check_expected(brought, known, replica=row.replica)
    if material_id in known:
        _refill(conn, region, brought, known[material_id])
    else:
        _add(conn, region, brought, first=not known)
    _set_pending_state(conn, key_id, material_id)
    _settle(conn, key_id, region)


def _check_expected(brought: Brought, known: dict[bytes, MaterialVersion], *, replica: bool) -> None:
    """Refuse material that is not what the call says it is. AWS: ImportType, KeyMaterialId."""
    material_id = brought.material.material_id
    new = not known if brought.new is None else brought.new
    if new and replica:
        raise NotPrimary(brought.material.key_id)
    if brought.named not in {None, material_id} or new == (material_id in known):
        raise NotExpected(brought.material.key_id)
    waiting = next((version.material_id for version in known.values() if version.state in _PENDING), None)
    if new and waiting is not None:
        raise AnotherPending(material_id, waiting)


def _refill(conn: Connection, region: str, brought: Brought, version: MaterialVersion) -> None:
    """Bring material back, or only its dates anew while it is there."""
    place = {"p_id": brought.material.key_id, "p_region": region, "p_material": version.material_id}
    if version.import_state == PENDING_IMPORT:
        sealed = rows.inserted_id(conn.execute(_s.insert(), {"wrapped": brought.material.wrapped}))
        conn.execute(_REFILL, {**place, "p_sealed": sealed})  # rows of sealed material are never written again
    dates = {"p_model": brought.expiration_model, "p_valid_to": brought.valid_to}
    conn.execute(_DETAILS, {**place, **dates, "p_description": brought.description})


def _add(conn: Connection, region: str, brought: Brought, *, first: bool) -> None:
    """Associate material with the key in all of its Regions; the others wait for their copies."""
    material = brought.material
    version = MaterialVersion(
        material.material_id, brought.now, CURRENT if first else PENDING_REGIONS, IMPORTED, brought.description,
        brought.expiration_model, brought.valid_to,
    )  # fmt: skip
    materials.insert_version(conn, region, material, version)
    for other in keys.list_regions(conn, material.key_id):
        if other != region:
            _expect_version(conn, material.key_id, region, other, version)
            _settle(conn, material.key_id, other)
    if first:
        conn.execute(_SET_FIRST, {"p_id": material.key_id, "p_material": material.material_id})


def expect_materials(conn: Connection, key_id: str, source: str, region: str) -> None:
    """Let a new replica in `region` wait for all material that the key has in `source`; nothing is copied.

    AWS: "AWS KMS does not copy or synchronize the key material from a primary key with imported key material".
    """
    for version in materials.list_versions(conn, key_id, source):
        _expect_version(conn, key_id, source, region, version)
        if version.state in _PENDING:
            _set_pending_state(conn, key_id, version.material_id)
    _settle(conn, key_id, region)


def _expect_version(conn: Connection, key_id: str, source: str, region: str, version: MaterialVersion) -> None:
    place = {"p_id": key_id, "p_region": source, "p_material": version.material_id}
    length = conn.execute(_LENGTH, place).scalar_one()
    sealed = rows.inserted_id(conn.execute(_INSERT_BLANK, {"p_length": length}))
    row = {
        "id": sealed, "key_id": key_id, "region": region, "material_id": version.material_id,
        "spec": _key(conn, key_id, source).spec,
        "created": version.created, "state": version.state, "import_state": PENDING_IMPORT,
        "description": version.description, "rotated": version.rotated, "rotation_type": version.rotation_type,
    }  # fmt: skip
    conn.execute(_m.insert(), row)


def is_needed(conn: Connection, key_id: str, region: str, material_id: bytes | None) -> bool:
    """Return whether a key can be used with a material, by default the current one, and not without it.

    Raises NotFound if the key does not exist.
    """
    row = _key(conn, key_id, region)
    wanted = row.current_material if material_id is None else material_id
    return any(
        version.material_id == wanted and version.import_state == IMPORTED and version.state not in _PENDING
        for version in materials.list_versions(conn, key_id, region)
    )


def delete_material(conn: Connection, key_id: str, region: str, material_id: bytes | None) -> bytes:
    """Destroy one material, by default the current one, and return its id; empty if the key never had any.

    Material that only waits for a rotation is forgotten: in a replica it is awaited again, and with the primary's go
    those of all replicas. Part of what `Store.erase` completes. Raises NotFound.
    """
    row = _key(conn, key_id, region)
    wanted: bytes = row.current_material if material_id is None else material_id
    known = {version.material_id: version for version in materials.list_versions(conn, key_id, region)}
    if material_id is None and not wanted:
        return b""
    if wanted not in known:
        raise NotFound(f"material of key {key_id}")
    _destroy(conn, key_id, region, known[wanted], replica=row.replica)
    return wanted


def _destroy(conn: Connection, key_id: str, region: str, version: MaterialVersion, *, replica: bool) -> None:
    place = {"p_id": key_id, "p_material": version.material_id}
    forget = version.state in _PENDING and not replica
    for each in keys.list_regions(conn, key_id) if forget else [region]:
        conn.execute(_BLANK, {**place, "p_region": each})
        conn.execute(_REMOVE if forget else _EMPTY, {**place, "p_region": each})
    _settle(conn, key_id, region)


def list_expired(conn: Connection, now: float) -> list[ExpiredMaterial]:
    """Return the imported material whose date is not after `now` and that is still there."""
    return [ExpiredMaterial(*row) for row in conn.execute(_EXPIRED, {"p_now": now})]


def destroy_expired(conn: Connection, now: float) -> None:
    """Destroy all imported material whose date is not after `now`; part of what `Store.erase` completes."""
    for found in list_expired(conn, now):
        replica = _key(conn, found.key_id, found.region).replica
        for version in materials.list_versions(conn, found.key_id, found.region):
            if version.material_id == found.material_id:
                _destroy(conn, found.key_id, found.region, version, replica=replica)


def rotate_imported(conn: Connection, key_id: str, region: str, now: float) -> None:
    """Let the imported material that waits for it be the current one, in all Regions.

    A replica whose copy was deleted meanwhile waits for its import from now on. Raises NotFound, NotPrimary,
    WrongState, TooManyRotations or NothingPending.
    """
    rotations.primary(conn, key_id, region)
    rotations.check_on_demand(conn, key_id, region)
    new = conn.execute(_READY, {"p_id": key_id, "p_region": region, "p_now": now}).scalar_one_or_none()
    if new is None:
        raise NothingPending(f"key {key_id}")
    rotations.retire(conn, key_id, new)
    conn.execute(_PROMOTE, {"p_id": key_id, "p_material": new, "p_now": now})
    for each in keys.list_regions(conn, key_id):
        _settle(conn, key_id, each)


def _set_pending_state(conn: Connection, key_id: str, material_id: bytes) -> None:
    """Let material wait for its rotation, or for its import in all Regions before that."""
    place = {"p_id": key_id, "p_material": material_id}
    everywhere = all(row.import_state == IMPORTED for row in conn.execute(_COPIES, place))
    conn.execute(_SET_PENDING, {**place, "p_state": PENDING_ROTATION if everywhere else PENDING_REGIONS})


def _settle(conn: Connection, key_id: str, region: str) -> None:
    """Set the key's state and dates in a Region to what its materials there say; other states stay."""
    state = _key(conn, key_id, region).state
    versions = materials.list_versions(conn, key_id, region)
    states = [version.import_state for version in versions if version.state in {CURRENT, NON_CURRENT}]
    ready = bool(states) and PENDING_IMPORT not in states
    if state == keys.PENDING_IMPORT and ready:
        state = keys.ENABLED
    elif state in {keys.ENABLED, keys.DISABLED} and not ready:
        state = keys.PENDING_IMPORT
    there = [v for v in versions if v.state in {CURRENT, NON_CURRENT} and v.import_state == IMPORTED]
    ends = [version.valid_to for version in there if version.valid_to is not None]
    model = (EXPIRES if ends else DOES_NOT_EXPIRE) if there else None
    parameters = {"p_state": state, "p_valid_to": min(ends, default=None), "p_model": model}
    conn.execute(_SETTLE, {"p_id": key_id, "p_region": region, **parameters})


def _key(conn: Connection, key_id: str, region: str) -> _Place:
    row = conn.execute(_KEY, {"p_id": key_id, "p_region": region}).first()
    if row is None:
        raise NotFound(f"key {key_id}")
    return _Place(row.state, row.spec, row.current_material, row.primary_region not in {None, region})
