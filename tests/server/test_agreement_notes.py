"""What is noted of the log's place: a note holds at once at a start and a stop, and after an hour in between."""

from dataclasses import replace
from pathlib import Path

import pytest

from fuin.blobs.interface import Marker
from fuin.server import agreement_notes, jobs
from fuin.server.agreement import Finding, Refused
from fuin.settings import Settings
from fuin.store.engine import epoch, installation
from fuin.store.engine.glance import LogPosition
from tests.support.place import Place


async def _values(place: Place) -> dict[str, str]:
    return place.services.store.read_sync(installation.find_values)


async def _noted_ahead(place: Place) -> LogPosition:
    """Note the log's place for later and return it."""
    position = await place.services.keyholder.status()
    await agreement_notes.note_log_ahead(place.services.store, place.services.keyholder)
    return LogPosition(position.sequence, position.head)


def test_note_of_an_hour_holds_an_hour_later(tmp_path: Path) -> None:
    """The first note waits for the second, so that a backup may copy the log before the database; a start clears it."""
    place = Place(tmp_path)
    try:
        first = place.run(_noted_ahead(place))
        assert "log" not in place.run(_values(place))
        place.kms().list_keys()
        second = place.run(_noted_ahead(place))
        assert second.sequence > first.sequence
        assert LogPosition.parse(place.run(_values(place))["log"]) == first
        place.kms().list_keys()
        third = place.run(_noted_ahead(place))
        assert LogPosition.parse(place.run(_values(place))["log"]) == second
        place.run(_noted_at_once(place))
        values = place.run(_values(place))
        assert (LogPosition.parse(values["log"]), "log_next" in values) == (third, False)
    finally:
        place.close()


async def _noted_at_once(place: Place) -> None:
    await agreement_notes.note_log(place.services.store, place.services.keyholder)


def test_an_option_that_stays_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An option that has accepted something now is silent; one that had nothing to accept would take the next loss."""
    settings = replace(Settings(data=tmp_path), accept_older_database=True, accept_older_log=True)
    agreement_notes.remind(settings, [Refused(Finding.OLDER_DATABASE, {})])
    told = capfd.readouterr().err.splitlines()
    assert told == ["fuin: --accept-older-log has nothing to accept: remove it, or it accepts the next loss unasked"]
    agreement_notes.remind(Settings(data=tmp_path), [])
    assert capfd.readouterr().err == ""


def test_mark_is_raised_a_day_late(tmp_path: Path) -> None:
    """A long-running server marks its blobs again, with the serial of a day ago; the database does not note it."""
    place = Place(tmp_path)
    try:
        place.run(_marked_for_days(place))
    finally:
        place.close()


async def _marked_for_days(place: Place) -> None:
    blobs, store, now = place.services.blobs, place.services.store, [0.0]
    marks, first = jobs.Marks(place.services, lambda: now[0]), store.read_sync(epoch.read_serial)
    await marks.renew()

    async def after(seconds: float) -> int | None:
        await store.write(installation.put_values, {"x": str(seconds)})
        now[0] += seconds
        await marks.renew()
        mark = await blobs.read_marker()
        return None if mark is None else mark.serial

    assert await after(agreement_notes.DAILY) is None, "where no mark is, none is made"
    assert store.read_sync(epoch.read_serial) == first + 1
    await blobs.write_marker(Marker("here", 0))
    assert await after(agreement_notes.DAILY - 1) == 0
    assert await after(1) == first + 1
    assert await after(agreement_notes.DAILY) == first + 3
    assert "blobs" not in store.read_sync(installation.find_values)
    await blobs.write_marker(Marker("here", 1000))
    assert await after(agreement_notes.DAILY) == 1000, "it is never lowered"
