"""What is noted of the log's place: a note holds at once at a start and a stop, and after an hour in between."""

from dataclasses import replace
from pathlib import Path

import pytest

from fuin.server import standing
from fuin.server.agreement import Finding, Refused
from fuin.settings import Settings
from fuin.store import meta
from fuin.store.glance import Noted
from tests.kms.place import Place


async def _values(place: Place) -> dict[str, str]:
    return place.services.store.read(meta.find_values)


async def _noted_ahead(place: Place) -> Noted:
    """Note the log's place for later and return it."""
    position = await place.services.keyholder.status()
    await standing.note_log_ahead(place.services.store, place.services.keyholder)
    return Noted(position.sequence, position.head)


def test_note_of_an_hour_holds_an_hour_later(tmp_path: Path) -> None:
    """The first note waits for the second, so that a backup may copy the log before the database; a start clears it."""
    place = Place(tmp_path)
    try:
        first = place.run(_noted_ahead(place))
        assert "log" not in place.run(_values(place))
        place.client().list_keys()
        second = place.run(_noted_ahead(place))
        assert second.sequence > first.sequence
        assert Noted.parse(place.run(_values(place))["log"]) == first
        place.client().list_keys()
        third = place.run(_noted_ahead(place))
        assert Noted.parse(place.run(_values(place))["log"]) == second
        place.run(_noted_at_once(place))
        values = place.run(_values(place))
        assert (Noted.parse(values["log"]), "log_next" in values) == (third, False)
    finally:
        place.close()


async def _noted_at_once(place: Place) -> None:
    await standing.note_log(place.services.store, place.services.keyholder)


def test_an_option_that_stays_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An option that has accepted something now is silent; one that had nothing to accept would take the next loss."""
    settings = replace(Settings(data=tmp_path), accept_older_database=True, accept_older_log=True)
    standing.remind(settings, [Refused(Finding.OLDER_DATABASE, {})])
    told = capfd.readouterr().err.splitlines()
    assert told == ["fuin: --accept-older-log has nothing to accept: take it out, or it accepts the next loss unasked"]
    standing.remind(Settings(data=tmp_path), [])
    assert capfd.readouterr().err == ""
