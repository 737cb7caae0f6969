"""The timed jobs of a worker: end and rotate keys, end imported material, apply lifecycle rules, sweep blobs.

Snapshots that were not completed in time end too. The jobs also note where log and database are, so that a later start
sees whether one was cut off or is older.

The first worker of a server has these jobs. Of several nodes on one database one does them for all: see `turn.py`. The
others follow the time that it saves, and each notes the position of its own log. The database says who writes a blob in
a store that nodes share: `store/s3/upload_intents.py`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from fuin.clock import CLOCK
from fuin.errors import FuinError
from fuin.kms.keys import expiry
from fuin.kms.material import imports, rotation
from fuin.s3.lifecycle.work import LifecycleWork
from fuin.s3.sweep import Sweeper
from fuin.server import agreement_notes, node_report
from fuin.server.timekeeper import LOOK_EVERY, Timekeeper
from fuin.server.turn import Turn
from fuin.snapshots import overdue
from fuin.store.engine import epoch, installation
from fuin.store.engine.old_commits import remove_old_commits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fuin.gate.services import Services

_log = logging.getLogger("fuin.jobs")


async def run(services: Services) -> None:
    """Run all timed jobs again and again, and report what this node does."""
    await asyncio.gather(_run_timed(services), node_report.run(services))


async def _run_timed(services: Services) -> None:
    """Run all timed jobs again and again, by the time that both clocks agree on.

    A key past its date is refused at once; its material is destroyed at most LOOK_EVERY seconds later. A failed job is
    logged and tried again; it never ends the loop.
    """
    work, noted = TimedWork(services), time.monotonic()
    while True:
        await _run_job("the timed work", work.run())
        if time.monotonic() - noted >= agreement_notes.HOURLY:
            noted = time.monotonic()
            note = agreement_notes.note_log_ahead(services.store, services.keyholder, services.settings.member)
            await _run_job("note of the log", note)
        await asyncio.sleep(LOOK_EVERY)


class TimedWork:
    """What one node does for all, whenever it has the turn."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._turn, self._timekeeper = Turn(services), Timekeeper()
        self._begin_anew()
        self._had_turn = True

    async def run(self) -> None:
        """Do all timed jobs if this node has the turn, and else follow the time; raises StoreUnavailable, NotFound."""
        if not await self._turn.take():
            self._had_turn = False
            await self._timekeeper.look(self._services)
            return
        if not self._had_turn:  # what was noted before says nothing about what other nodes have done since
            self._begin_anew()
            self._had_turn = True
        for name, job in self._jobs():
            if not self._turn.is_held():
                return
            await _run_job(name, job())

    def _begin_anew(self) -> None:
        self._sweeper, self._marks = Sweeper(self._services), Marks(self._services)
        self._lifecycle = LifecycleWork(self._services)

    def _jobs(self) -> list[tuple[str, Callable[[], Awaitable[object]]]]:
        services = self._services
        jobs: list[tuple[str, Callable[[], Awaitable[object]]]] = [
            ("saving the steady time", lambda: self._timekeeper.save(services, self._turn.fence())),
            ("sweep", lambda: self._sweeper.run(CLOCK.steady_now(time.time()), CLOCK.certain_time())),
            ("purge", lambda: expiry.purge(services, CLOCK.certain_time())),
            ("expiry of imported material", lambda: imports.expire_due(services, CLOCK.certain_time())),
            ("rotation", lambda: rotation.rotate_due(services, CLOCK.certain_time())),
            ("lifecycle rules", lambda: self._lifecycle.run(CLOCK.certain_time(), self._turn.is_held)),
            ("end of overdue snapshots", lambda: overdue.end_overdue(services, CLOCK.certain_time())),
            ("mark of the blobs", self._marks.renew),
        ]
        if services.settings.member:
            jobs.append(("removal of old commits", lambda: services.store.write(remove_old_commits)))
        return jobs


class Marks:
    """The mark of the blobs, once a day, with the database's serial of the day before."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._clock = clock
        self._noted = clock()
        self._serial: int | None = None  # then
        self._raised: int | None = None  # the serial to which the mark was raised a day ago

    async def renew(self) -> None:
        """Renew the mark if a day has passed; raises StoreUnavailable."""
        if self._serial is not None:
            if self._clock() - self._noted < agreement_notes.DAILY:
                return
            await agreement_notes.raise_mark(self._services.blobs, self._serial)
            if self._services.settings.member and self._raised is not None:
                # A day later no other node can still be writing a lower one.
                await self._services.store.write(installation.put_values, {"blobs": str(self._raised)})
            self._raised = self._serial
        self._noted, self._serial = self._clock(), await self._services.store.read(epoch.read_total)


async def _run_job(name: str, job: Awaitable[object]) -> None:
    try:
        await job
    except FuinError as error:
        _log.warning("%s failed and will be tried again: %s", name, error)
    except Exception:  # a fault of ours, or a damaged row: the other jobs go on
        _log.exception("%s failed and will be tried again", name)
