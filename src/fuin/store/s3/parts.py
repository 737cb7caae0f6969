"""The parts of objects and uploads: each is one encrypted message, in a blob or, if it is small, in its row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, Table, select, union_all

from fuin.store.engine import schema

_AT_ONCE = 500  # parameters of one IN list


@dataclass(slots=True)  # not frozen: each request makes one, which would take five times as long
class Part:
    """A part of an object or upload; an object put in one request has one part, number 1.

    `blob` is the id of the stored ciphertext, `size` counts plaintext and `stored_size` ciphertext bytes, `checksum` is
    JSON, `message_id` is the id that the stored message must bear: bytes moved under another object do not open.
    `content` is the stored message of a small object, which has no blob in the store; None for all others.
    """

    blob: str
    size: int
    stored_size: int
    number: int
    etag: str
    checksum: str | None
    message_id: bytes
    modified: float
    content: bytes | None = field(default=None, repr=False)


def columns(table: Table) -> tuple[Any, ...]:
    """Return a table's columns in the order of `Part`'s fields; parts of uploads have no content in their rows."""
    return tuple(table.c[name] for name in _FIELDS if name in table.c)


def row(part: Part) -> dict[str, object]:
    """Return a part as a row's values, without its owner and its content."""
    return {
        "blob": part.blob, "size": part.size, "stored_size": part.stored_size, "number": part.number,
        "etag": part.etag, "checksum": part.checksum, "message_id": part.message_id, "modified": part.modified,
    }  # fmt: skip


_FIELDS = tuple(each.name for each in fields(Part))
_BLOBS = schema.parameter("p_blobs", many=True)
_KNOWN = union_all(
    select(schema.object_parts.c.blob).where(schema.object_parts.c.blob.in_(_BLOBS)),
    select(schema.upload_parts.c.blob).where(schema.upload_parts.c.blob.in_(_BLOBS)),
    select(schema.snapshot_blobs.c.blob).where(schema.snapshot_blobs.c.blob.in_(_BLOBS)),
)


def known_blobs(conn: Connection, blobs: Iterable[str]) -> set[str]:
    """Return those of the blob ids that an object, an upload or a snapshot refers to; others are orphans."""
    wanted: Sequence[str] = list(blobs)
    found: set[str] = set()
    for start in range(0, len(wanted), _AT_ONCE):
        found.update(conn.execute(_KNOWN, {"p_blobs": wanted[start : start + _AT_ONCE]}).scalars())
    return found
