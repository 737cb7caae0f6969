"""A pending snapshot becomes complete: its index is written, and the rows of its blocks end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin import crash
from fuin.blobs.waiting import wait_until_done
from fuin.envelope import snapshot_key
from fuin.errors import FuinError, OutcomeUnknown
from fuin.snapshots import index
from fuin.snapshots.index import Entry, NewIndex, Pack, Place
from fuin.snapshots.reading import read_index
from fuin.snapshots.writing import row_binding
from fuin.store.s3 import upload_intents
from fuin.store.volumes import snapshot_blocks, snapshots
from fuin.store.volumes.snapshot_blocks import Completion, NewBlob

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fuin.blobs import interface
    from fuin.gate.services import Services
    from fuin.snapshots.writing import Target
    from fuin.store.volumes.snapshot_blocks import BlockRow


_AT_ONCE = 2  # completions of a worker: each has the rows and entries of all blocks in memory, docs/decisions/0032
_turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


class ClaimRefused(FuinError):
    """The blocks that were put are not those of which the caller speaks."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What the caller says of the blocks that it has put: their number, and the LINEAR checksum, which may be None."""

    blocks: int
    checksum: str | None

    def check(self, entries: Sequence[Entry]) -> None:
        """Raise ClaimRefused unless it holds."""
        if len(entries) != self.blocks:
            raise ClaimRefused(f"{len(entries)} blocks were put, not {self.blocks}")
        if self.checksum is not None and self.checksum not in linear_checksums(entry.checksum for entry in entries):
            raise ClaimRefused("the checksum is not that of the blocks that were put")


def linear_checksums(checksums: Iterable[bytes]) -> tuple[str, str]:
    """Return the SHA-256 of blocks' checksums one after the other, in base64: of their bytes, and of their texts.

    AWS says "concatenated", and not in which form; clients use both.
    """
    raw, text = hashlib.sha256(), hashlib.sha256()
    for checksum in checksums:
        raw.update(checksum)
        text.update(base64.b64encode(checksum))
    return base64.b64encode(raw.digest()).decode(), base64.b64encode(text.digest()).decode()


async def complete(target: Target, claim: Claim | None) -> list[str]:
    """Make a snapshot complete, if the claim about its blocks holds; returns the blobs that nothing needs any longer.

    A few run at once, the others wait. Raises ClaimRefused, Overtaken, NotFound, WrongSnapshotState, TamperedError and
    StoreUnavailable.
    """
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE)):
        return await merge_blocks(target, claim)


async def merge_blocks(target: Target, claim: Claim | None) -> list[str]:
    """Make a snapshot complete now: write the index of its parent's blocks and its own."""
    store = target.services.store
    written = await store.read(snapshot_blocks.list_blocks, target.name)
    entries = await store.run_beside(_open_rows, target, written)
    if claim is not None:
        await store.run_beside(claim.check, entries)
    parent_index = ""
    if target.snapshot.parent_id:
        parent_index = await store.read(snapshots.find_parent_index, target.name)
    parent = await read_index(target.services, target.data_key, parent_index)
    return await _publish(target, written, index.merge(parent, entries))


def _open_rows(target: Target, rows: Sequence[BlockRow]) -> list[Entry]:
    key, name = target.key(snapshot_key.ROWS), target.name
    return [
        Entry(
            row.number, Pack(row.blob, name), row.position,
            key.unseal(row.checksum, row_binding(name, row.number, row.blob, row.position), "the row of a block"),
        )
        for row in rows
    ]  # fmt: skip


async def _publish(target: Target, written: Sequence[BlockRow], entries: Iterator[Entry]) -> list[str]:
    """Write the index, and the rows that name it."""
    services = target.services
    new = services.blobs.create(os.urandom(32).hex())
    place = Place(target.key(snapshot_key.INDEX), target.name, new.blob)
    made: list[NewIndex] = []

    def pieces() -> Iterator[bytes]:  # where the blob is written: an index may have millions of entries
        made.append(NewIndex(entries))
        yield from made[0].pieces(place)

    try:
        if services.blobs.is_shared:
            await services.store.write(upload_intents.begin, new.blob, services.settings.node, target.now)
        await wait_until_done(new.commit(pieces()))
        crash.point("snapshots.after_index")
        stored = NewBlob(new.blob, new.size, services.blobs.is_shared)
        done = Completion(made[0].blocks, {each.blob: blocks for each, blocks in made[0].uses.items()})
        writing = asyncio.ensure_future(
            target.write(snapshot_blocks.complete, target.name, stored, done, written, target.now)
        )
        unused: list[str] = await wait_until_done(writing)
    except OutcomeUnknown:
        raise
    except FuinError:
        await _discard(services, new)
        raise
    finally:
        new.release()
    crash.point("snapshots.after_completion")
    return unused


async def _discard(services: Services, new: interface.NewBlob) -> None:
    await wait_until_done(new.discard())
    if services.blobs.is_shared:
        with contextlib.suppress(FuinError):  # the sweep forgets it otherwise
            await services.store.write(upload_intents.forget, [new.blob])
