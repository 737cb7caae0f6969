"""The timed jobs of a worker: end and rotate keys, end imported material, sweep blobs that the index does not name.

They also note where log and database are, so that a later start sees whether one was cut off or is older.

The first worker of a server has these jobs. With several nodes on one database each node would run them, so they would
need one owner. Who writes a blob in a store that nodes share is in the database: `store/s3/upload_intents.py`.
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
from fuin.s3.sweep import Sweeper
from fuin.server import agreement_notes
from fuin.server.timekeeper import LOOK_EVERY, Timekeeper
from fuin.store.engine import epoch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fuin.gate.services import Services

_log = logging.getLogger("fuin.jobs")


async def run(services: Services) -> None:
    """Run all timed jobs again and again, by the time that both clocks agree on.

    A key past its date is refused at once; its material is destroyed at most LOOK_EVERY seconds later. A failed job is
    logged and tried again; it never ends the loop.
    """
    sweeper, timekeeper, noted = Sweeper(services), Timekeeper(), time.monotonic()
    marks = Marks(services)
    while True:
        await _run_job("saving the steady time", timekeeper.save(services))
        await _run_job("sweep", sweeper.run(CLOCK.steady_now(time.time()), CLOCK.certain_time()))
        await _run_job("purge", expiry.purge(services, CLOCK.certain_time()))
        await _run_job("expiry of imported material", imports.expire_due(services, CLOCK.certain_time()))
        await _run_job("rotation", rotation.rotate_due(services, CLOCK.certain_time()))
        if time.monotonic() - noted >= agreement_notes.HOURLY:
            noted = time.monotonic()
            await _run_job("note of the log", agreement_notes.note_log_ahead(services.store, services.keyholder))
        await _run_job("mark of the blobs", marks.renew())
        await asyncio.sleep(LOOK_EVERY)


class Marks:
    """The mark of the blobs, once a day, with the database's serial of the day before."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._clock = clock
        self._noted = clock()
        self._serial: int | None = None  # then

    async def renew(self) -> None:
        """Renew the mark if a day has passed; raises StoreUnavailable."""
        if self._serial is not None:
            if self._clock() - self._noted < agreement_notes.DAILY:
                return
            await agreement_notes.raise_mark(self._services.blobs, self._serial)
        self._noted, self._serial = self._clock(), await self._services.store.read(epoch.read_total)


async def _run_job(name: str, job: Awaitable[object]) -> None:
    try:
        await job
    except FuinError as error:
        _log.warning("%s failed and will be tried again: %s", name, error)
    except Exception:  # a fault of ours, or a damaged row: the other jobs go on
        _log.exception("%s failed and will be tried again", name)
