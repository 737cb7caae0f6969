"""The volumes and snapshots that nobody can open without a KMS key: their data keys are encrypted under it.

Each answer comes from an index (`…_by_kms_key`). The numbers are exact, as those of objects (`store/s3/dependents.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from fuin.store.engine import schema

if TYPE_CHECKING:
    from sqlalchemy import Connection

_v, _s = schema.volumes, schema.snapshots
_ARN, _AFTER = schema.parameter("p_arn"), schema.parameter("p_after")
_LIMIT = schema.parameter("p_limit", schema.LONG)
_VOLUMES = select(func.count(), func.coalesce(func.sum(_v.c.size), 0)).where(_v.c.kms_key_arn == _ARN)
_SNAPSHOTS = select(func.count(), func.coalesce(func.sum(_s.c.size), 0)).where(_s.c.kms_key_arn == _ARN)
# In the order of an index: else PostgreSQL may read the whole table in search of one row that does not exist.
_ANY_VOLUME = (
    select(_v.c.volume_id).where(_v.c.kms_key_arn == _ARN).order_by(_v.c.kms_material_id, _v.c.volume_id).limit(1)
)
_ANY_SNAPSHOT = (
    select(_s.c.snapshot_id).where(_s.c.kms_key_arn == _ARN).order_by(_s.c.kms_material_id, _s.c.snapshot_id).limit(1)
)
_VOLUME_PAGE = (
    select(_v.c.volume_id, _v.c.size, _v.c.kms_material_id)
    .where(_v.c.kms_key_arn == _ARN, _v.c.volume_id > _AFTER)
    .order_by(_v.c.volume_id)
    .limit(_LIMIT)
)
_SNAPSHOT_PAGE = (
    select(_s.c.snapshot_id, _s.c.size, _s.c.kms_material_id)
    .where(_s.c.kms_key_arn == _ARN, _s.c.snapshot_id > _AFTER)
    .order_by(_s.c.snapshot_id)
    .limit(_LIMIT)
)


@dataclass(frozen=True, slots=True)
class VolumeTotals:
    """How many volumes and snapshots depend on keys, and how large the disks are (GiB), whatever is written on them."""

    volumes: int = 0
    volume_size: int = 0
    snapshots: int = 0
    snapshot_size: int = 0

    def __add__(self, other: VolumeTotals) -> VolumeTotals:
        return VolumeTotals(
            self.volumes + other.volumes,
            self.volume_size + other.volume_size,
            self.snapshots + other.snapshots,
            self.snapshot_size + other.snapshot_size,
        )


@dataclass(frozen=True, slots=True)
class DependentDisk:
    """A volume or a snapshot, with the size of the disk (GiB) and the key material of its data key."""

    resource_id: str
    size: int
    material_id: bytes | None


def count(conn: Connection, key_arn: str) -> VolumeTotals:
    """Return how many volumes and snapshots depend on a key."""
    volumes, volume_size = conn.execute(_VOLUMES, {"p_arn": key_arn}).one()
    snapshots, snapshot_size = conn.execute(_SNAPSHOTS, {"p_arn": key_arn}).one()
    return VolumeTotals(int(volumes), int(volume_size), int(snapshots), int(snapshot_size))


def has_any(conn: Connection, key_arn: str) -> bool:
    """Return whether a volume or a snapshot depends on a key."""
    given = {"p_arn": key_arn}
    return any(conn.execute(one, given).first() is not None for one in (_ANY_VOLUME, _ANY_SNAPSHOT))


def list_volumes(conn: Connection, key_arn: str, after: str = "", limit: int = 1000) -> list[DependentDisk]:
    """Return up to `limit` volumes that depend on a key, with ids greater than `after`."""
    given = {"p_arn": key_arn, "p_after": after, "p_limit": limit}
    return [DependentDisk(*row) for row in conn.execute(_VOLUME_PAGE, given)]


def list_snapshots(conn: Connection, key_arn: str, after: str = "", limit: int = 1000) -> list[DependentDisk]:
    """Return up to `limit` snapshots that depend on a key, with ids greater than `after`."""
    given = {"p_arn": key_arn, "p_after": after, "p_limit": limit}
    return [DependentDisk(*row) for row in conn.execute(_SNAPSHOT_PAGE, given)]
