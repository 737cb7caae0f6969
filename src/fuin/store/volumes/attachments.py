"""Attachments: which host has a volume open, or shall open or close it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, select, update
from sqlalchemy.exc import IntegrityError

from fuin.store.engine import schema
from fuin.store.engine.errors import insert_refusal
from fuin.store.errors import NotFound

ATTACHING, ATTACHED, BUSY, DETACHING, DETACHED = "attaching", "attached", "busy", "detaching", "detached"


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment of a volume to a host; a volume has one at most."""

    volume_id: str
    host_id: str
    device: str
    state: str
    grant_id: str
    key_arn: str
    attached_at: float
    delete_on_termination: bool = False
    message: str = ""
    fill_grant_id: str = ""


_a, _v = schema.volume_attachments, schema.volumes
_NAMES = tuple(field.name for field in fields(Attachment))
_ID, _HOST = schema.parameter("p_id"), schema.parameter("p_host")
_ALL = select(*(_a.c[name] for name in _NAMES))
_FIND = _ALL.where(_a.c.volume_id == _ID)
_LIST_OF_HOST = _ALL.where(_a.c.host_id == _HOST).order_by(_a.c.volume_id)
_LIST_OF_VOLUMES = _ALL.where(_a.c.volume_id.in_(schema.parameter("p_ids", schema.TEXT, many=True)))
_HAS_DEVICE = select(_a.c.volume_id).where(
    and_(_a.c.host_id == _HOST, _a.c.device == schema.parameter("p_device"))
)  # fmt: skip
_SET_STATE = (
    update(_a)
    .where(_a.c.volume_id == _ID)
    .values(state=schema.parameter("p_state"), message=schema.parameter("p_message"))
)
_FORGET_FILL_GRANT = update(_a).where(_a.c.volume_id == _ID).values(fill_grant_id="")
_DELETE = delete(_a).where(_a.c.volume_id == _ID)


def _attachment(row: Row[*tuple[Any, ...]]) -> Attachment:
    return Attachment(**{**row._asdict(), "delete_on_termination": bool(row.delete_on_termination)})


def insert_attachment(conn: Connection, attachment: Attachment) -> None:
    """Add an attachment; raises AlreadyExists when the volume has one, NotFound when volume or host have gone."""
    row = {name: getattr(attachment, name) for name in _NAMES}
    row["delete_on_termination"] = int(attachment.delete_on_termination)
    try:
        conn.execute(_a.insert(), row)
    except IntegrityError as error:
        raise insert_refusal(error, missing=attachment.host_id, taken=attachment.volume_id) from None


def find_attachment(conn: Connection, volume_id: str) -> Attachment | None:
    """Return the attachment of a volume."""
    row = conn.execute(_FIND, {"p_id": volume_id}).first()
    return None if row is None else _attachment(row)


def list_of_host(conn: Connection, host_id: str) -> list[Attachment]:
    """Return the attachments to a host."""
    return [_attachment(row) for row in conn.execute(_LIST_OF_HOST, {"p_host": host_id})]


def find_of_volumes(conn: Connection, volume_ids: Sequence[str]) -> dict[str, Attachment]:
    """Return the attachments of volumes, by the volume's id."""
    rows = conn.execute(_LIST_OF_VOLUMES, {"p_ids": list(volume_ids)}) if volume_ids else ()
    return {found.volume_id: found for found in map(_attachment, rows)}


def is_device_taken(conn: Connection, host_id: str, device: str) -> bool:
    """Return whether a host has a volume under this name of a device."""
    return conn.execute(_HAS_DEVICE, {"p_host": host_id, "p_device": device}).first() is not None


def set_state(conn: Connection, volume_id: str, state: str, message: str = "") -> None:
    """Set the state of a volume's attachment; raises NotFound."""
    if conn.execute(_SET_STATE, {"p_id": volume_id, "p_state": state, "p_message": message}).rowcount == 0:
        raise NotFound(volume_id)


def forget_fill_grant(conn: Connection, volume_id: str) -> None:
    """Note that the grant for the data key of the snapshot has ended."""
    conn.execute(_FORGET_FILL_GRANT, {"p_id": volume_id})


def delete_attachment(conn: Connection, volume_id: str) -> None:
    """Remove the attachment of a volume; raises NotFound."""
    if conn.execute(_DELETE, {"p_id": volume_id}).rowcount == 0:
        raise NotFound(volume_id)
