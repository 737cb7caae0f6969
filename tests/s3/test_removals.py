"""Removed blobs that are still there: they are deleted only if the index, asked again, does not name them."""

import copy
import secrets
from asyncio import Future, get_running_loop
from collections.abc import Iterator, Sequence
from typing import TypeVar

import pytest
from sqlalchemy import text

from fuin.blobs.interface import Removal
from fuin.errors import StoreUnavailable
from fuin.gate.services import Services
from fuin.s3 import sweep
from fuin.store.engine import installation
from tests.support.place import Place

T = TypeVar("T")


class Removals:
    """A store of blobs that has only removals; `ended` has what was deleted of each."""

    def __init__(self, *removals: Removal) -> None:
        self._removals = list(removals)
        self.ended: dict[str, list[str]] = {}

    def list_removals(self) -> Future[list[Removal]]:
        """Return the removals."""
        return _done(self._removals)

    def end_removal(self, removal: Removal, unnamed: Sequence[str]) -> Future[None]:
        """Note what is deleted."""
        self.ended[removal.name] = list(unnamed)
        return _done(None)


def _done(value: T) -> Future[T]:
    future: Future[T] = get_running_loop().create_future()
    future.set_result(value)
    return future


def services_with(place: Place, removals: Removals) -> Services:
    """Return the place's services with other blobs."""
    services = copy.copy(place.services)
    services.blobs = removals  # type: ignore[assignment]
    return services


@pytest.fixture
def named(place: Place, bucket: str) -> str:
    """Give the id of a blob that an object names, as after an older database was put back."""
    place.s3().put_object(Bucket=bucket, Key="again", Body=b"again")
    query = text("SELECT blob FROM object_parts ORDER BY object DESC LIMIT 1")
    return str(place.run(place.services.store.read(lambda conn: conn.execute(query).scalar_one())))


@pytest.fixture
def accepted(place: Place) -> Iterator[None]:
    """Let it be as after the acceptance of an older database, before the next sweep."""
    place.run(place.services.store.write(installation.put_values, {"unswept": "1"}))
    yield
    place.run(place.services.store.write(installation.put_values, {"unswept": None}))


def test_blob_that_is_named_again_stays(place: Place, named: str, caplog: pytest.LogCaptureFixture) -> None:
    """Of a removal with a thousand blobs, one of them twice, all but the one that an object names are deleted."""
    unnamed = [secrets.token_hex(32) for _ in range(1000)]
    removals = Removals(Removal("1", [*unnamed, named, unnamed[0]], is_due=True))
    assert place.run(sweep.end_removals(services_with(place, removals))) == 1000
    assert removals.ended == {"1": unnamed}
    assert "1 blobs that were removed are named by the index again: they stay" in caplog.text


def test_part_of_an_upload_stays(place: Place, bucket: str) -> None:
    """The parts of an upload under way are named too."""
    s3 = place.s3()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="u", UploadId=upload, PartNumber=1, Body=b"part")
    query = text("SELECT blob FROM upload_parts WHERE upload_id = :id")
    part = str(place.run(place.services.store.read(lambda conn: conn.execute(query, {"id": upload}).scalar_one())))
    removals = Removals(Removal("1", [part], is_due=True))
    assert place.run(sweep.end_removals(services_with(place, removals))) == 0
    assert removals.ended == {"1": []}
    s3.abort_multipart_upload(Bucket=bucket, Key="u", UploadId=upload)


def test_removal_that_is_not_due_stays(place: Place) -> None:
    """Who still reads a blob has an hour."""
    removals = Removals(Removal("1", [secrets.token_hex(32)], is_due=False))
    assert place.run(sweep.end_removals(services_with(place, removals))) == 0
    assert removals.ended == {}


def test_accepted_older_database_turns_removals_into_orphans(place: Place, accepted: None) -> None:
    """Nothing is deleted: without a note the sweep finds the blobs, and they have the longer wait."""
    removals = Removals(*(Removal(str(number), [secrets.token_hex(32)], is_due=number == 1) for number in (1, 2)))
    assert place.run(sweep.end_removals(services_with(place, removals))) == 0
    assert removals.ended == {"1": [], "2": []}


def test_nothing_is_deleted_while_the_index_cannot_be_asked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The removal stays as it is, for the next time."""
    removals = Removals(Removal("1", [secrets.token_hex(32)], is_due=True))
    services = services_with(place, removals)

    async def refuse(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(services.store, "read", refuse)
    with pytest.raises(StoreUnavailable):
        place.run(sweep.end_removals(services))
    assert removals.ended == {}
