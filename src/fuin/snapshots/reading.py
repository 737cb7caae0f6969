"""Reading a completed snapshot: its index, pages of it, and its blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from fuin.blobs.waiting import wait_until_done
from fuin.envelope import snapshot_key
from fuin.envelope.snapshot_key import SnapshotKey
from fuin.snapshots import index, pack
from fuin.snapshots.index import Entry, Place
from fuin.store.volumes import snapshot_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuin.blobs.interface import ReadSteps
    from fuin.gate.services import Services
    from fuin.store.volumes.snapshots import Snapshot

T = TypeVar("T")
WINDOW = 10_000  # blocks of each snapshot that one page of changes looks at


class OpenSnapshot(NamedTuple):
    """A completed snapshot with its data key."""

    snapshot: Snapshot
    data_key: bytes


class Changes(NamedTuple):
    """A page of changes, and the block with which the next one begins; None after the last page."""

    changes: Sequence[tuple[Entry | None, Entry | None]]
    next_block: int | None


async def read_index(services: Services, data_key: bytes, blob: str) -> list[Entry]:
    """Return all entries of an index; raises BlobMissing, TamperedError and StoreUnavailable.

    A snapshot without an index is an empty one, of a volume on which nobody has written.
    """
    return [] if not blob else await _read(services, blob, index.read_all(await _place(services, data_key, blob)))


async def read_page(services: Services, opened: OpenSnapshot, start: int, limit: int) -> list[Entry]:
    """Return up to `limit` blocks of a snapshot from a number on."""
    blob = opened.snapshot.index_blob
    if not blob:
        return []
    place = await _place(services, opened.data_key, blob)
    return await _read(services, blob, index.read_from(place, start, limit))


async def read_changes(
    services: Services, first: OpenSnapshot | None, second: OpenSnapshot, start: int, limit: int
) -> Changes:
    """Return up to `limit` blocks that differ between two snapshots, from a number on.

    A page looks at a window of each snapshot, so it may be empty although others follow, as AWS's pages.
    """
    old = [] if first is None else await read_page(services, first, start, WINDOW)
    new = await read_page(services, second, start, WINDOW)
    ends = [window[-1].block for window in (old, new) if len(window) == WINDOW]
    found = list(index.changes(old, new))
    next_block: int | None = None
    if ends:
        found = [pair for pair in found if _block(pair) <= min(ends)]
        next_block = min(ends) + 1
    if len(found) > limit:
        next_block = _block(found[limit])
        found = found[:limit]
    return Changes(found, next_block)


def _block(pair: tuple[Entry | None, Entry | None]) -> int:
    old, new = pair
    if new is not None:
        return new.block
    return -1 if old is None else old.block


async def read_block(services: Services, data_key: bytes, entry: Entry) -> bytes:
    """Return the plaintext of a block; raises BlobMissing, TamperedError and StoreUnavailable."""
    key = SnapshotKey(data_key, snapshot_key.BLOCKS, entry.pack.owner)
    steps = pack.read_block(key, entry.pack.owner, entry.pack.blob, entry.position, entry.block)
    return await _read(services, entry.pack.blob, steps)


async def _place(services: Services, data_key: bytes, blob: str) -> Place:
    """Return the place of an index: a copy under the same data key has the index of its source."""
    snapshot = await services.store.read(snapshot_blocks.find_owner, blob)
    return Place(SnapshotKey(data_key, snapshot_key.INDEX, snapshot), snapshot, blob)


async def _read(services: Services, blob: str, steps: ReadSteps[T]) -> T:
    (opened,) = await wait_until_done(services.blobs.open([blob]))
    try:
        return await wait_until_done(opened.read(steps))
    finally:
        opened.close()
