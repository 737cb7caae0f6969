"""Blocks go into a pending snapshot: a pack first, then the row that names it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from fuin import crash
from fuin.blobs.waiting import wait_until_done
from fuin.envelope import snapshot_key
from fuin.envelope.snapshot_key import SnapshotKey
from fuin.errors import FuinError, OutcomeUnknown
from fuin.snapshots import pack
from fuin.store.volumes import snapshot_blocks
from fuin.store.volumes.snapshot_blocks import BlockRow, NewBlob

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.store.volumes.snapshots import Snapshot


def row_binding(snapshot: str, number: int, blob: str, position: int) -> bytes:
    """Return the bytes to which the encrypted checksum of a block's row is bound."""
    parts = (snapshot, str(number), blob, str(position))
    return b"".join(snapshot_key.prefix_length(part.encode()) for part in parts)


async def put_block(
    call: Call, snapshot: Snapshot, data_key: bytes, number: int, block: bytes, checksum: bytes
) -> None:
    """Write a block, in place of an earlier one with its number; when this returns it is durable.

    Raises NotFound, WrongSnapshotState and StoreUnavailable.
    """
    name, services = snapshot.snapshot_id, call.services
    seal = partial(_seal, data_key, name, number, block)
    placed = await services.packs.add(name, pack.head(name), number, seal, call.now)
    named = True
    try:
        rows = SnapshotKey(data_key, snapshot_key.ROWS, name)
        sealed = rows.seal(checksum, row_binding(name, number, placed.blob, placed.position))
        row = BlockRow(number, placed.blob, placed.position, sealed)
        new = NewBlob(placed.blob, placed.stored_size, services.blobs.is_shared)
        writing = asyncio.ensure_future(call.write(snapshot_blocks.put_block, name, row, new, call.now))
        await wait_until_done(writing)
        crash.point("snapshots.after_block")
    except OutcomeUnknown:  # a crash may bring the row back
        raise
    except FuinError:
        named = False
        raise
    finally:
        await placed.end_use(named=named)


def _seal(data_key: bytes, snapshot: str, number: int, block: bytes, blob: str) -> tuple[bytes, bytes]:
    key = SnapshotKey(data_key, snapshot_key.BLOCKS, snapshot)
    return pack.seal_block(key, snapshot, blob, number, block)
