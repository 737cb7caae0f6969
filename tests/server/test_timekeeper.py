"""The steady time in the database, on the record and in the log, with a clock that the test turns."""

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fuin import clock
from fuin.audit import reader
from fuin.clock import CLOCK, Kept
from fuin.errors import FuinError
from fuin.gate.services import Services
from fuin.server import jobs, timekeeper
from fuin.server.config import WorkerConfig
from fuin.server.timekeeper import ClockReport, Timekeeper, Waiting
from fuin.server.worker import job_of, open_services
from fuin.store.engine import installation
from fuin.store.engine import steady_time as rows
from fuin.store.engine.installation import Meta
from fuin.store.errors import NotFound
from tests.support.clocks import TurnedTime
from tests.support.place import ACCOUNT, REGION, Place, wait
from tests.support.processes import wait_until

DAY = 86400.0


class Timed:
    """A key service with a timekeeper, and clocks that the test turns."""

    def __init__(self, place: Place, patch: pytest.MonkeyPatch) -> None:
        self.place, self.keeper, self.clocks = place, Timekeeper(), TurnedTime(patch)
        self.keep(None)

    def keep(self, kept: Kept | None) -> None:
        """Put a row in the place of what was saved, by default a fresh one of a server that has run for long."""
        if kept is None:
            seen = clock.read()
            kept = clock.begin(seen, seen.wall, clock.JUMP_LIMIT, DAY)
        self.place.run(wait(self.place.services.store.write(rows.save, kept)))

    def save(self) -> Kept:
        """Let the job look once; return what it has saved."""
        self.place.run(self.keeper.save(self.place.services))
        return self.row()

    def row(self) -> Kept:
        """Return what was saved."""
        return self.place.run(self._row())

    async def _row(self) -> Kept:
        return self.place.services.store.read_sync(rows.get)

    def look(self) -> ClockReport:
        """Return what a person is shown."""
        return self.place.run(_shown(self.place))

    def confirm(self, shown: ClockReport | None = None) -> None:
        """Say that the wall clock is right, by default of what is shown now."""
        services = self.place.services
        self.place.run(timekeeper.confirm(services.store, services.keyholder, ACCOUNT, shown or self.look()))

    def said(self) -> list[str]:
        """Return the operations on the record that are about the clock."""
        drafts = [entry.draft for entry in reader.entries(self.place.settings.audit)]
        return [draft["operation"] for draft in drafts if "clock" in draft.get("facts", {})]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give a key service of this file's own: its clock is turned."""
    made = Place(tmp_path_factory.mktemp("time") / "data")
    made.run(wait(made.services.store.write(installation.insert_meta, Meta(ACCOUNT, REGION, time.time()))))
    yield made
    made.close()


@pytest.fixture
def kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Timed]:
    """Give the timekeeper, with a right clock."""
    yield Timed(place, monkeypatch)
    CLOCK.forget()


def test_a_hold_begins_and_ends_on_the_record(kept: Timed, caplog: pytest.LogCaptureFixture) -> None:
    """A jump is recorded and warned of once, and so is its end; what goes as it should is not."""
    caplog.set_level(logging.WARNING)
    before = len(kept.said())
    assert kept.save().held is None
    assert not caplog.messages
    kept.clocks.ahead = 8 * DAY
    for _ in range(3):
        assert kept.save().held == "ahead"
    [said] = caplog.messages
    assert said.startswith("the wall clock is 8 days, 0:00:00 ahead of the counted time")
    assert "`fuin clock confirm`" in said
    kept.clocks.ahead = 0.0
    for _ in range(2):
        assert kept.save().held is None
    assert caplog.messages[1:] == ["the wall clock and the counted time agree again: nothing waits any longer"]
    assert kept.said()[before:] == ["fuin:HoldClock", "fuin:ReleaseClock"]


def test_a_lasting_hold_is_warned_of_rarely(kept: Timed, caplog: pytest.LogCaptureFixture) -> None:
    """A hold that lasts is warned of again after six hours, by a clock that only counts, and recorded once."""
    before = len(kept.said())
    kept.clocks.ahead = -8 * DAY
    kept.save()
    for hours, times in ((5.9, 1), (6.1, 2), (11.9, 2), (12.2, 3)):
        kept.clocks.later = hours * 3600
        assert kept.save().held == "behind"
        assert len(caplog.messages) == times
    assert kept.said()[before:] == ["fuin:HoldClock"]


def test_a_confirmation_reaches_a_running_server(kept: Timed) -> None:
    """What a person says beside the running server holds with the next look, in the worker with the jobs and others."""
    kept.clocks.ahead = 8 * DAY
    began = kept.save()
    assert CLOCK.certain_time() == pytest.approx(began.steady, abs=5)
    kept.confirm()
    assert kept.said()[-1] == "fuin:ConfirmClock"
    CLOCK.forget()
    assert kept.place.run(_looked(kept.place)).held is None  # another worker
    assert CLOCK.state().steady == pytest.approx(began.wall, abs=5)
    assert kept.save().held is None
    assert kept.row().steady == pytest.approx(began.wall, abs=5)


