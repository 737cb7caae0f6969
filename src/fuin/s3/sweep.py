"""The sweep: what a crash left behind is moved out of the way, and deleted when nobody has missed it for long.

A blob is an orphan when nobody writes it and then, while the store holds it so that nobody can begin to, the index does
not name it. The store knows who writes; this module asks the index, keeps the record, and decides when to delete.

The database that named a blob may be put back later. So orphans are deleted only when a waiting period has passed by
two clocks and nothing has contradicted the index since.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from fuin import crash, ids
from fuin.access.principal import Principal
from fuin.blobs.interface import SweepNote
from fuin.gate.call import Call
from fuin.gate.record import RequestRecord
from fuin.store.engine import installation
from fuin.store.s3 import parts, upload_intents

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from fuin.blobs.interface import OrphanGroup, StoredBlob
    from fuin.gate.services import Services
    from fuin.store.engine.installation import Standing

log = logging.getLogger("fuin.s3")

_ITSELF = Principal(kind="service", arn="s3.amazonaws.com", account="", id="s3.amazonaws.com")
_AT_ONCE = 500  # blobs for one look into the index
_TOGETHER = 100  # blobs that are held, recorded and moved together
_PAUSE = 0.01  # seconds between two looks, so that requests go first
_DAY = 24 * 3600.0  # seconds
_LONGEST_UPLOAD = 7 * _DAY  # of one object or part, in a shared store
_EVERY = _DAY  # from one sweep to the next
_COUNT = 60.0  # seconds; time served is written down when so many have come together


def may_delete(note: SweepNote | None, standing: Standing, now: float, served: float, period: float) -> bool:
    """Return whether orphans that were moved under a note may be deleted: they have waited, and witnesses agree.

    They have waited by both clocks. The database must be this installation's, not behind where it was then, and nobody
    may have accepted an older database, log or blobs since: then it is not the index that made them orphans.
    """
    if note is None or note.installation != standing.installation or not note.installation:
        return False
    if not standing.accepted <= note.serial <= standing.serial:
        return False
    return now - note.time >= period and served - note.served >= period


class Sweeper:
    """The sweeps of one worker: the first at once, then one a day, and the end of what has waited long enough."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._clock = clock
        self._counted = clock()  # up to then the time served is written down
        self._due = self._counted

    async def run(self, now: float, due: float) -> None:
        """Do what is due; `now` is the later of the clocks, in seconds since 1970, and `due` the earlier one.

        What is moved was moved at `now`, and it has waited long enough only by `due`, which may be 0.
        Raises StoreUnavailable or KeyholderUnavailable; what could not be asked or recorded was not done.
        """
        await self._count()
        await end_removals(self._services)
        if self._clock() >= self._due:
            await sweep(self._services, now, due)
            self._due = self._clock() + _EVERY
        await expire(self._services, due)

    async def _count(self) -> None:
        seconds = self._clock() - self._counted
        if seconds >= _COUNT:
            self._counted += seconds
            orphans = self._services.blobs.orphans
            if await orphans.groups():
                await orphans.add_time_served(seconds)


async def end_removals(services: Services) -> int:
    """Delete the blobs that were removed long enough ago and that the index does not name; return how many.

    The index names one again when an older database was put back. Blobs that were removed before somebody has accepted
    such a database are orphans from then on, with their longer wait: a third database may name them.
    """
    removals = await services.blobs.list_removals()
    if not removals:
        return 0
    deleted, accepted = 0, (await services.store.read(installation.find_standing)).unswept
    for removal in removals:
        if accepted:
            await services.blobs.end_removal(removal, [])
        elif removal.is_due:
            unnamed = await _find_unnamed(services, removal.blobs)
            if again := len(set(removal.blobs)) - len(unnamed):
                log.warning("%d blobs that were removed are named by the index again: they stay", again)
            await services.blobs.end_removal(removal, unnamed)
            deleted += len(unnamed)
    return deleted


async def _find_unnamed(services: Services, blobs: Sequence[str]) -> list[str]:
    """Return the blobs that no object and no upload names."""
    unnamed, wanted = list[str](), list(dict.fromkeys(blobs))
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        known = await services.store.read(parts.known_blobs, some)
        unnamed += [blob for blob in some if blob not in known]
    return unnamed


