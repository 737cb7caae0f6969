"""The sweep: what nobody writes and no index names goes out of the way, and is deleted late, if nothing contradicts."""

import itertools
import os
import secrets
import time
from asyncio import Future
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from fuin.audit import reader
from fuin.blobs.files import locks, names, orphans
from fuin.blobs.files import store as files
from fuin.blobs.interface import OrphanGroup, StoredBlob, SweepNote
from fuin.errors import FuinError, KeyholderUnavailable, StoreUnavailable
from fuin.keyholder.wire.client import Keyholder
from fuin.s3 import sweep
from fuin.s3.sweep import may_delete
from fuin.settings import SMALL_OBJECT
from fuin.store.engine import epoch, installation
from fuin.store.engine.installation import Standing
from tests.support.place import Place

DAY = 86400.0
NOW = 1_800_000_000.0
LARGE = bytes(SMALL_OBJECT)  # in front of a body, so that it is a blob
T = TypeVar("T")


@pytest.fixture(autouse=True)
def clean(place: Place) -> Iterator[None]:
    """Begin and end without orphans: other tests leave some."""
    place.settle()
    _delete_all(place.settings.blobs)
    yield
    _delete_all(place.settings.blobs)


def _delete_all(root: Path) -> None:
    for group in orphans.list_groups(root):
        orphans.delete(root, group, group.orphans)
        orphans.remove_if_empty(root, group)


def begin(place: Place) -> OrphanGroup:
    """Return a new group of orphans."""
    return orphans.begin_group(place.settings.blobs, SweepNote("i", 1, 1, NOW, 0))


def move(place: Place, group: OrphanGroup, *paths: Path) -> None:
    """Move files out of the way."""
    orphans.move(place.settings.blobs, group, [names.stored_blob(path.name) for path in paths])


def made(place: Place, suffix: str = "") -> Path:
    """Return a file of the blobs that no index names, as a crash leaves it."""
    blob = secrets.token_hex(32)
    path = names.file_path(place.settings.blobs, StoredBlob(blob + suffix, ""))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


async def wait(work: Callable[[], Future[T]]) -> T:
    """Wait for the work's result."""
    return await work()


def swept(place: Place) -> int:
    """Sweep, and return how many files went out of the way."""
    return place.run(sweep.sweep(place.services, time.time()))


def kept(place: Place) -> set[str]:
    """Return the names of the files that are out of the way."""
    return {orphan.name for group in orphans.list_groups(place.settings.blobs) for orphan in group.orphans}


def recorded(place: Place, operation: str) -> set[str]:
    """Return the names on the records of an operation of the sweep."""
    found = [entry.draft for entry in reader.entries(place.settings.audit) if entry.draft.get("operation") == operation]
    return {name for draft in found for name in draft["facts"]["blobs"]}


def test_orphans_go_out_of_the_way_and_nothing_else_does(place: Place, bucket: str) -> None:
    """Whole and unfinished files that the index does not name are moved, on the record; objects and parts stay."""
    s3 = place.s3()
    swept(place)
    s3.put_object(Bucket=bucket, Key="k", Body=LARGE + b"kept")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="u", UploadId=upload, PartNumber=1, Body=b"kept")
    place.settle()
    before = set(place.blobs())
    whole, unfinished, empty = made(place), made(place, ".part"), made(place, ".part")
    empty.write_bytes(b"")
    stranger = whole.parent / "README"
    stranger.write_bytes(b"x")
    moved = {path.name for path in (whole, unfinished, empty)}
    assert swept(place) == 3
    assert set(place.blobs()) == before | {stranger}
    assert moved <= kept(place)
    assert moved <= recorded(place, "s3:MoveOrphans")
    assert swept(place) == 0
    stranger.unlink()


def test_what_is_being_written_stays(place: Place) -> None:
    """However old it looks, a file is in use until its writer lets go, unfinished or whole."""
    new = place.services.blobs.create(secrets.token_hex(32))
    place.run(wait(lambda: new.append([b"x"])))
    path = names.blob_path(place.settings.blobs, new.blob)
    os.utime(path.with_name(f"{new.blob}.part"), (0, 0))
    assert swept(place) == 0
    place.run(wait(new.commit))
    assert swept(place) == 0
    assert path.exists()
    new.release()
    assert swept(place) == 1
    assert new.blob in kept(place)


