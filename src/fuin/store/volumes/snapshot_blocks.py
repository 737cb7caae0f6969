"""The blobs of snapshots and who needs them: blocks that were put, completion, and deletion with counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, insert, or_, select, update

from fuin.store.engine import schema
from fuin.store.engine.prepared import PreparedSelect, PreparedWrite
from fuin.store.errors import NotFound, Overtaken, StillUsed
from fuin.store.s3 import upload_intents
from fuin.store.volumes import volumes
from fuin.store.volumes.snapshots import BLOCKS, COMPLETED, ERROR, INDEX, PENDING, WrongSnapshotState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

_s, _b, _u, _k = schema.snapshots, schema.snapshot_blobs, schema.snapshot_uses, schema.snapshot_blocks
_ID, _BLOB = schema.parameter("p_id"), schema.parameter("p_blob")
_BLOBS = schema.parameter("p_blobs", many=True)
# On PostgreSQL no snapshot is completed or deleted while a block is put. Blocks do not wait for blocks.
_STATE = select(_s.c.state, _s.c.last_write_at, _s.c.progress).where(_s.c.snapshot_id == _ID)
_STATE_TO_PUT = PreparedSelect(_STATE.with_for_update(read=True, key_share=True))
_STATE_TO_END = _STATE.with_for_update()
_HAS_BLOB = PreparedSelect(select(_b.c.blob).where(_b.c.blob == _BLOB))
_INDEX = schema.parameter("p_index", schema.LONG)
_DROP_BLOCK = PreparedWrite(delete(_k).where(_k.c.snapshot_id == _ID, _k.c.block_index == _INDEX))
_ADD_BLOCK = PreparedWrite(insert(_k), ("snapshot_id", "block_index", "blob", "position", "checksum"))
_LIST = (
    select(_k.c.block_index, _k.c.blob, _k.c.position, _k.c.checksum)
    .where(_k.c.snapshot_id == _ID)
    .order_by(_k.c.block_index)
)
_OWNER = select(_b.c.snapshot_id).where(_b.c.blob == _BLOB)
_DROP_BLOCKS = delete(_k).where(_k.c.snapshot_id == _ID)
_DROP_USES = delete(_u).where(_u.c.snapshot_id == _ID)
# Those that a snapshot needs or has written, in one order, so that nobody waits in a circle.
_CONCERNED = (
    select(_b.c.blob)
    .where(or_(_b.c.snapshot_id == _ID, _b.c.blob.in_(select(_u.c.blob).where(_u.c.snapshot_id == _ID))))
    .order_by(_b.c.blob)
    .with_for_update()
)
_USED = select(_u.c.blob).where(_u.c.blob.in_(_BLOBS))
_DROP_BLOBS = delete(_b).where(_b.c.blob.in_(_BLOBS))
_AT_ONCE = 500  # parameters of one IN list
_NOTED_EVERY = 30.0  # seconds; the time of the last write need not be exact


class BlockRow(NamedTuple):
    """A block that was put into a pending snapshot; the checksum is encrypted."""

    number: int
    blob: str
    position: int
    checksum: bytes


class NewBlob(NamedTuple):
    """A durable blob that a row is to name; `announced` says that the sweep knows its writer by an intent."""

    blob: str
    stored_size: int
    announced: bool


def put_block(
    conn: Connection, snapshot: str, block: BlockRow, pack: NewBlob, now: float, progress: int | None = None
) -> None:
    """Add a block, in place of the one with its index; `progress` is the percentage that its writer says.

    Raises NotFound and WrongSnapshotState.
    """
    row = _STATE_TO_PUT.first(conn, {"p_id": snapshot})
    if row is None:
        raise NotFound(snapshot)
    if row.state != PENDING:
        raise WrongSnapshotState(row.state)
    if _HAS_BLOB.first(conn, {"p_blob": pack.blob}) is None:
        _add_blob(conn, snapshot, BLOCKS, pack, now)
    _DROP_BLOCK.run(conn, {"p_id": snapshot, "p_index": block.number})
    _ADD_BLOCK.run(
        conn,
        {"snapshot_id": snapshot, "block_index": block.number, "blob": block.blob, "position": block.position,
         "checksum": block.checksum},
    )  # fmt: skip
    if now - row.last_write_at > _NOTED_EVERY or progress not in (None, row.progress):
        values = {"last_write_at": now, **({} if progress is None else {"progress": progress})}
        conn.execute(update(_s).where(_s.c.snapshot_id == snapshot).values(values))


def _add_blob(conn: Connection, snapshot: str, kind: str, new: NewBlob, now: float) -> None:
    if new.announced:
        upload_intents.end(conn, [new.blob])
    conn.execute(
        insert(_b),
        {"blob": new.blob, "snapshot_id": snapshot, "kind": kind, "stored_size": new.stored_size, "created_at": now},
    )


def list_blocks(conn: Connection, snapshot: str) -> list[BlockRow]:
    """Return the blocks that were put into a pending snapshot, in their order."""
    return [BlockRow(*row) for row in conn.execute(_LIST, {"p_id": snapshot})]


def find_owner(conn: Connection, blob: str) -> str:
    """Return the snapshot that has written a blob, under whose keys it is; empty for an unknown blob."""
    return conn.execute(_OWNER, {"p_blob": blob}).scalar() or ""


class Completion(NamedTuple):
    """What a snapshot is when it is complete: its blocks in all, and how many of them are in which blob."""

    block_count: int
    uses: Mapping[str, int]


def complete(
    conn: Connection, snapshot: str, index: NewBlob, done: Completion, written: Sequence[BlockRow], now: float
) -> list[str]:
    """Make a snapshot complete; returns the blobs that nothing needs any longer.

    Raises Overtaken if a block came after those that were written, NotFound and WrongSnapshotState.
    """
    _require_pending(conn, snapshot)
    if list_blocks(conn, snapshot) != written:
        raise Overtaken(snapshot)
    _add_blob(conn, snapshot, INDEX, index, now)
    concerned = list(conn.execute(_CONCERNED, {"p_id": snapshot}).scalars())
    conn.execute(_DROP_BLOCKS, {"p_id": snapshot})
    conn.execute(_DROP_USES, {"p_id": snapshot})
    _add_uses(conn, snapshot, {**done.uses, index.blob: 0})
    conn.execute(
        update(_s).where(_s.c.snapshot_id == snapshot).values(
            state=COMPLETED, progress=100, completed_at=now, index_blob=index.blob, block_count=done.block_count,
        )
    )  # fmt: skip
    return _drop_unused(conn, concerned)


def _require_pending(conn: Connection, snapshot: str) -> None:
    row = conn.execute(_STATE_TO_END, {"p_id": snapshot}).first()
    if row is None:
        raise NotFound(snapshot)
    if row.state != PENDING:
        raise WrongSnapshotState(row.state)


def _add_uses(conn: Connection, snapshot: str, uses: Mapping[str, int]) -> None:
    rows = [{"snapshot_id": snapshot, "blob": blob, "blocks": blocks} for blob, blocks in sorted(uses.items())]
    if rows:
        conn.execute(insert(_u), rows)


def copy_uses(conn: Connection, snapshot: str, source: str) -> None:
    """Let a snapshot need all blobs that another one needs, as a copy under the same data key does."""
    rows = conn.execute(select(_u.c.blob, _u.c.blocks).where(_u.c.snapshot_id == source)).all()
    _add_uses(conn, snapshot, {row.blob: row.blocks for row in rows})


def fail(conn: Connection, snapshot: str, message: str) -> list[str]:
    """Make a pending snapshot an error, and forget its blocks; returns the blobs that nothing needs any longer.

    It forgets its data key too, since it has nothing to open: its KMS key may be deleted then.
    Raises NotFound and WrongSnapshotState.
    """
    _require_pending(conn, snapshot)
    blobs = _forget_blocks(conn, snapshot)
    forgotten = {"kms_key_arn": "", "kms_material_id": None, "data_key": b""}
    conn.execute(update(_s).where(_s.c.snapshot_id == snapshot).values(state=ERROR, message=message, **forgotten))
    return blobs


def delete_snapshot(conn: Connection, snapshot: str) -> list[str]:
    """Delete a snapshot; returns the blobs that nothing needs any longer.

    Raises NotFound, and StillUsed while a volume is still to be filled from it.
    """
    if conn.execute(_STATE_TO_END, {"p_id": snapshot}).first() is None:
        raise NotFound(snapshot)
    if (volume := volumes.find_unfilled(conn, snapshot)) is not None:
        raise StillUsed(volume)
    blobs = _forget_blocks(conn, snapshot)
    conn.execute(delete(schema.ec2_tags).where(schema.ec2_tags.c.resource_id == snapshot))
    conn.execute(delete(_s).where(_s.c.snapshot_id == snapshot))  # its shares go by ON DELETE CASCADE
    return blobs


def _forget_blocks(conn: Connection, snapshot: str) -> list[str]:
    concerned = list(conn.execute(_CONCERNED, {"p_id": snapshot}).scalars())
    conn.execute(_DROP_BLOCKS, {"p_id": snapshot})
    conn.execute(_DROP_USES, {"p_id": snapshot})
    return _drop_unused(conn, concerned)


def _drop_unused(conn: Connection, blobs: Iterable[str]) -> list[str]:
    """Delete the rows of those blobs that no snapshot needs, and return them; the rows are locked."""
    every, unused = list(blobs), list[str]()
    for start in range(0, len(every), _AT_ONCE):
        some = every[start : start + _AT_ONCE]
        used = set(conn.execute(_USED, {"p_blobs": some}).scalars())
        if free := [blob for blob in some if blob not in used]:
            conn.execute(_DROP_BLOBS, {"p_blobs": free})
            unused += free
    return unused