def test_workers_without_jobs_follow(kept: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that has no jobs looks again and again, also after a look that failed."""
    config = WorkerConfig(kept.place.settings, 0, 0, 0, jobs=False)
    assert job_of(config) is timekeeper.follow
    assert job_of(replace(config, jobs=True)) is not timekeeper.follow
    monkeypatch.setattr(timekeeper, "LOOK_EVERY", 0.02)
    row = kept.row()
    kept.place.sql("DELETE FROM clock")
    following = asyncio.run_coroutine_threadsafe(timekeeper.follow(kept.place.services), kept.place.loop)
    time.sleep(0.1)
    assert CLOCK.state().steady is None
    kept.keep(row)
    wait_until(lambda: CLOCK.state().steady is not None, 60, "a look")
    following.cancel()


def test_workers_look_before_they_serve(kept: Timed) -> None:
    """A worker that was just started knows the steady time before its first request."""
    kept.clocks.ahead = 8 * DAY
    services = kept.place.run(open_services(kept.place.settings))
    assert CLOCK.state().held == "ahead"
    kept.place.run(services.keyholder.close())
    kept.place.run(_closed(services))


async def _closed(services: Services) -> None:
    services.store.close()


async def _shown(place: Place) -> ClockReport:
    return timekeeper.report_clocks(place.services.store)


def test_a_confirmation_is_of_what_was_shown(kept: Timed) -> None:
    """Who answers late confirms neither a clock that has jumped meanwhile, nor the end of a key that was not named."""
    key = kept.place.kms().create_key()["KeyMetadata"]["Arn"]
    kept.place.kms().schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    kept.clocks.ahead = 8 * DAY
    kept.save()
    said, shown = kept.said(), kept.look()
    assert key in shown.waiting.keys
    kept.clocks.ahead = 8 * DAY + 120
    with pytest.raises(FuinError, match="check again"):
        kept.confirm(shown)
    kept.clocks.ahead = 8 * DAY
    with pytest.raises(FuinError, match="check again"):
        kept.confirm(shown._replace(waiting=Waiting([], [], [], [])))
    assert (kept.said(), kept.row().held) == (said, "ahead")
    kept.confirm(shown)
    assert kept.row().held is None


@pytest.mark.parametrize("steady", [1e300, -1e300, float("inf")])
def test_an_absurd_time_stops_no_job(kept: Timed, steady: float) -> None:
    """A damaged row is said and held like any other jump, and a person can confirm; nothing is settled before."""
    seen = clock.read()
    kept.keep(clock.begin(seen, seen.wall, clock.JUMP_LIMIT, DAY)._replace(steady=steady))
    assert kept.save().held == ("ahead" if steady < 0 else "behind")
    assert CLOCK.certain_time() <= 0
    kept.confirm()
    assert kept.save().held is None


def test_a_job_that_fails_by_a_fault_of_ours_is_tried_again(kept: Timed, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever one of the timed jobs raises, the others go on, and the log has where it happened."""

    async def failing() -> None:
        raise OverflowError("of ours")

    kept.place.run(jobs._run_job("purge", failing()))
    assert "purge failed and will be tried again" in caplog.text
    assert "OverflowError" in caplog.text


async def _looked(place: Place) -> Kept:
    return timekeeper.adopt_saved_time(place.services.store)


def test_the_limit_is_a_setting(kept: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    """By how much the wall clock may differ is the server's setting, which the commands read from the database."""
    services = kept.place.services
    monkeypatch.setattr(services, "settings", replace(services.settings, clock_jump_limit=10 * DAY))
    kept.clocks.ahead = 8 * DAY
    saved = kept.save()
    assert (saved.held, saved.limit) == (None, 10 * DAY)
    assert CLOCK.certain_time() == pytest.approx(saved.steady, abs=5)


def test_a_lost_row_lets_nothing_end(kept: Timed, caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    """Without the row nobody knows how much time has passed: the job fails, and what was known is counted on."""
    kept.save()
    settled = CLOCK.certain_time()
    kept.place.sql("DELETE FROM clock")
    kept.clocks.ahead = 8 * DAY
    with pytest.raises(NotFound):
        kept.place.run(kept.keeper.save(kept.place.services))
    kept.place.run(jobs._run_job("saving the steady time", kept.keeper.save(kept.place.services)))
    assert "start the server again" in caplog.text
    assert CLOCK.certain_time() == pytest.approx(settled, abs=5)


def test_a_start_begins_with_the_log(kept: Timed) -> None:
    """A database without the row begins at the log's last record, not with a clock that is wrong by then."""
    kept.place.sql("DELETE FROM clock")
    kept.place.kms().create_key()  # the log's last record
    last = reader.last(kept.place.settings.audit, 1)[0].time
    kept.clocks.ahead = 8 * DAY
    timekeeper.start(kept.place.settings)
    row = kept.row()
    assert row.steady == pytest.approx(last, abs=0.001)
    assert row.wall == pytest.approx(last + 8 * DAY, abs=30)
    assert kept.save().held == "ahead"
    kept.clocks.ahead = 0.0
    timekeeper.start(kept.place.settings)  # there is a row: it stays
    assert kept.row().held == "ahead"


def test_a_log_without_records_begins_with_the_account(kept: Timed, tmp_path: Path) -> None:
    """Without a log there is one more witness, the time of the first start; all that came due since waits."""
    kept.place.sql("DELETE FROM clock")
    made = kept.place.run(_made(kept.place))
    settings = replace(kept.place.settings, data=tmp_path)
    settings.prepare()
    settings.database.symlink_to(kept.place.settings.database)
    timekeeper.start(settings)
    assert kept.row().steady == made


async def _made(place: Place) -> float:
    found = place.services.store.read_sync(installation.find_meta)
    assert found is not None
    return found.created


def test_a_first_start_has_nothing_to_begin(tmp_path: Path, kept: Timed) -> None:
    """Before there is an account nothing is begun, and no database is made."""
    settings = replace(kept.place.settings, data=tmp_path / "new")
    timekeeper.start(settings)
    assert not settings.data.exists()
