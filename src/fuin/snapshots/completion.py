"""A pending snapshot becomes complete: its index is written, and the rows of its blocks end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin import crash
from fuin.blobs.waiting import wait_until_done
from fuin.envelope import snapshot_key
from fuin.envelope.snapshot_key import SnapshotKey
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
    from fuin.gate.call import Call
    from fuin.store.volumes.snapshot_blocks import BlockRow
    from fuin.store.volumes.snapshots import Snapshot


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


async def complete(call: Call, snapshot: Snapshot, data_key: bytes, claim: Claim | None) -> list[str]:
    """Make a snapshot complete, if the claim about its blocks holds; returns the blobs that nothing needs any longer.

    Raises ClaimRefused, Overtaken, NotFound, WrongSnapshotState, TamperedError and StoreUnavailable.
    """
    store = call.services.store
    written = await store.read(snapshot_blocks.list_blocks, snapshot.snapshot_id)
    entries = await store.run_beside(_open_rows, data_key, snapshot.snapshot_id, written)
    if claim is not None:
        claim.check(entries)
    parent: Sequence[Entry] = ()
    parent_index = await store.read(snapshots.find_parent_index, snapshot)
    if parent_index is not None:
        parent = await read_index(call.services, data_key, snapshot.parent_id, parent_index)
    return await _publish(call, snapshot, data_key, written, index.merge(parent, entries))


def _open_rows(data_key: bytes, snapshot: str, rows: Sequence[BlockRow]) -> list[Entry]:
    key = SnapshotKey(data_key, snapshot_key.ROWS, snapshot)
    return [
        Entry(
            row.number, Pack(row.blob, snapshot), row.position,
            key.unseal(row.checksum, row_binding(snapshot, row.number, row.blob, row.position), "a row"),
        )
        for row in rows
    ]  # fmt: skip


async def _publish(
    call: Call, snapshot: Snapshot, data_key: bytes, written: Sequence[BlockRow], entries: Iterator[Entry]
) -> list[str]:
    """Write the index, and the rows that name it."""
    services, name = call.services, snapshot.snapshot_id
    new = services.blobs.create(os.urandom(32).hex())
    place = Place(SnapshotKey(data_key, snapshot_key.INDEX, name), name, new.blob)
    made: list[NewIndex] = []

    def pieces() -> Iterator[bytes]:  # where the blob is written: an index may have millions of entries
        made.append(NewIndex(entries))
        yield from made[0].pieces(place)

    try:
        if services.blobs.is_shared:
            await services.store.write(upload_intents.begin, new.blob, services.settings.node, call.now)
        await wait_until_done(new.commit(pieces()))
        crash.point("snapshots.after_index")
        stored = NewBlob(new.blob, new.size, services.blobs.is_shared)
        done = Completion(made[0].blocks, {each.blob: blocks for each, blocks in made[0].uses.items()})
        writing = asyncio.ensure_future(call.write(snapshot_blocks.complete, name, stored, done, written, call.now))
        return await wait_until_done(writing)
    except OutcomeUnknown:
        raise
    except FuinError:
        await _discard(call, new)
        raise
    finally:
        new.release()


async def _discard(call: Call, new: interface.NewBlob) -> None:
    await wait_until_done(new.discard())
    if call.services.blobs.is_shared:
        with contextlib.suppress(FuinError):  # the sweep forgets it otherwise
            await call.services.store.write(upload_intents.forget, [new.blob])
