"""The timed jobs of a worker: keys to end or to rotate, imported material to end, and blobs that no index names."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from fuin.clock import CLOCK
from fuin.errors import FuinError
from fuin.kms import imports, janitor, rotation
from fuin.s3 import sweep
from fuin.server.timekeeper import LOOK_EVERY, Timekeeper

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fuin.gate import Services

_log = logging.getLogger("fuin.jobs")


async def run(services: Services, server_started: float) -> None:
    """Sweep once, then do what the time demands of keys again and again, by the time that both clocks agree on.

    A key past its date is refused at once, its material is destroyed at most LOOK_EVERY seconds later. A failure is
    logged and tried again, it never ends the job.

    `server_started` is the supervisor's start: blobs that are older and that no index names belong to uploads that
    ended with an earlier server.
    """
    await _guarded("sweep", sweep.sweep(services, server_started))
    timekeeper = Timekeeper()
    while True:
        await _guarded("saving the steady time", timekeeper.save(services))
        await _guarded("purge", janitor.purge(services, CLOCK.settled()))
        await _guarded("expiry of imported material", imports.expire_due(services, CLOCK.settled()))
        await _guarded("rotation", rotation.rotate_due(services, CLOCK.settled()))
        await asyncio.sleep(LOOK_EVERY)


async def _guarded(name: str, job: Awaitable[object]) -> None:
    try:
        await job
    except FuinError as error:
        _log.warning("%s failed and will be tried again: %s", name, error)
