"""Copies of snapshots under another KMS key: a new data key, and all blocks encrypted anew.

The data keys are opened as the caller, when the copy begins. A worker then reads, encrypts and writes while the copy is
`pending`. If that worker ends, nobody goes on: the copy becomes an error when its time is over (`overdue.py`), and the
caller begins another one. A copy under the same key has nothing to do here: it has the blobs of its source.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fuin.clock import CLOCK
from fuin.snapshots import completion, reading, writing
from fuin.snapshots.overdue import end_snapshot
from fuin.snapshots.service_calls import new_service_call
from fuin.store.errors import StoreRefusal
from fuin.store.volumes import snapshots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuin.snapshots.index import Entry
    from fuin.snapshots.reading import OpenSnapshot
    from fuin.snapshots.writing import Target

_log = logging.getLogger("fuin.snapshots")
_TOGETHER = 16  # blocks that are read and written at once: those of one pack
PATIENCE = 10  # minutes without a block, after which a copy is an error
FAILED = "The copy has failed."

_tasks: set[asyncio.Future[None]] = set()


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that is to be made: the source and the target, both with their data keys."""

    source: OpenSnapshot
    target: Target


def begin_copy(copy: Copy) -> None:
    """Begin to copy the blocks, beside the requests."""
    task = asyncio.ensure_future(_run(copy))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _run(copy: Copy) -> None:
    """Copy all blocks; a failure makes the copy an error."""
    services, snapshot = copy.target.services, copy.target.snapshot
    try:
        await copy_blocks(copy)
    except StoreRefusal:  # it was deleted, or its time was over
        _log.warning("the copy %s has ended before it was complete", snapshot.snapshot_id)
    except Exception:
        _log.exception("the copy %s has failed", snapshot.snapshot_id)
        try:
            await end_snapshot(services, snapshot, FAILED)
        except Exception:  # then it becomes an error when its time is over
            _log.exception("the copy %s could not be made an error", snapshot.snapshot_id)


async def copy_blocks(copy: Copy) -> None:
    """Encrypt the blocks of the source anew, and complete the copy, on the record."""
    source, target = copy.source, copy.target
    services = target.services
    done = start = 0
    while page := await reading.read_page(services, source, start, reading.WINDOW):  # the whole may be large
        for first in range(0, len(page), _TOGETHER):
            await _copy_some(copy, page[first : first + _TOGETHER])
            await _note_progress(copy, done + first, source.snapshot.block_count)
        done, start = done + len(page), page[-1].block + 1
    unused = await completion.complete(_target_now(copy), None)
    call = new_service_call(services, "CompleteCopy", target.snapshot, source=source.snapshot.snapshot_id,
                            blocks=done)  # fmt: skip
    await call.conclude()
    services.blobs.remove(unused)


async def _copy_some(copy: Copy, entries: Sequence[Entry]) -> None:
    async def copy_one(entry: Entry) -> None:
        block = await reading.read_block(copy.target.services, copy.source.data_key, entry)
        await writing.put_block(_target_now(copy), entry.block, block, entry.checksum)

    await asyncio.gather(*(copy_one(entry) for entry in entries))


def _target_now(copy: Copy) -> Target:
    """Return the target at the present time: each block gives the copy more time, which may be much in all."""
    return replace(copy.target, now=CLOCK.steady_now(time.time()))


async def _note_progress(copy: Copy, done: int, every: int) -> None:
    """Note the percentage when it has changed; 100 is that of a complete one."""
    before, now = (100 * step // every for step in (max(0, done - _TOGETHER), done))
    if now > before:
        await copy.target.write(snapshots.change_snapshot, copy.target.name, {"progress": min(now, 99)})
