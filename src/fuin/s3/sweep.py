"""Removal of blobs that a crash left behind: unfinished files, and whole ones that the index does not name."""

from __future__ import annotations

import asyncio
import logging
from itertools import islice
from typing import TYPE_CHECKING

from fuin.s3 import blobs, pool
from fuin.store import parts

if TYPE_CHECKING:
    from pathlib import Path

    from fuin.gate import Services

log = logging.getLogger("fuin.s3")

_AT_ONCE = 500  # files for one look into the index
_PAUSE = 0.01  # seconds between two looks, so that requests go first


async def sweep(services: Services, started: float) -> int:
    """Remove orphans older than the server's start and return how many there were.

    `started` must be the start of the whole server (the supervisor), in seconds since 1970: what an upload under way
    has written is younger than that, whichever worker serves it, and so is never taken for an orphan.
    """
    removed = 0
    files = blobs.older_than(services.settings.blobs, started)
    while batch := await pool.run(lambda: list(islice(files, _AT_ONCE))):
        known = services.store.read(parts.known_blobs, [blob for _, blob in batch if blob])
        orphans = [path for path, blob in batch if blob not in known]
        await pool.run(_unlink, orphans)
        removed += len(orphans)
        await asyncio.sleep(_PAUSE)
    if removed:
        log.warning("removed %d orphaned blobs", removed)
    return removed


def _unlink(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
