"""Multi-Region keys: replicas of a key in other Regions, and which of them is the primary key.

The related keys are rows of one key id, a row for each Region. They share id, material, spec, usage, origin and the
schedule of rotation; each row has its own values for the rest. AWS KMS developer guide, "Multi-Region keys in AWS KMS".
"""

from dataclasses import replace

from sqlalchemy import Connection, update

from fuin.store.engine import schema
from fuin.store.errors import NotFound, NotPrimary, WrongState
from fuin.store.kms import imports, keys, materials
from fuin.store.kms.keys import Key

_EXTERNAL = "EXTERNAL"
_k = schema.keys
_SET_PRIMARY = (
    update(_k)
    .where(_k.c.key_id == schema.parameter("p_id"), _k.c.primary_region.is_not(None))
    .values(primary_region=schema.parameter("p_region"))
)


def insert_replica(conn: Connection, replica: Key) -> Key:
    """Add a replica of a primary key, and return it with the values that it shares with that key.

    All material comes with it, the current one and the older ones, but no imported material: the replica waits for
    its own import. Raises NotFound, WrongState (the primary key is not enabled), NotPrimary, or AlreadyExists when the
    Region has a key of this id, also one that has ended and is not purged yet.
    """
    source = replica.primary_region or ""
    primary = keys.find_key(conn, replica.key_id, source)
    if primary is None:
        raise NotFound(f"key {replica.key_id}")
    if not primary.enabled:
        raise WrongState(primary.state)
    if primary.primary_region != source:
        raise NotPrimary(f"key {replica.key_id}")
    row = replace(
        replica, state=keys.PENDING_IMPORT if primary.origin == _EXTERNAL else keys.ENABLED, spec=primary.spec,
        usage=primary.usage, origin=primary.origin, current_material=primary.current_material,
        rotation_period=primary.rotation_period, rotation_due=primary.rotation_due,
    )  # fmt: skip
    keys.insert_key(conn, row, None)
    if primary.origin == _EXTERNAL:
        imports.expect_materials(conn, row.key_id, source, row.region)
    else:
        _copy_materials(conn, row.key_id, source, row.region)
    return keys.find_key(conn, row.key_id, row.region) or row


def _copy_materials(conn: Connection, key_id: str, source: str, region: str) -> None:
    """Give a replica copies of its own: the end of one Region's key zeroes that Region's copies only."""
    sealed = {material.material_id: material for material in materials.list_materials(conn, key_id, source)}
    for version in materials.list_versions(conn, key_id, source):
        materials.insert_version(conn, region, sealed[version.material_id], version)


def change_primary(conn: Connection, key_id: str, old: str, new: str) -> None:
    """Let the replica in Region `new` be the primary key, and the key in `old` its replica.

    Raises NotFound when either does not exist, NotPrimary when the key in `old` is not the primary key, and WrongState
    unless both are enabled.
    """
    primary, replica = keys.find_key(conn, key_id, old), keys.find_key(conn, key_id, new)
    if primary is None or replica is None:
        raise NotFound(f"key {key_id}")
    if primary.primary_region != old:
        raise NotPrimary(f"key {key_id}")
    for key in (primary, replica):
        if key.state not in keys.IN_USE:
            raise WrongState(key.state)
    conn.execute(_SET_PRIMARY, {"p_id": key_id, "p_region": new})
