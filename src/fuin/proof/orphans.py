"""Blobs that no row names: who is suspected first, and looked at again when everything else was.

A blob that is being written has no row yet, and one that was just replaced is removed after its row has gone. So a blob
is an orphan only if no row names it at the first look, and it is still there at the second one, nobody writes it, and
no row names it. Those that a sweep has moved out of the way are no findings; they are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.proof.finding import ORPHAN, UNPROVEN, Finding
from fuin.store.s3 import parts, upload_intents

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from fuin.blobs.interface import BlobStore, StoredBlob
    from fuin.store.store import Store

_AT_ONCE = 500  # blobs for one look into the index
_TOGETHER = 100  # blobs that are held together, each with an open file
SUSPECTS_AT_MOST = 100_000  # that are kept in memory between the two looks


async def list_suspects(store: Store, blobs: BlobStore) -> list[StoredBlob]:
    """Return the stored blobs that no row names now, finished or not."""
    found: list[StoredBlob] = []
    async for batch in blobs.list_batches(_AT_ONCE):
        named = await store.read(parts.known_blobs, [stored.id for stored in batch])
        found += [stored for stored in batch if stored.id not in named][: SUSPECTS_AT_MOST - len(found)]
        if len(found) == SUSPECTS_AT_MOST:
            break
    return found


async def list_orphans(store: Store, blobs: BlobStore, suspects: Sequence[StoredBlob]) -> AsyncIterator[Finding]:
    """Yield those of the suspects that are orphans still."""
    for start in range(0, len(suspects), _TOGETHER):
        hold = await blobs.hold_unused(suspects[start : start + _TOGETHER])
        try:
            unused = list(hold.blobs)
            ids = [stored.id for stored in unused]
            named = await store.read(parts.known_blobs, ids)
            if blobs.is_shared:
                named |= await store.read(upload_intents.find_under_way, ids)
        finally:
            hold.release()
        for stored in unused:
            if stored.id not in named:
                reason = "no row names it" if stored.blob else "it was never finished, and nobody writes it"
                yield Finding(ORPHAN, reason, blob=stored.name)
    if len(suspects) >= SUSPECTS_AT_MOST:
        yield Finding(
            UNPROVEN, f"no row names {SUSPECTS_AT_MOST:,} blobs or more: the others were not looked at", blob="…"
        )


async def count_moved(blobs: BlobStore) -> int:
    """Return how many orphans wait out of the way, where a sweep has moved them."""
    return sum(len(group.orphans) for group in await blobs.orphans.groups())
