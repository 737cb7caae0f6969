"""Volumes: what is to be known of a disk that a host has, and its data key, encrypted under a KMS key."""

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, literal_column, select, update
from sqlalchemy.exc import IntegrityError

from fuin.store.engine import schema
from fuin.store.engine.errors import insert_refusal
from fuin.store.engine.rows import ALL
from fuin.store.errors import NotFound

CREATING, AVAILABLE, IN_USE, DELETING, ERROR = "creating", "available", "in-use", "deleting", "error"


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume; docs/formats/database.md says what the columns mean."""

    volume_id: str
    account: str
    region: str
    zone: str
    size: int  # GiB
    volume_type: str
    iops: int
    throughput: int
    state: str
    kms_key_arn: str
    kms_material_id: bytes | None
    data_key: bytes
    context_id: str
    snapshot_id: str
    client_token: str
    request_digest: bytes
    created_at: float
    home: str = ""
    is_formatted: bool = False
    is_filled: bool = True


_v = schema.volumes
_NAMES = tuple(field.name for field in fields(Volume))
_ID, _LIMIT = schema.parameter("p_id"), schema.parameter("p_limit", schema.LONG)
_IN_REGION = and_(_v.c.account == schema.parameter("p_account"), _v.c.region == schema.parameter("p_region"))
_ALL = select(*(_v.c[name] for name in _NAMES))
_FIND = _ALL.where(_v.c.volume_id == _ID)
_FIND_BY_TOKEN = _ALL.where(_IN_REGION, _v.c.client_token == schema.parameter("p_token"))
_LIST = _ALL.where(_IN_REGION, _v.c.volume_id > schema.parameter("p_after")).order_by(_v.c.volume_id).limit(_LIMIT)
_UNFILLED = (
    select(_v.c.volume_id)
    .where(_v.c.snapshot_id == _ID, _v.c.is_filled == literal_column("0"))
    .order_by(_v.c.volume_id)
    .limit(1)
)
_LOCK = _FIND.with_for_update()
_DELETE = delete(_v).where(_v.c.volume_id == _ID)
_HERE = update(_v).where(_v.c.volume_id == _ID)


def _volume(row: Row[*tuple[Any, ...]]) -> Volume:
    flags = {"is_formatted": bool(row.is_formatted), "is_filled": bool(row.is_filled)}
    return Volume(**{**row._asdict(), **flags})


def insert_volume(conn: Connection, volume: Volume) -> None:
    """Add a volume; raises AlreadyExists for a client token that was used, and NotFound for an unknown account."""
    row = {name: getattr(volume, name) for name in _NAMES}
    row |= {"is_formatted": int(volume.is_formatted), "is_filled": int(volume.is_filled)}
    try:
        conn.execute(_v.insert(), row)
    except IntegrityError as error:
        raise insert_refusal(error, missing=f"account {volume.account}", taken=volume.client_token) from None


def find_volume(conn: Connection, volume_id: str) -> Volume | None:
    """Return a volume by its id, of any account."""
    row = conn.execute(_FIND, {"p_id": volume_id}).first()
    return None if row is None else _volume(row)


def lock_volume(conn: Connection, volume_id: str) -> Volume:
    """Return a volume that no other transaction changes until this one ends; raises NotFound."""
    row = conn.execute(_LOCK, {"p_id": volume_id}).first()
    if row is None:
        raise NotFound(volume_id)
    return _volume(row)


def find_by_token(conn: Connection, account: str, region: str, token: str) -> Volume | None:
    """Return the volume that a request with this ClientToken has made."""
    row = conn.execute(_FIND_BY_TOKEN, {"p_account": account, "p_region": region, "p_token": token}).first()
    return None if row is None else _volume(row)


def list_volumes(conn: Connection, account: str, region: str, after: str = "", limit: int = ALL) -> list[Volume]:
    """Return up to `limit` of an account's volumes in a Region, by id, greater than `after`."""
    given = {"p_account": account, "p_region": region, "p_after": after, "p_limit": limit}
    return [_volume(row) for row in conn.execute(_LIST, given)]


def find_unfilled(conn: Connection, snapshot_id: str) -> str | None:
    """Return the id of a volume whose disk is still to be filled from a snapshot, which must stay until then."""
    found: str | None = conn.execute(_UNFILLED, {"p_id": snapshot_id}).scalar()
    return found


def set_state(conn: Connection, volume_id: str, state: str) -> None:
    """Set the state of a volume; raises NotFound."""
    _set(conn, volume_id, {"state": state})


def set_disk(conn: Connection, volume_id: str, home: str, *, is_formatted: bool, is_filled: bool) -> None:
    """Set which host has the disk, and how far it is; raises NotFound."""
    _set(conn, volume_id, {"home": home, "is_formatted": int(is_formatted), "is_filled": int(is_filled)})


def set_shape(conn: Connection, volume_id: str, size: int, volume_type: str, iops: int, throughput: int) -> None:
    """Set the size, type and speed of a volume; raises NotFound."""
    _set(conn, volume_id, {"size": size, "volume_type": volume_type, "iops": iops, "throughput": throughput})


def set_data_key(conn: Connection, volume_id: str, key_arn: str, material_id: bytes | None, blob: bytes) -> None:
    """Set the data key of a volume as another KMS key has encrypted it; raises NotFound."""
    _set(conn, volume_id, {"kms_key_arn": key_arn, "kms_material_id": material_id, "data_key": blob})


def _set(conn: Connection, volume_id: str, values: dict[str, object]) -> None:
    if conn.execute(_HERE.values(values), {"p_id": volume_id}).rowcount == 0:
        raise NotFound(volume_id)


def delete_volume(conn: Connection, volume_id: str) -> None:
    """Remove a volume without an attachment; raises NotFound."""
    if conn.execute(_DELETE, {"p_id": volume_id}).rowcount == 0:
        raise NotFound(volume_id)
