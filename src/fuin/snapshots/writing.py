"""Blocks go into a pending snapshot: a pack first, then the row that names it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from fuin import crash
from fuin.blobs.waiting import wait_until_done
from fuin.envelope import snapshot_key
from fuin.envelope.snapshot_key import SnapshotKey
from fuin.errors import FuinError, OutcomeUnknown
from fuin.snapshots import pack
from fuin.store.volumes import snapshot_blocks
from fuin.store.volumes.snapshot_blocks import BlockRow, NewBlob

if TYPE_CHECKING:
    from fuin.gate.services import Services
    from fuin.store.volumes.snapshots import Snapshot

# Writes to the database: `Call.write`, which asks for the caller's rights again, or the store's own.
Write = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Target:
    """A pending snapshot with its data key, and how its rows are written; `now` is seconds since 1970."""

    services: Services
    snapshot: Snapshot
    data_key: bytes
    write: Write
    now: float

    @property
    def name(self) -> str:
        """Return the snapshot's id."""
        return self.snapshot.snapshot_id

    def key(self, purpose: str) -> SnapshotKey:
        """Return the snapshot's key for one purpose."""
        return SnapshotKey(self.data_key, purpose, self.name)


def row_binding(snapshot: str, number: int, blob: str, position: int) -> bytes:
    """Return the bytes to which the encrypted checksum of a block's row is bound."""
    parts = (snapshot, str(number), blob, str(position))
    return b"".join(snapshot_key.prefix_length(part.encode()) for part in parts)


async def put_block(target: Target, number: int, block: bytes, checksum: bytes, progress: int | None = None) -> None:
    """Write a block, in place of an earlier one with its number; when this returns it is durable.

    `progress` is the percentage that the snapshot shows from then on. Raises NotFound, WrongSnapshotState and
    StoreUnavailable.
    """
    name, services = target.name, target.services
    seal = partial(_seal, target, number, block)
    placed = await services.packs.add(name, pack.head(name), number, seal, target.now)
    named = True
    try:
        binding = row_binding(name, number, placed.blob, placed.position)
        sealed = target.key(snapshot_key.ROWS).seal(checksum, binding)
        row = BlockRow(number, placed.blob, placed.position, sealed)
        new = NewBlob(placed.blob, placed.stored_size, services.blobs.is_shared)
        writing = asyncio.ensure_future(target.write(snapshot_blocks.put_block, name, row, new, target.now, progress))
        await wait_until_done(writing)
        crash.point("snapshots.after_block")
    except OutcomeUnknown:  # a crash may bring the row back
        raise
    except FuinError:
        named = False
        raise
    finally:
        await placed.end_use(named=named)


def _seal(target: Target, number: int, block: bytes, blob: str) -> tuple[bytes, ...]:
    return pack.seal_block(target.key(snapshot_key.BLOCKS), target.name, blob, number, block)
