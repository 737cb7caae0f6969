"""What a node says of itself in the list of nodes, every few seconds: its load, and the head of its log."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING

import msgspec

from fuin.errors import FuinError
from fuin.store.engine import node_rows
from fuin.store.engine.glance import LogPosition

if TYPE_CHECKING:
    from fuin.gate.services import Services

REPORT_EVERY = 5.0  # seconds

_log = logging.getLogger("fuin.nodes")


async def run(services: Services) -> None:
    """Report again and again; an embedded server has nobody to report to."""
    if not services.settings.member:
        return
    report = Report(services)
    while True:
        try:
            await report.write()
        except FuinError as error:
            _log.warning("the load of this node could not be reported: %s", error)
        await asyncio.sleep(REPORT_EVERY)


class Report:
    """The load of this node: records of its log a second, and processes that want to run for each core."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._last: tuple[float, int] | None = None  # when the log had which number of records

    async def write(self) -> None:
        """Write the load of the time since the last report; raises StoreUnavailable or KeyholderUnavailable."""
        position = await self._services.keyholder.status()
        now, load = time.monotonic(), {"machine": round(os.getloadavg()[0] / (os.cpu_count() or 1), 2)}
        if self._last is not None and now > self._last[0]:
            load["records"] = round(max(0, position.sequence - self._last[1]) / (now - self._last[0]), 1)
        self._last = (now, position.sequence)
        head = LogPosition(position.sequence, position.head).text
        text = msgspec.json.encode(load).decode()
        await self._services.store.write(node_rows.report, self._services.settings.member, text, head)