def test_index_is_asked_again_under_the_lock(place: Place, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the index begins to name after the first question, but before the lock, is no orphan."""
    place.send("PUT", f"/{bucket}/k", {}, LARGE + b"named")
    ask = sweep._named_blobs
    asked: list[int] = []

    async def known(services: Any, found: Sequence[StoredBlob]) -> set[str]:
        asked.append(len(found))
        return await ask(services, found) if len(asked) > 1 else set()

    monkeypatch.setattr(sweep, "_named_blobs", known)
    assert swept(place) == 0
    assert len(asked) > 1
    assert place.send("GET", f"/{bucket}/k").body == LARGE + b"named"


def test_without_an_index_nothing_moves(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the index cannot be asked, at first or under the lock, nothing is moved and nothing is locked any more."""
    path = made(place)
    ask = sweep._named_blobs
    for good in (0, 1):
        answers = itertools.count()

        async def known(services: Any, found: Sequence[StoredBlob], at: Any = answers, good: int = good) -> set[str]:
            if next(at) >= good:
                raise StoreUnavailable("gone")
            return await ask(services, found)

        with monkeypatch.context() as patch:
            patch.setattr(sweep, "_named_blobs", known)
            with pytest.raises(StoreUnavailable):
                swept(place)
        assert path.exists()
    assert swept(place) == 1


def test_without_a_record_nothing_moves(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the keyholder records nothing, nothing is moved."""
    path = made(place)

    async def failing(_keyholder: Keyholder, _draft: bytes) -> None:
        raise KeyholderUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Keyholder, "record", failing)
        with pytest.raises(KeyholderUnavailable):
            swept(place)
    assert path.exists()
    assert swept(place) == 1


def test_read_puts_back_what_the_index_names(place: Place, bucket: str) -> None:
    """An object whose file was moved under another database is read as if nothing had been, and is in its place."""
    before = set(place.blobs())
    place.send("PUT", f"/{bucket}/k", {}, LARGE + b"healed")
    (path,) = set(place.blobs()) - before
    move(place, begin(place), path)
    assert not path.exists()
    assert place.send("GET", f"/{bucket}/k").body == LARGE + b"healed"
    assert path.exists()
    assert path.name not in kept(place)


def test_sweep_puts_back_what_the_index_names(place: Place, bucket: str) -> None:
    """The next sweep puts back all that is named, parts of uploads as well, and leaves the rest where it is."""
    s3 = place.s3()
    before = set(place.blobs())
    s3.put_object(Bucket=bucket, Key="k", Body=LARGE + b"kept")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="u", UploadId=upload, PartNumber=1, Body=b"kept")
    named = set(place.blobs()) - before
    orphan = made(place)
    move(place, begin(place), *named, orphan)
    assert swept(place) == 0
    assert named <= set(place.blobs())
    assert orphan.name in kept(place)


def test_a_file_in_its_place_is_never_replaced(place: Place, bucket: str) -> None:
    """What lies out of the way under the same name, such as a copy that a person has begun, is not put over it."""
    before = set(place.blobs())
    place.send("PUT", f"/{bucket}/k", {}, LARGE + b"whole")
    (path,) = set(place.blobs()) - before
    (Path(begin(place).place) / path.name).write_bytes(b"half")
    swept(place)
    assert place.send("GET", f"/{bucket}/k").body == LARGE + b"whole"


def test_readers_at_the_same_time_all_find_it(place: Place, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that comes to put a file back after another one has done so reads it as well."""
    before = set(place.blobs())
    place.send("PUT", f"/{bucket}/k", {}, LARGE + b"healed")
    (path,) = set(place.blobs()) - before
    move(place, begin(place), path)
    put_back = orphans.put_back

    def later(root: Path, blob: str) -> None:
        put_back(root, blob)  # the other reader's
        put_back(root, blob)

    monkeypatch.setattr(orphans, "put_back", later)
    assert place.send("GET", f"/{bucket}/k").body == LARGE + b"healed"


def test_what_cannot_be_opened_hinders_nothing(tmp_path: Path) -> None:
    """A file that cannot be opened stays; the others are locked, and no descriptor is left behind."""
    good, bad, gone = (StoredBlob(digit * 64, digit * 64) for digit in "abc")
    for stored in (good, bad):
        names.file_path(tmp_path, stored).parent.mkdir(parents=True)
    names.file_path(tmp_path, good).touch()
    names.file_path(tmp_path, bad).symlink_to(names.file_path(tmp_path, good))
    before = len(os.listdir("/proc/self/fd"))
    hold = locks.hold_unused(tmp_path, [good, bad, gone, good])
    assert hold.blobs == [good]  # once: the second time it is locked
    hold.release()
    assert len(os.listdir("/proc/self/fd")) == before


def test_file_that_goes_meanwhile_hinders_nothing(place: Place) -> None:
    """A file that its own request removes, between the lock and the move, is not waited for; the next one is moved."""
    gone, stays = made(place), made(place)
    gone.unlink()
    move(place, begin(place), gone, stays)
    assert kept(place) == {stays.name}


def test_missing_blob_is_still_an_error(place: Place, bucket: str) -> None:
    """A file that is nowhere is a 500, as before."""
    before = set(place.blobs())
    place.send("PUT", f"/{bucket}/k", {}, LARGE + b"gone")
    (path,) = set(place.blobs()) - before
    path.unlink()
    assert place.send("GET", f"/{bucket}/k").status == 500


HERE = SweepNote("here", 10, 100, NOW, 500.0)
STANDING = Standing(200, "here", 0)


@pytest.mark.parametrize(
    ("expected", "note", "standing", "now", "served"),
    [
        (True, HERE, STANDING, NOW + 7 * DAY, 500 + 7 * DAY),
        (True, HERE, Standing(100, "here", 100), NOW + 7 * DAY, 500 + 7 * DAY),
        (False, HERE, STANDING, NOW + 7 * DAY - 1, 500 + 7 * DAY),  # the wall clock says no
        (False, HERE, STANDING, NOW + 7 * DAY, 500 + 7 * DAY - 1),  # no server has run that long
        (False, HERE, STANDING, NOW - DAY, 500 + 8 * DAY),  # the wall clock went back
        (False, HERE, Standing(99, "here", 0), NOW + 9 * DAY, 500 + 9 * DAY),  # a database from before
        (False, HERE, Standing(200, "here", 101), NOW + 9 * DAY, 500 + 9 * DAY),  # accepted an older one since
        (False, HERE, Standing(200, "there", 0), NOW + 9 * DAY, 500 + 9 * DAY),
        (False, SweepNote("", 10, 100, NOW, 500.0), Standing(200, "", 0), NOW + 9 * DAY, 500 + 9 * DAY),
        (False, None, STANDING, NOW + 9 * DAY, 500 + 9 * DAY),  # nobody knows when
    ],
)
def test_when_orphans_may_be_deleted(
    expected: bool, note: SweepNote | None, standing: Standing, now: float, served: float
) -> None:
    """Only after the period by both clocks, and while the database is the one that made them orphans, or a later."""
    assert may_delete(note, standing, now, served, 7 * DAY) is expected


@pytest.fixture
def installed(place: Place) -> None:
    """Give the store the id of an installation, as a first start does."""
    place.run(_installed(place))


async def _installed(place: Place) -> None:
    await place.services.store.write(installation.put_values, {"installation": "here"})


@pytest.mark.usefixtures("installed")
def test_orphans_are_deleted_after_the_period(place: Place, bucket: str) -> None:
    """Deleted on the record, when both clocks have passed; what the index names by then is put back, not deleted."""
    before = set(place.blobs())
    place.send("PUT", f"/{bucket}/k", {}, LARGE + b"named")
    (named,) = set(place.blobs()) - before
    orphan = made(place)
    now = time.time()
    assert place.run(sweep.sweep(place.services, now)) == 1
    [group] = orphans.list_groups(place.settings.blobs)
    named.rename(Path(group.place) / named.name)
    later = now + 7 * DAY + 1
    assert place.run(sweep.expire(place.services, later)) == 0
    orphans.add_time_served(place.settings.blobs, 7 * DAY - 1)
    assert place.run(sweep.expire(place.services, later)) == 0
    orphans.add_time_served(place.settings.blobs, 1)
    assert place.run(sweep.expire(place.services, later)) == 1
    assert kept(place) == {named.name}
    assert recorded(place, "s3:DeleteOrphans") >= {orphan.name}
    assert named.name not in recorded(place, "s3:DeleteOrphans")
    assert place.send("GET", f"/{bucket}/k").body == LARGE + b"named"
    swept(place)
    assert orphans.list_groups(place.settings.blobs) == []


@pytest.mark.usefixtures("installed")
def test_what_an_accepted_database_does_not_name_is_kept(place: Place) -> None:
    """The first sweep after something older was accepted moves what the lost one may name: it is never deleted."""
    place.run(_accepted(place))
    first, now = made(place), time.time()
    assert place.run(sweep.sweep(place.services, now)) == 1
    second = made(place)
    assert place.run(sweep.sweep(place.services, now)) == 1
    orphans.add_time_served(place.settings.blobs, 9 * DAY)
    assert place.run(sweep.expire(place.services, now + 9 * DAY)) == 1
    assert len(orphans.list_groups(place.settings.blobs)) == 1, "a group goes with its last file"
    assert kept(place) == {first.name}
    assert recorded(place, "s3:DeleteOrphans") >= {second.name}


async def _accepted(place: Place) -> None:
    serial = str(place.services.store.read_sync(epoch.read_serial) + 1)
    await place.services.store.write(installation.put_values, {"accepted": serial, "unswept": serial})


def test_sweeper_counts_the_time_served(place: Place) -> None:
    """Served time is counted while there are orphans, by the clock that nobody sets; a sweep is due once a day."""
    clock = [1000.0]
    sweeper = sweep.Sweeper(place.services, lambda: clock[0])
    first = made(place)
    place.run(sweeper.run(NOW, NOW))
    assert not first.exists()
    before = orphans.time_served(place.settings.blobs)
    second = made(place)
    for moment in (1030.0, 1090.0, 1091.0):
        clock[0] = moment
        place.run(sweeper.run(NOW, NOW))
    assert orphans.time_served(place.settings.blobs) == before + 90
    assert second.exists()
    clock[0] = 1000 + DAY
    place.run(sweeper.run(NOW, NOW))
    assert not second.exists()


@pytest.mark.parametrize("content", [b"", b"soon", b"\xff", b"inf", b"nan"])
def test_unreadable_count_is_nothing(tmp_path: Path, content: bytes) -> None:
    """A count that cannot be read begins anew, so that orphans wait longer, not shorter."""
    (tmp_path / "orphans").mkdir()
    (tmp_path / "orphans" / "served").write_bytes(content)
    assert orphans.time_served(tmp_path) == 0
    assert orphans.add_time_served(tmp_path, 5) == 5


def test_groups_of_one_moment_have_folders_of_their_own(tmp_path: Path) -> None:
    """Two sweeps at the same record of the log do not mix, and a folder without its note is not deleted."""
    note = SweepNote("here", 7, 1, NOW, 0)
    first, second = orphans.begin_group(tmp_path, note), orphans.begin_group(tmp_path, note)
    assert first != second
    (Path(second.place) / "note.json").write_bytes(b"{")
    assert [group.note for group in orphans.list_groups(tmp_path)] == [note, None]


def test_replaced_file_goes_when_the_log_knows_too(
    place: Place, bucket: str, monkeypatch: pytest.MonkeyPatch, unique: Callable[[str], str]
) -> None:
    """The old file of a replaced object stays as long as the index alone says that it was replaced."""
    before = set(place.blobs())
    place.send("PUT", f"/{bucket}/k", {}, LARGE + b"old")
    (old,) = set(place.blobs()) - before

    async def failing(_keyholder: Keyholder, _draft: bytes) -> None:
        raise KeyholderUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Keyholder, "record", failing)
        assert place.send("PUT", f"/{bucket}/k", {}, LARGE + b"new").status >= 500
    place.settle()
    assert old.exists()
    assert place.send("GET", f"/{bucket}/k").body == LARGE + b"new"
    assert swept(place) == 1
    place.send("PUT", f"/{bucket}/k", {}, LARGE + b"newer")
    place.settle()
    assert len(set(place.blobs()) - before) == 1


@pytest.mark.parametrize("name", ["note.json", "../x", "", "a" * 63])
def test_only_blobs_files_are_put_back(name: str) -> None:
    """A name that is no blob's is not looked for."""
    with pytest.raises(ValueError, match="blob"):
        names.stored_blob(name)


def test_refusals_are_of_the_domain(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be read makes the job fail and try again; it does not end it."""

    def broken(_root: Path) -> Iterator[StoredBlob]:
        raise PermissionError(13, "denied")
        yield

    monkeypatch.setattr(files, "list_files", broken)
    with pytest.raises(FuinError):
        place.run(sweep.Sweeper(place.services).run(NOW, NOW))