async def sweep(services: Services, now: float, due: float = 0) -> int:
    """Put back what the index names, move what it does not name out of the way, and return how many were moved.

    In a shared store a blob is in use while its writer has an intent, but not for more than a week by `due`.
    """
    await _put_back(services)
    given_up = due - _LONGEST_UPLOAD
    if services.blobs.is_shared:
        await services.store.write(upload_intents.forget_old, given_up)
    moved = 0
    group: OrphanGroup | None = None
    async for batch in services.blobs.list_batches(_AT_ONCE):
        known = await _named_blobs(services, batch)
        suspects = [stored for stored in batch if stored.blob not in known]
        for start in range(0, len(suspects), _TOGETHER):
            group, count = await _move(services, suspects[start : start + _TOGETHER], now, group, given_up)
            moved += count
        await asyncio.sleep(_PAUSE)
    if (await services.store.read(installation.find_standing)).unswept:
        await services.store.write(installation.put_values, {"unswept": None})
    if group is not None:
        log.warning("moved %d orphaned blobs to %s", moved, group.place)
    return moved


async def _move(
    services: Services, suspects: Sequence[StoredBlob], now: float, group: OrphanGroup | None, given_up: float
) -> tuple[OrphanGroup | None, int]:
    """Move those of the suspects that are orphans; return the group to which they, or earlier ones, were moved."""
    hold = await services.blobs.hold_unused(suspects)
    try:
        # Once more, since a blob that was being written at the first question may have its name in the index now.
        unused = await _find_unused(services, hold.blobs, given_up)
        known = await _named_blobs(services, unused)
        orphans = [stored for stored in unused if stored.blob not in known]
        if orphans:
            if group is None:
                group = await services.blobs.orphans.begin_group(await _note(services, now))
            await _record(services, "MoveOrphans", now, orphans, group)
            crash.point("sweep.before_move")
            await services.blobs.orphans.move(group, orphans)
            crash.point("sweep.after_move")
    finally:
        hold.release()
    return group, len(orphans)


async def _find_unused(services: Services, blobs: Sequence[StoredBlob], given_up: float) -> Sequence[StoredBlob]:
    """Return the blobs that no node writes; who began before `given_up` may not name its blob any longer."""
    if not services.blobs.is_shared or not blobs:
        return blobs
    abandoned = await services.store.write(upload_intents.take_abandoned, [stored.id for stored in blobs], given_up)
    return [stored for stored in blobs if stored.id in abandoned]


async def _named_blobs(services: Services, blobs: Sequence[StoredBlob]) -> set[str]:
    """Return which of the blobs the index names, by their ids."""
    return await services.store.read(parts.known_blobs, [stored.blob for stored in blobs if stored.blob])


async def _note(services: Services, now: float) -> SweepNote:
    position = await services.keyholder.status()
    standing = await services.store.read(installation.find_standing)
    served = await services.blobs.orphans.time_served()
    # What a database that was accepted does not name, the one before it may have: it is kept for good.
    serial = standing.accepted - 1 if standing.unswept else standing.serial
    return SweepNote(standing.installation, position.sequence, serial, now, served)


async def _put_back(services: Services) -> None:
    """Put back what was moved under another database and is named by this one."""
    orphans = services.blobs.orphans
    for group in await orphans.groups():
        for start in range(0, len(group.orphans), _AT_ONCE):
            for blob in await _named_blobs(services, group.orphans[start : start + _AT_ONCE]):
                await orphans.put_back(blob)
        await orphans.remove_if_empty(group)


async def expire(services: Services, due: float) -> int:
    """Delete the orphans that have waited long enough, while nothing contradicts the index; return how many.

    `due` is the time that both clocks agree on, in seconds since 1970.
    """
    deleted, period = 0, services.settings.orphan_days * _DAY
    groups = await services.blobs.orphans.groups()
    served = await services.blobs.orphans.time_served()
    for group in groups:
        standing = await services.store.read(installation.find_standing)
        if may_delete(group.note, standing, due, served, period):
            deleted += await _delete(services, group, due)
    return deleted


async def _delete(services: Services, group: OrphanGroup, now: float) -> int:
    """Delete a group's blobs, those that the index names after all excepted, each on the record before."""
    deleted = 0
    for start in range(0, len(group.orphans), _TOGETHER):
        waiting = group.orphans[start : start + _TOGETHER]
        known = await _named_blobs(services, waiting)
        orphans = [orphan for orphan in waiting if orphan.blob not in known]
        if orphans:
            await _record(services, "DeleteOrphans", now, orphans, group)
            crash.point("sweep.before_delete")
            await services.blobs.orphans.delete(group, orphans)
            deleted += len(orphans)
    await services.blobs.orphans.remove_if_empty(group)
    log.warning("deleted %d orphaned blobs of %s, which nobody has missed", deleted, group.place)
    return deleted


async def _record(
    services: Services, operation: str, now: float, blobs: Sequence[StoredBlob], group: OrphanGroup
) -> None:
    facts: dict[str, Any] = {"folder": group.name, "blobs": [stored.name for stored in blobs]}
    call = Call(
        services,
        ids.request_id(),
        "s3",
        operation,
        _ITSELF,
        "",
        services.settings.region,
        now,
        record=RequestRecord(facts),
    )
    await services.keyholder.record(call.draft())
