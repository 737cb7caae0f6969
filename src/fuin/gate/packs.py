"""Packs: blobs of many blocks, which a worker gathers from the requests that come at the same time.

A file that is made durable costs some milliseconds, whatever its size, and an object on S3 a request. So a block waits
until the pack before it is durable, and all that wait then go into the next one: nobody waits for a timer. Blocks of
different groups are never in one pack.

A pack is in use from its first byte until every request that has a block in it is done. It is removed if none of them
has named it; what a crash leaves behind is an orphan, as any blob that no row names.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from fuin import crash
from fuin.blobs.waiting import wait_until_done
from fuin.errors import FuinError, StoreUnavailable
from fuin.store.s3 import upload_intents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fuin.blobs.interface import BlobStore, NewBlob
    from fuin.settings import Settings
    from fuin.store.store import Store

_log = logging.getLogger("fuin.snapshots")
AT_MOST = 16  # blocks of a pack

# Returns the bytes of a block's slot, for the id of its pack; it runs where the blob is written.
Seal = Callable[[str], "Iterable[bytes]"]


class _Waiting(NamedTuple):
    """A block that waits for its pack."""

    number: int
    seal: Seal
    placed: asyncio.Future[PlacedBlock]


class _Pack:
    """A pack that is being written, or that requests are about to name."""

    def __init__(self, packs: Packs, new: NewBlob, users: int) -> None:
        self.packs, self.new, self.users = packs, new, users
        self.is_named = False


class PlacedBlock(NamedTuple):
    """A block that is durable in a pack: the blob, the block's position in it, and the bytes of the whole pack."""

    blob: str
    position: int
    stored_size: int
    pack: _Pack

    async def end_use(self, *, named: bool) -> None:
        """End the use of the pack; `named` says that a row names it, or may do so after a crash."""
        pack = self.pack
        pack.is_named = pack.is_named or named
        pack.users -= 1
        if pack.users == 0:
            await pack.packs.end(pack.new, is_named=pack.is_named)


class Packs:
    """The packs of one worker."""

    def __init__(self, settings: Settings, store: Store, blobs: BlobStore) -> None:
        self._settings, self._store, self._blobs = settings, store, blobs
        self._waiting: dict[str, list[_Waiting]] = {}
        self._tasks: set[asyncio.Future[None]] = set()

    async def add(self, group: str, head: bytes, index: int, seal: Seal, now: float) -> PlacedBlock:
        """Return a block's place, when its pack is durable; `head` begins each pack of the group.

        The caller must end the use. Raises StoreUnavailable.
        """
        placed: asyncio.Future[PlacedBlock] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(group)
        if waiting is not None:
            waiting.append(_Waiting(index, seal, placed))
        else:
            self._waiting[group] = [_Waiting(index, seal, placed)]
            task = asyncio.ensure_future(self._write_all(group, head, now))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await placed

    async def _write_all(self, group: str, head: bytes, now: float) -> None:
        """Write packs until no block of the group waits; whatever happens, none waits afterwards."""
        blocks: Sequence[_Waiting] = ()
        try:
            while self._waiting[group]:
                blocks = self._take(group)
                if blocks:
                    await self._write(head, blocks, now)
        except Exception as error:
            _log.exception("a pack of blocks failed")
            _fail_all((*blocks, *self._waiting[group]), error)
        finally:
            del self._waiting[group]

    def _take(self, group: str) -> Sequence[_Waiting]:
        """Return the blocks of the next pack: no two with one index, and none that nobody waits for any longer."""
        taken: dict[int, _Waiting] = {}
        rest: list[_Waiting] = []
        for block in self._waiting[group]:
            if block.placed.done():
                continue
            if len(taken) == AT_MOST or block.number in taken:
                rest.append(block)
            else:
                taken[block.number] = block
        self._waiting[group] = rest
        return list(taken.values())

    async def _write(self, head: bytes, blocks: Sequence[_Waiting], now: float) -> None:
        new = self._blobs.create(os.urandom(32).hex())
        pack = _Pack(self, new, len(blocks))
        try:
            if self._blobs.is_shared:
                await self._store.write(upload_intents.begin, new.blob, self._settings.node, now)
            await wait_until_done(new.commit(_pieces(new.blob, head, blocks)))
            crash.point("packs.after_commit")
        except Exception as error:  # each of them answers that it failed
            _fail_all(blocks, error)
            await self.end(new, is_named=False)
            return
        for position, block in enumerate(blocks):
            placed = PlacedBlock(new.blob, position, new.size, pack)
            if block.placed.done():  # its request was cancelled meanwhile
                await placed.end_use(named=False)
            else:
                block.placed.set_result(placed)

    async def end(self, new: NewBlob, *, is_named: bool) -> None:
        """Release a pack that rows name, and remove one that none names."""
        if is_named:
            new.release()
            return
        await wait_until_done(new.discard())
        if self._blobs.is_shared:
            with contextlib.suppress(FuinError):  # the sweep forgets it otherwise
                await self._store.write(upload_intents.forget, [new.blob])


def _pieces(blob: str, head: bytes, blocks: Sequence[_Waiting]) -> Iterator[bytes]:
    yield head
    for block in blocks:
        yield from block.seal(blob)


def _fail_all(blocks: Iterable[_Waiting], error: Exception) -> None:
    """Let each request have an error of its own, since a traceback is added to it."""
    for block in blocks:
        if not block.placed.done():
            failure = StoreUnavailable("a pack of blocks could not be written")
            failure.__cause__ = error
            block.placed.set_exception(failure)
