"""The server's part of the steady time: begin it at the start, save it in the timed jobs, warn when the clock jumps.

`fuin.clock` has the rules; here are the database, the audit log and the warnings. See docs/decisions/0009.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from fuin import clock, ids
from fuin.audit import reader
from fuin.clock import AHEAD, CLOCK
from fuin.errors import FuinError
from fuin.identity import administration
from fuin.s3.lifecycle.rules import SETTING
from fuin.store.engine import installation
from fuin.store.engine import steady_time as rows
from fuin.store.kms import imports, keys, rotations
from fuin.store.s3 import lifecycle
from fuin.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from fuin.clock import Kept, Reading
    from fuin.gate.services import Services
    from fuin.keyholder.wire.client import Keyholder
    from fuin.settings import Settings

LOOK_EVERY = 15.0  # seconds
REMIND_EVERY = 6 * 3600.0  # seconds between two warnings of one jump

_log = logging.getLogger("fuin.clock")


class Waiting(NamedTuple):
    """ARNs of keys that wait although due by the wall clock: to delete, to lose imported material, to rotate.

    While the clocks disagree, `buckets` are those with lifecycle rules. What these end by the wall clock is not
    counted, since that would read every object.
    """

    keys: list[str]
    materials: list[str]
    rotations: list[str]
    buckets: list[str]

    @property
    def counts(self) -> dict[str, int]:
        """Return how many keys and buckets wait, for each kind."""
        return {name: len(arns) for name, arns in self._asdict().items()}

    def is_within(self, other: Waiting) -> bool:
        """Return whether everything that waits here also waits in the other."""
        return all(set(mine) <= set(others) for mine, others in zip(self, other, strict=True))


class ClockReport(NamedTuple):
    """One look at the clocks and at what waits, as a person sees it."""

    seen: Reading
    kept: Kept
    waiting: Waiting


def start(settings: Settings) -> None:
    """Begin the steady time of a database that has none, with the time of the log's last record.

    Call it before the keyholder starts, which writes to the log by a clock that may be wrong. A first start finds no
    account here: it begins with the wall clock, since nothing else is known, and nothing exists that could end.
    """
    if settings.database_url:
        return  # `fuin init` has begun it
    if not settings.database.exists() or not settings.database.stat().st_size:
        return  # this function does not make the schema of an empty one
    store = Store.open(settings)
    try:
        first = store.read_sync(installation.find_meta)
        if first is None or store.read_sync(rows.find) is not None:
            return
        last = reader.last(settings.audit, 1)
        known = last[0].time if last else first.created
        store.write_sync(rows.save, clock.begin(clock.read(), known, settings.clock_jump_limit, clock.YOUNG))
    finally:
        store.close()


def begin_first(conn: Connection, limit: float) -> None:
    """Begin the steady time at the first start, by the wall clock; part of the transaction that makes the account."""
    seen = clock.read()
    rows.save(conn, clock.begin(seen, seen.wall, limit))


def adopt_saved_time(store: Store) -> Kept:
    """Take over the steady time from the database into this process, and return it. Raises NotFound."""
    seen = clock.read()
    return _believe(store.read_sync(rows.get), seen)


def _believe(saved: Kept, seen: Reading) -> Kept:
    kept = clock.advance(saved, seen)
    CLOCK.believe(kept, seen)
    return kept


async def follow(services: Services) -> None:
    """Adopt the saved time again and again, so that a confirmation reaches every worker."""
    timekeeper = Timekeeper()
    while True:
        await asyncio.sleep(LOOK_EVERY)
        try:
            await timekeeper.look(services)
        except FuinError as error:
            _log.warning("the steady time could not be read; counting continues: %s", error)


class Timekeeper:
    """Saves the steady time, and warns when the wall clock jumps and when the two agree again."""

    def __init__(self) -> None:
        self._said = float("-inf")  # when the last warning about a jump was, by the monotonic clock
        self._first_seen: tuple[Kept, Reading] | None = None  # what another node has saved, and when that was seen here

    def _localize(self, saved: Kept, seen: Reading) -> Kept:
        """Return a saved state, which another machine may have saved, as this machine counts on from it."""
        if self._first_seen is None or self._first_seen[0] != saved:
            self._first_seen = (saved, seen)
        return clock.on_this_machine(saved, self._first_seen[1])

    async def look(self, services: Services) -> None:
        """Adopt the saved time; raises StoreUnavailable or NotFound.

        A node that has counted a few seconds more than another node has saved goes on with its own count: the state
        was saved some seconds ago, and time must not go back.
        """
        seen = clock.read()
        saved = await services.store.read(rows.get)
        if not services.settings.member:
            _believe(saved, seen)
            return
        kept, counted = clock.advance(self._localize(saved, seen), seen), CLOCK.state().steady
        if counted is not None and kept.steady < counted < kept.steady + clock.SET_ANEW:
            kept = kept._replace(steady=counted)
        CLOCK.believe(kept, seen)

    async def save(self, services: Services, fence: Callable[[Connection], None] | None = None) -> None:
        """Read the clocks and save the times; raises StoreUnavailable, KeyholderUnavailable or NotFound.

        The audit log says that a hold begins or ends before this is saved. `fence` raises in a node that may not save.
        """
        seen = clock.read()
        limit = services.settings.clock_jump_limit
        before = await services.store.read(rows.get)
        if services.settings.member:
            before = self._localize(before, seen)
        after = clock.advance(before._replace(limit=limit), seen)
        if after.held != before.held:
            await services.keyholder.record(await _draft(services.store, before, after))
            self._said = float("-inf")
        first_seen = self._first_seen if services.settings.member else None
        CLOCK.believe(await services.store.write(rows.advance, seen, limit, first_seen, fence), seen)
        await self._say(services.store, before, after, seen)

    async def _say(self, store: Store, before: Kept, after: Kept, seen: Reading) -> None:
        if after.held is None:
            if before.held is not None:
                _log.warning("the wall clock and the counted time agree again: nothing waits any longer")
            return
        if seen.monotonic - self._said < REMIND_EVERY:
            return
        self._said = seen.monotonic
        waiting = await store.read(find_waiting, after)
        _log.warning(
            "%s. What destroys waits: %d keys, %d imported key materials, %d rotations are due by the wall clock, and "
            "the lifecycle rules of %d buckets rest. "
            "See `fuin clock`; if the wall clock is right, `fuin clock confirm` lets them be carried out.",
            describe_clocks(after), *waiting.counts.values(),
        )  # fmt: skip


def find_waiting(conn: Connection, kept: Kept) -> Waiting:
    """Return the keys that are due by the wall clock, but not by the counted time, and the buckets whose rules rest."""
    settled = 0.0 if kept.held == clock.BEHIND else min(kept.wall, kept.steady)
    found = []
    buckets = [] if kept.held is None else lifecycle.list_buckets(conn, SETTING)
    for due in (keys.expired_keys, imports.list_expired, rotations.list_due):
        now = {ids.key_arn(each.account, each.region, each.key_id) for each in due(conn, settled)}
        then = [ids.key_arn(each.account, each.region, each.key_id) for each in due(conn, kept.wall)]
        found.append(sorted({arn for arn in then if arn not in now}))
    return Waiting._make([*found, buckets])


def describe_clocks(kept: Kept) -> str:
    """Return a sentence, without a full stop, that compares the wall clock with the counted time."""
    try:
        apart: object = timedelta(seconds=round(abs(kept.wall - kept.steady)))
    except OverflowError:  # a damaged row
        apart = "more than 2.7 million years"
    if kept.held is None:
        return "the wall clock and the counted time agree"
    if kept.held == AHEAD:
        return f"the wall clock is {apart} ahead of the counted time: it was set, or the machine was off"
    return f"the wall clock is {apart} behind the counted time: it is wrong now, or was wrong before"


def report_clocks(store: Store) -> ClockReport:
    """Return the clocks and what waits, to be shown to a person before a confirmation. Raises NotFound."""
    seen = clock.read()
    kept = clock.advance(store.read_sync(rows.get), seen)
    return ClockReport(seen, kept, store.read_sync(find_waiting, kept))


async def confirm(store: Store, keyholder: Keyholder, account: str, shown: ClockReport) -> None:
    """Accept the wall clock as right, as the operator says; record this first. Raises NotFound, FuinError.

    The confirmation is for the report that was `shown`: people answer late, and the clock may have jumped meanwhile.
    """
    seen = clock.read()
    before = clock.advance(await store.read(rows.get), seen)
    waiting = await store.read(find_waiting, before)
    if clock.has_jumped(shown.seen, seen) or not waiting.is_within(shown.waiting):
        raise FuinError("the clock or what waits has changed since it was shown: nothing was confirmed; check again")
    facts = {**_facts(before), "waiting": waiting.counts}
    act = administration.Act("ConfirmClock", account, {"clock": facts})
    await administration.carry_out(store, keyholder, act, lambda conn: rows.confirm(conn, seen))


async def _draft(store: Store, before: Kept, after: Kept) -> bytes:
    """Return the draft about a hold that begins, or ends by itself."""
    began = after.held is not None
    waiting = await store.read(find_waiting, after)
    facts = {**_facts(after if began else before), "waiting": waiting.counts}
    return msgspec.json.encode({
        "request": ids.request_id(),
        "operation": "fuin:HoldClock" if began else "fuin:ReleaseClock",
        "principal": "fuin",
        "facts": {"clock": facts},
    })  # fmt: skip


def _facts(kept: Kept) -> dict[str, Any]:
    return {"wall": iso(kept.wall), "steady": iso(kept.steady), "held": kept.held}


def iso(moment: float) -> str:
    """Return a time in ISO 8601, in UTC to the second; for an impossible year, the number of seconds."""
    try:
        return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{moment:.0f}"
