"""Modifications: the changes of a volume's size, type and speed, with how it was before."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import Connection, select

from fuin.store.engine import schema

MODIFYING, OPTIMIZING, COMPLETED, FAILED = "modifying", "optimizing", "completed", "failed"


@dataclass(frozen=True, slots=True)
class Modification:
    """A change of a volume; `number` counts those of the volume from 1."""

    volume_id: str
    number: int
    state: str
    started_at: float
    ended_at: float | None
    old_size: int
    old_type: str
    old_iops: int
    old_throughput: int
    size: int
    volume_type: str
    iops: int
    throughput: int


_m = schema.modifications
_NAMES = tuple(field.name for field in fields(Modification))
_ALL = select(*(_m.c[name] for name in _NAMES))
_LIST = _ALL.where(_m.c.volume_id.in_(schema.parameter("p_ids", schema.TEXT, many=True))).order_by(
    _m.c.volume_id, _m.c.number
)


def insert_modification(conn: Connection, modification: Modification) -> None:
    """Add a modification."""
    conn.execute(_m.insert(), {name: getattr(modification, name) for name in _NAMES})


def list_modifications(conn: Connection, volume_ids: Sequence[str]) -> dict[str, list[Modification]]:
    """Return the modifications of volumes, by the volume's id, each volume's oldest first."""
    found: dict[str, list[Modification]] = {}
    for row in conn.execute(_LIST, {"p_ids": list(volume_ids)}) if volume_ids else ():
        found.setdefault(row.volume_id, []).append(Modification(*row))
    return found
