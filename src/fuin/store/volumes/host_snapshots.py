"""Which snapshots a host has to do with: those of its volumes, and those from which its volumes are to be filled."""

from typing import Any

from sqlalchemy import Connection, literal_column, or_, select

from fuin.store.engine import schema

_v, _a, _s = schema.volumes, schema.volume_attachments, schema.snapshots
_HOST, _ID = schema.parameter("p_host"), schema.parameter("p_id")
_JOINED = _v.outerjoin(_a, _a.c.volume_id == _v.c.volume_id)
_HAS = (
    select(_v.c.volume_id)
    .select_from(_JOINED)
    .where(_v.c.volume_id == _ID, or_(_a.c.host_id == _HOST, _v.c.home == _HOST))
)
_TO_FILL = (
    select(_v.c.volume_id, _v.c.kms_key_arn, _v.c.data_key, _v.c.context_id)
    .select_from(_JOINED)
    .where(_v.c.snapshot_id == _ID, _v.c.is_filled == literal_column("0"), _a.c.host_id == _HOST)
    .order_by(_v.c.volume_id)
    .limit(1)
)


_HAS_CHILD = (
    select(_s.c.snapshot_id)
    .select_from(_JOINED.join(_s, _s.c.volume_id == _v.c.volume_id))
    .where(
        _s.c.parent_id == _ID, _s.c.state == literal_column("'pending'"), or_(_a.c.host_id == _HOST, _v.c.home == _HOST)
    )
)


def has_volume(conn: Connection, host: str, volume: str) -> bool:
    """Return whether a volume is attached to a host, or has its disk there."""
    return conn.execute(_HAS, {"p_id": volume, "p_host": host}).first() is not None


def find_volume_to_fill(conn: Connection, host: str, snapshot: str) -> Any:
    """Return a volume of a host that is to be filled from a snapshot, with its stored data key; None without one."""
    return conn.execute(_TO_FILL, {"p_id": snapshot, "p_host": host}).first()


def has_pending_child(conn: Connection, host: str, snapshot: str) -> bool:
    """Return whether a host is to send a snapshot of its volume whose parent this one is."""
    return conn.execute(_HAS_CHILD, {"p_id": snapshot, "p_host": host}).first() is not None
