"""The sweep: what a crash left behind is moved out of the way, and deleted when nobody has missed it for long.

A file is an orphan when nobody holds its lock and then, under that lock, the index does not name it. What is under way
is told by locks alone, never by time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from fuin import crash, ids
from fuin.access.principal import Principal
from fuin.errors import StoreUnavailable
from fuin.gate.call import Call
from fuin.gate.record import Record
from fuin.s3 import blobs, orphans, pool
from fuin.store.engine import installation
from fuin.store.s3 import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any

    from fuin.gate.services import Services
    from fuin.s3.orphans import Group

log = logging.getLogger("fuin.s3")

_ITSELF = Principal(kind="service", arn="s3.amazonaws.com", account="", id="s3.amazonaws.com")
_AT_ONCE = 500  # files for one look into the index
_TOGETHER = 100  # files that are locked, recorded and moved together
_PAUSE = 0.01  # seconds between two looks, so that requests go first
_DAY = 24 * 3600.0  # seconds
_EVERY = _DAY  # from one sweep to the next
_COUNT = 60.0  # seconds; time served is written down when so many have come together


@dataclass(slots=True)
class Suspect:
    """A file that the index does not name, and its locked descriptor."""

    path: Path
    blob: str  # empty for an unfinished file
    file: int


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
        try:
            await self._count()
            if self._clock() >= self._due:
                await sweep(self._services, now)
                self._due = self._clock() + _EVERY
            await expire(self._services, due)
        except OSError as error:
            raise StoreUnavailable(f"the blobs cannot be swept: {error}") from error

    async def _count(self) -> None:
        seconds = self._clock() - self._counted
        if seconds >= _COUNT:
            self._counted += seconds
            root = self._services.settings.blobs
            if await pool.run(orphans.groups, root):
                await pool.run(orphans.add_served, root, seconds)


async def sweep(services: Services, now: float) -> int:
    """Put back what the index names, move what it does not name out of the way, and return how many were moved."""
    root = services.settings.blobs
    await _put_back(services)
    moved = 0
    folder: Path | None = None
    files = blobs.stored(root)
    while batch := await pool.run(lambda: list(islice(files, _AT_ONCE))):
        known = await _known(services, [blob for _, blob in batch])
        suspects = [(path, blob) for path, blob in batch if blob not in known]
        for start in range(0, len(suspects), _TOGETHER):
            folder, count = await _move(services, suspects[start : start + _TOGETHER], now, folder)
            moved += count
        await asyncio.sleep(_PAUSE)
    if (await services.store.read(installation.find_standing)).unswept:
        await services.store.write(installation.put_values, {"unswept": None})
    if folder is not None:
        log.warning("moved %d orphaned blobs to %s", moved, folder)
    return moved


async def _move(
    services: Services, found: Sequence[tuple[Path, str]], now: float, folder: Path | None
) -> tuple[Path | None, int]:
    """Move those of the files that are orphans; return the folder to which they, or earlier ones, were moved."""
    suspects = await pool.run(_locked, found)
    try:
        # Once more, since what was being written when the first question was asked may be named by now.
        known = await _known(services, [suspect.blob for suspect in suspects])
        paths = [suspect.path for suspect in suspects if suspect.blob not in known]
        if paths:
            if folder is None:
                folder = await pool.run(orphans.begin, services.settings.blobs, await _note(services, now))
            await _record(services, "MoveOrphans", now, [path.name for path in paths], folder)
            crash.point("sweep.before_move")
            await pool.run(orphans.move, folder, paths)
            crash.point("sweep.after_move")
    finally:
        for suspect in suspects:
            os.close(suspect.file)
    return folder, len(paths)


def _locked(found: Sequence[tuple[Path, str]]) -> list[Suspect]:
    """Return the files that nobody writes, locked, so that nobody can begin to."""
    suspects: list[Suspect] = []
    for path, blob in found:
        file = -1
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            if blobs.try_lock(file) and blobs.is_at(file, path):
                suspects.append(Suspect(path, blob, file))
                file = -1
        except FileNotFoundError:
            pass  # renamed or removed meanwhile
        except OSError as error:  # one that cannot be asked stays, and hinders neither the others nor their end
            log.warning("%s is not swept: %s", path, os.strerror(error.errno or 0))
        finally:
            if file >= 0:
                os.close(file)
    return suspects


async def _known(services: Services, found: Sequence[str]) -> set[str]:
    return await services.store.read(parts.known_blobs, [blob for blob in found if blob])


async def _note(services: Services, now: float) -> orphans.Note:
    position = await services.keyholder.status()
    standing = await services.store.read(installation.find_standing)
    served = await pool.run(orphans.served, services.settings.blobs)
    # What a database that was accepted does not name, the one before it may have: it is kept for good.
    serial = standing.accepted - 1 if standing.unswept else standing.serial
    return orphans.Note(standing.installation, position.sequence, serial, now, served)


async def _put_back(services: Services) -> None:
    """Put back what was moved under another database and is named by this one."""
    root = services.settings.blobs
    for group in await pool.run(orphans.groups, root):
        names = list(group.names)
        for start in range(0, len(names), _AT_ONCE):
            for blob in await _known(services, [blobs.blob_of(name) for name in names[start : start + _AT_ONCE]]):
                await pool.run(orphans.put_back, root, blob)
        await pool.run(orphans.remove_empty, group)


async def expire(services: Services, due: float) -> int:
    """Delete the orphans that have waited long enough, while nothing contradicts the index; return how many.

    `due` is the time that both clocks agree on, in seconds since 1970.
    """
    settings, deleted = services.settings, 0
    found = await pool.run(orphans.groups, settings.blobs)
    served = await pool.run(orphans.served, settings.blobs)
    for group in found:
        standing = await services.store.read(installation.find_standing)
        if orphans.may_delete(group.note, standing, due, served, settings.orphan_days * _DAY):
            deleted += await _delete(services, group, due)
    return deleted


async def _delete(services: Services, group: Group, now: float) -> int:
    """Delete a group's files, those that the index names after all excepted, each on the record before."""
    deleted = 0
    for start in range(0, len(group.names), _TOGETHER):
        names = group.names[start : start + _TOGETHER]
        known = await _known(services, [blobs.blob_of(name) for name in names])
        names = tuple(name for name in names if name not in known)
        if names:
            await _record(services, "DeleteOrphans", now, names, group.folder)
            crash.point("sweep.before_delete")
            await pool.run(orphans.delete, orphans.Group(group.folder, group.note, names))
            deleted += len(names)
    await pool.run(orphans.remove_empty, group)
    log.warning("deleted %d orphaned blobs of %s, which nobody has missed", deleted, group.folder)
    return deleted


async def _record(services: Services, operation: str, now: float, names: Sequence[str], folder: Path) -> None:
    facts: dict[str, Any] = {"folder": folder.name, "blobs": names}
    call = Call(
        services, ids.request_id(), "s3", operation, _ITSELF, "", services.settings.region, now, record=Record(facts)
    )
    await services.keyholder.record(call.draft())
