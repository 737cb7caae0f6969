"""The server's health as one worker sees it, for load balancers and monitors: unsigned, without a record, bounded.

`/health/live` says that this worker answers. `/health` and `/health/ready` say whether requests can be served: the
keyholder answers, its log takes records, the database can be read, and the disks have free space; of a node of many
also the lease, and blobs that are not files. All of this is checked at most once a second, however many requests ask. A
server that ends says so first, while it still serves.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

import msgspec

from fuin.clock import CLOCK
from fuin.errors import FuinError, StoreUnavailable
from fuin.gate.http import Answer
from fuin.settings import MIB
from fuin.store.engine import installation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fuin.gate.services import Services

    Probe = Callable[[], Awaitable[str]]

LIVE = b"/health/live"
PATHS = frozenset({b"/health", LIVE, b"/health/ready"})
FRESH = 1.0  # seconds for which an answer is given again
PROBE_LIMIT = 2.0  # seconds in which a part must answer
ROOM = 16 * MIB  # free bytes below which a disk counts as full: many requests would no longer find space

OK, SILENT, UNKNOWN, FULL = "ok", "does not answer", "not known", "is full"
HEADERS = [(b"Content-Type", b"application/json"), (b"Cache-Control", b"no-store")]
_log = logging.getLogger("fuin.health")
_GOOD = b'{"status":"ok"}'


class Health:
    """The health of one worker's server; its answers name the parts but not the causes, which are in the log."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._taking = UNKNOWN
        self._probes: dict[str, Probe] = {"keyholder": self._keyholder, "database": self._database, "disk": self._disk}
        if services.settings.member:
            self._probes["lease"] = self._lease
        if services.blobs.is_shared:
            self._probes["blobs"] = self._blobs
        self._asked: dict[str, asyncio.Future[str]] = {}
        self._look: asyncio.Future[None] | None = None
        self._seen: dict[str, str] = {}
        self._fresh_until = 0.0

    async def answer(self, path: bytes) -> Answer:
        """Return the answer to a GET of one of `PATHS`."""
        if path == LIVE:
            return Answer(200, HEADERS, _GOOD)
        wrong = {name: state for name, state in (await self.parts()).items() if state != OK}
        if self._services.settings.draining.exists():
            wrong["server"] = "is ending"
        clock = _clock()
        if not wrong:
            return Answer(200, HEADERS, msgspec.json.encode({"status": OK, **clock}) if clock else _GOOD)
        body = msgspec.json.encode({"status": "not ready", **wrong, **clock})
        return Answer(503, [*HEADERS, (b"Retry-After", b"1")], body)

    async def parts(self) -> dict[str, str]:
        """Return the state of each part, at most FRESH seconds old; it takes PROBE_LIMIT seconds at most."""
        if asyncio.get_running_loop().time() >= self._fresh_until:
            if self._look is None or self._look.done():
                self._look = asyncio.ensure_future(self._look_at_all())
            await asyncio.wait({self._look})
        return self._seen

    async def _look_at_all(self) -> None:
        asked = self._asked
        for name, probe in self._probes.items():
            if name not in asked:  # one that hangs is not asked again before it has answered
                asked[name] = asyncio.ensure_future(probe())
        await asyncio.wait(asked.values(), timeout=PROBE_LIMIT)
        seen = {name: _state(asked.pop(name)) if asked[name].done() else SILENT for name in self._probes}
        seen["audit log"] = self._taking if seen["keyholder"] == OK else UNKNOWN
        self._seen = seen
        self._fresh_until = asyncio.get_running_loop().time() + FRESH

    async def _keyholder(self) -> str:
        try:
            status = await self._services.keyholder.status()
        except FuinError:
            return SILENT
        self._taking = OK if status.taking else "takes no records"
        return OK

    async def _database(self) -> str:
        try:
            await self._services.store.read(installation.find_meta)
        except FuinError:
            return "cannot be read"
        return OK

    async def _lease(self) -> str:
        try:
            await self._services.store.refresh()
        except FuinError:
            return "has ended"
        return OK

    async def _blobs(self) -> str:
        try:
            return OK if await self._services.blobs.has_room(ROOM) else FULL
        except (OSError, StoreUnavailable):
            return SILENT

    async def _disk(self) -> str:
        """Look in a thread: a hanging disk must not stop the event loop."""
        settings, blobs = self._services.settings, self._services.blobs
        folders = (settings.data, settings.audit)
        try:
            state = await asyncio.get_running_loop().run_in_executor(None, _room, folders)
            return state if state != OK or blobs.is_shared or await blobs.has_room(ROOM) else FULL
        except (OSError, StoreUnavailable):
            return "cannot be read"


def _clock() -> dict[str, str]:
    """Return the clock's state if the wall clock has jumped: requests are served, but what destroys waits."""
    held = CLOCK.state().held
    return {} if held is None else {"clock": f"held, {held}"}


def _state(probe: asyncio.Future[str]) -> str:
    """Return the state that a probe has found; an exception counts as a failure."""
    error = probe.exception()
    if error is None:
        return probe.result()
    _log.error("a look at the server's health failed", exc_info=error)
    return "fails"


def _room(folders: tuple[os.PathLike[str], ...]) -> str:
    """Return whether the file systems of some folders have space for bytes and for files, as a state."""
    for found in map(os.statvfs, folders):
        if found.f_bavail * found.f_frsize < ROOM or (found.f_files and not found.f_favail):
            return FULL
    return OK
