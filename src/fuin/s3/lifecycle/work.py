"""The work of lifecycle rules: once a day, after midnight UTC, the node with the timed work walks through all buckets.

It reads a page, and writes the record of what is due. Then it deletes that in one transaction, if it is still due
(`due.py`). Then it completes the record, and removes the blobs. So a crash between two steps leaves a whole state: what
was only announced is found again by the next walk, and blobs without a name are the sweep's.

A time has come when both clocks say so (docs/explanation/clocks.md). The walk rests while nobody knows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from fuin import crash, ids
from fuin.access.principal import Principal
from fuin.clock import CLOCK
from fuin.errors import FuinError
from fuin.gate.call import Call
from fuin.gate.record import RequestRecord
from fuin.s3.lifecycle import due
from fuin.s3.lifecycle.rules import DAY, SETTING
from fuin.store.engine.effect import Effect
from fuin.store.s3 import lifecycle as rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from fuin.gate.services import Services
    from fuin.s3.lifecycle.due import DueItem, Outcome, Stretch

log = logging.getLogger("fuin.s3")

_ITSELF = Principal(kind="service", arn="s3.amazonaws.com", account="", id="s3.amazonaws.com")
_LONGEST_TURN = 5.0  # seconds, after which other timed jobs have their turn
_PAUSE = 0.01  # seconds between two pages, so that requests go first


class LifecycleWork:
    """The walks of one worker: the first one at once, then one after each midnight UTC."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._clock = clock
        self._day = float("-inf")  # of the last walk that was begun
        self._walk: _Walk | None = None

    async def run(self, now: float, has_turn: Callable[[], bool] = lambda: True) -> None:
        """Go on with the walk for some seconds, if one is due by `now`, the time that both clocks agree on, or 0.

        Raises StoreUnavailable or KeyholderUnavailable; the next call goes on at the same place.
        """
        if now <= 0:
            return
        if self._walk is None:
            if now // DAY <= self._day:
                return
            self._walk, self._day = _Walk(self._services), now // DAY
        end = self._clock() + _LONGEST_TURN
        while has_turn() and self._clock() < end:
            if not await self._walk.take_step(now):
                self._walk = None
                return
            await asyncio.sleep(_PAUSE)


class _Walk:
    """One walk through all buckets with rules, in the order of their names."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._bucket = ""
        self._stretches: list[Stretch] = []  # of the bucket, that are left

    async def take_step(self, now: float) -> bool:
        """Do the next page, or find the next bucket; returns whether there is more."""
        store = self._services.store
        if not self._stretches:
            bucket = await store.page(rows.find_next_bucket, SETTING, self._bucket)
            if bucket is None:
                return False
            self._bucket = bucket
        try:
            if not self._stretches:
                self._stretches = await store.page(due.find_stretches, self._bucket)
                return True
            left = await apply_page(self._services, self._bucket, self._stretches[0], now)
        except FuinError:
            raise
        except Exception:  # a damaged row: the other buckets go on
            log.exception("the lifecycle rules of %s failed and will be tried again tomorrow", self._bucket)
            self._stretches = []
            return True
        self._stretches[:1] = [] if left is None else [left]
        return True


async def apply_page(services: Services, bucket: str, stretch: Stretch, now: float) -> Stretch | None:
    """Delete what is due on the next page of a stretch, on the record; returns the stretch that is left, or None."""
    page = await services.store.page(due.find_due, bucket, stretch, now)
    if not page.items:
        return page.left
    call = await _announce(services, bucket, page.items, of_uploads=stretch.of_uploads)
    crash.point("lifecycle.before_commit")

    def work(conn: Connection) -> Outcome:
        return due.carry_out(conn, bucket, stretch, page.items, now, call.now)

    outcome, call.record.serial = await services.store.commit(work, Effect.NONE, None)
    crash.point("lifecycle.after_commit")
    _note_outcome(call, page.items, outcome)
    await call.conclude()
    crash.point("lifecycle.after_record")
    if outcome.blobs:
        services.blobs.remove(outcome.blobs)
    return page.left


async def _announce(services: Services, bucket: str, items: Sequence[DueItem], *, of_uploads: bool) -> Call:
    """Write the record of what is due, each item with the rule by which; returns its call."""
    operation = "ExpireUploads" if of_uploads else "ExpireObjects"
    facts = {"bucket": bucket, "uploads" if of_uploads else "objects": len(items)}
    call = Call(
        services, ids.request_id(), "s3", operation, _ITSELF, "", services.settings.region,
        CLOCK.steady_now(time.time()), record=RequestRecord(facts),
    )  # fmt: skip
    await call.name("expired", [item.entry() for item in items])
    await call.announce("delete")
    return call


def _note_outcome(call: Call, items: Sequence[DueItem], outcome: Outcome) -> None:
    """Add to the record how many went, and which of them stay after all: they were locked or changed meanwhile."""
    markers = sum(item.makes_marker for item in outcome.done)
    call.facts["deleted"] = len(outcome.done) - markers
    if markers:
        call.facts["deleteMarkers"] = markers
    done = {(item.key, item.id) for item in outcome.done}
    if kept := [item.entry() for item in items if (item.key, item.id) not in done]:
        call.facts["kept"] = kept
