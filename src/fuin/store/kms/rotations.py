"""Rotation: which material of a key is the current one, and when the next one follows by schedule.

A set of multi-Region keys has one schedule and the same materials; all of its rows are changed in one transaction, and
only through the primary key. Everything is checked again inside the transaction: the caller has seen an older state.
"""

import math
from typing import NamedTuple

from sqlalchemy import Connection, func, or_, select, update

from fuin.formats.wrapped import Material
from fuin.store.engine import schema
from fuin.store.errors import NotFound, NotPrimary, Overtaken, TooManyRotations, WrongState
from fuin.store.kms import keys, materials
from fuin.store.kms.materials import CURRENT, NON_CURRENT, MaterialVersion

AUTOMATIC, ON_DEMAND = "AUTOMATIC", "ON_DEMAND"
MOST_ON_DEMAND = 25  # per key; AWS: RotateKeyOnDemand
DAY = 86400.0

_k, _m = schema.keys, schema.materials
_ID, _REGION, _NOW = schema.parameter("p_id"), schema.parameter("p_region"), schema.parameter("p_now", schema.TIME)
_MATERIAL = schema.parameter("p_material", schema.BYTES)
_ROW = select(
    _k.c.state, _k.c.primary_region, _k.c.current_material, _k.c.rotation_period, _k.c.rotation_due
).where(_k.c.key_id == _ID, _k.c.region == _REGION)  # fmt: skip
_SCHEDULE = (
    update(_k)
    .where(_k.c.key_id == _ID)
    .values(
        rotation_period=schema.parameter("p_period", schema.LONG), rotation_due=schema.parameter("p_due", schema.TIME)
    )
)
_DUE = select(
    _k.c.key_id, _k.c.region, _k.c.account, _k.c.spec, _k.c.manager, _k.c.current_material
).where(
    _k.c.rotation_due <= _NOW, _k.c.state == keys.ENABLED,
    or_(_k.c.primary_region.is_(None), _k.c.primary_region == _k.c.region),
).order_by(_k.c.rotation_due)  # fmt: skip
_COUNT = select(func.count()).where(_m.c.key_id == _ID, _m.c.region == _REGION, _m.c.rotation_type == ON_DEMAND)
_RETIRE = update(_m).where(_m.c.key_id == _ID, _m.c.state == CURRENT).values(state=NON_CURRENT)
_SET_CURRENT = update(_k).where(_k.c.key_id == _ID).values(current_material=_MATERIAL)


class Schedule(NamedTuple):
    """The columns of a key's row that its rotation needs; `rotation_period` is in days, None if it is off."""

    state: str
    primary_region: str | None
    current_material: bytes
    rotation_period: int | None
    rotation_due: float | None


class Due(NamedTuple):
    """A key whose rotation is due, as the job sees it."""

    key_id: str
    region: str
    account: str
    spec: str
    manager: str
    current_material: bytes


def list_due(conn: Connection, now: float) -> list[Due]:
    """Return the enabled keys that are to be rotated at `now`, the longest due first; of a set its primary key."""
    return [Due(*row) for row in conn.execute(_DUE, {"p_now": now})]


def set_schedule(conn: Connection, key_id: str, region: str, period: int | None, now: float) -> None:
    """Let a key rotate every `period` days from `now` on, or (None) no longer. The same period changes nothing.

    Raises NotFound, NotPrimary, or WrongState unless the key is enabled.
    """
    row = primary(conn, key_id, region)
    if row.rotation_period == period:
        return
    due = None if period is None else now + period * DAY
    conn.execute(_SCHEDULE, {"p_id": key_id, "p_period": period, "p_due": due})


def check_on_demand(conn: Connection, key_id: str, region: str) -> None:
    """Raise TooManyRotations when the key may not be rotated on demand once more."""
    if conn.execute(_COUNT, {"p_id": key_id, "p_region": region}).scalar_one() >= MOST_ON_DEMAND:
        raise TooManyRotations(f"key {key_id}")


def rotate_on_demand(conn: Connection, region: str, material: Material, replaces: bytes, now: float) -> None:
    """Make new material the current one instead of `replaces`; the schedule stays.

    Raises NotFound, NotPrimary, WrongState, TooManyRotations, or Overtaken when another material is the current one.
    """
    row = primary(conn, material.key_id, region)
    if row.current_material != replaces:
        raise Overtaken(f"key {material.key_id}")
    check_on_demand(conn, material.key_id, region)
    _add_current(conn, material, now, ON_DEMAND)


def rotate_by_schedule(
    conn: Connection, region: str, material: Material, replaces: bytes, moment: float, now: float | None = None
) -> None:
    """Make new material the current one, and set the next date: the first of the schedule after `moment`.

    `now` is the date that it gets, by default `moment`. Raises NotFound, NotPrimary, WrongState, or Overtaken when the
    key is no longer due.
    """
    row = primary(conn, material.key_id, region)
    period, due = row.rotation_period, row.rotation_due
    if row.current_material != replaces or period is None or due is None or due > moment:
        raise Overtaken(f"key {material.key_id}")
    _add_current(conn, material, moment if now is None else now, AUTOMATIC)
    step = period * DAY
    due += step * (math.floor((moment - due) / step) + 1)
    conn.execute(_SCHEDULE, {"p_id": material.key_id, "p_period": period, "p_due": due})


def primary(conn: Connection, key_id: str, region: str) -> Schedule:
    """Return the schedule of an enabled single-Region or primary key.

    Raises NotFound, NotPrimary, or WrongState unless the key is enabled.
    """
    found = conn.execute(_ROW, {"p_id": key_id, "p_region": region}).first()
    if found is None:
        raise NotFound(f"key {key_id}")
    row = Schedule(*found)
    if row.state not in keys.IN_USE:
        raise WrongState(row.state)
    if row.primary_region not in {None, region}:
        raise NotPrimary(f"key {key_id}")
    return row


def _add_current(conn: Connection, material: Material, now: float, kind: str) -> None:
    key_id = material.key_id
    retire(conn, key_id, material.material_id)
    version = MaterialVersion(material.material_id, now, rotated=now, rotation_type=kind)
    for region in keys.list_regions(conn, key_id):
        materials.insert_version(conn, region, material, version)


def retire(conn: Connection, key_id: str, successor: bytes) -> None:
    """Make the current material of all Regions NON_CURRENT, so that it only decrypts, and set the next current one."""
    conn.execute(_RETIRE, {"p_id": key_id})
    conn.execute(_SET_CURRENT, {"p_id": key_id, "p_material": successor})
