"""A disk that fails: the log refuses, comes back by itself, and never believes what the page cache alone holds."""

import os
import random
from pathlib import Path

import pytest

from fuin.audit import log as log_module
from fuin.audit import reader
from fuin.audit.log import Log, RecordedUse
from fuin.audit.segments import segments, write_durably
from fuin.audit.verify import verify
from fuin.formats import record
from tests.audit.disk import PAGE, Disk
from tests.audit.logs import KEY_ID, SIGNER, opened, use


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Give a disk whose log tries again at once."""
    monkeypatch.setattr(log_module, "_FIRST_PAUSE", 0.0)
    return Disk(tmp_path / "log", monkeypatch)


def large(number: int, size: int = 3 * PAGE) -> RecordedUse:
    """Return a use whose record takes several pages."""
    draft = b'{"request":"r-%d","padding":"%s"}' % (number, b"x" * size)
    return RecordedUse(record.DECRYPT, record.DONE, KEY_ID, bytes(32), draft)


def found_in(folder: Path, log: Log | None = None) -> set[str]:
    """Return the requests on a log's record; the log must be whole and, if it is given, end where that one does."""
    verify(folder, SIGNER.check, None if log is None else (log.position.sequence, log.position.head))
    return {str(entry.draft["request"]) for entry in reader.entries(folder) if entry.use == "decrypt"}


def refused(log: Log, number: int) -> None:
    """Append a record that the disk must not take."""
    before = log.position
    with pytest.raises(OSError, match="error"):
        log.append([large(number)])
    assert log.position == before
    assert log.refusing


@pytest.mark.parametrize("spoils", [False, True], ids=["not-written", "spoiled"])
def test_power_cut_after_failed_syncs(disk: Disk, tmp_path: Path, spoils: bool) -> None:
    """fdatasync fails for two batches, the disk heals, then the power is cut: the chain is whole, nothing is lost.

    Where the failure spoils whole pages, an acknowledged record in the same page is lost with it, and written again.
    """
    disk.spoils = spoils
    log = opened(disk.folder)
    for number in range(100, 115):  # more than the log keeps in memory
        log.append([large(number)])
    log.append([use(1), large(2)])
    disk.failing = {"fdatasync", "fsync"}
    refused(log, 3)
    refused(log, 4)
    disk.failing = set()
    log.append([large(5)])
    log.append([use(6)])
    log.close()
    after = disk.power_cut(tmp_path / "after")
    acknowledged = {f"r-{number}" for number in (1, 2, 5, 6, *range(100, 115))}
    assert found_in(after, log) == acknowledged
    log = opened(after)
    log.append([use(7)])
    log.close()
    assert found_in(after, log) == acknowledged | {"r-7"}


def test_keyholder_killed_after_a_failed_sync(disk: Disk, tmp_path: Path) -> None:
    """The next keyholder reads the batch from the cache; before it goes on there, it has written it itself."""
    log = opened(disk.folder)
    log.append([use(1)])
    disk.failing = {"fdatasync"}
    refused(log, 2)
    log.close()  # as a kill does; the page cache stays
    disk.failing = set()
    log = opened(disk.folder)
    log.append([use(3)])
    log.close()
    assert found_in(disk.power_cut(tmp_path / "after"), log) >= {"r-1", "r-3"}


def test_what_happened_is_on_the_record(disk: Disk) -> None:
    """After an outage the log says how many records were refused, and what was dropped of the last batch."""
    log = opened(disk.folder)
    disk.failing = {"fdatasync", "fsync"}
    refused(log, 1)
    refused(log, 2)
    disk.failing = set()
    assert log.try_again()
    log.close()
    drafts = [entry.draft for entry in reader.entries(disk.folder) if entry.use == "recovered"]
    assert [sorted(draft) for draft in drafts] == [["bytes", "sha256"], ["refused"]]
    assert drafts[1] == {"refused": 2}


def test_log_opens_on_a_disk_that_fails(disk: Disk) -> None:
    """A keyholder that starts while the disk fails refuses, and goes on when it heals; nobody has to start it again."""
    log = opened(disk.folder)
    log.append([use(1)])
    log.close()
    disk.failing = {"fsync", "write", "fdatasync"}
    log = opened(disk.folder)
    assert log.refusing
    assert log.failure() == "Input/output error"
    assert log.retry_delay() is not None
    refused(log, 2)
    assert not log.try_again()
    disk.failing = set()
    assert log.try_again()
    assert log.retry_delay() is None
    assert log.failure() is None
    log.append([use(3)])
    log.close()
    assert found_in(disk.folder, log) == {"r-1", "r-3"}
    assert [entry.use for entry in reader.entries(disk.folder)].count("opened") == 2


def test_full_disk_with_nobody_asking(disk: Disk) -> None:
    """A log that was refused for want of room notices by itself that there is room again."""
    log = opened(disk.folder)
    disk.failing = {"write half"}
    with pytest.raises(OSError, match="No space"):
        log.append([use(1)])
    assert not log.try_again()
    disk.failing = set()
    assert log.try_again()
    log.close()
    assert found_in(disk.folder, log) == set()


def test_failing_disk_is_not_tried_without_a_pause(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing a whole segment anew is not tried again for every request, but after pauses that grow to a bound."""
    monkeypatch.setattr(log_module, "_FIRST_PAUSE", 0.25)
    log = opened(disk.folder)
    disk.failing = {"fdatasync", "fsync"}
    refused(log, 1)
    tried = []
    monkeypatch.setattr(log_module, "write_durably", lambda *_: tried.append(1))
    for number in range(5):
        refused(log, number)
    assert not tried
    assert 0 < (log.retry_delay() or 0) <= 0.25
    monkeypatch.undo()
    log.close()


def test_records_that_cannot_be_read_back_stop_the_log(disk: Disk) -> None:
    """When older records are not what was written the log refuses, however healthy the disk now is, and says why."""
    log = opened(disk.folder)
    for number in range(20):
        log.append([large(number)])
    disk.failing = {"fdatasync"}
    refused(log, 90)
    disk.failing = set()
    path = segments(disk.folder)[0].path
    whole = path.read_bytes()
    path.write_bytes(whole[:300] + b"?" + whole[301:])
    with pytest.raises(OSError, match="cannot be read back"):
        log.append([use(91)])
    path.write_bytes(whole)
    log.append([use(92)])
    log.close()
    assert found_in(disk.folder, log) == {*(f"r-{number}" for number in range(20)), "r-92"}


def test_segment_that_was_not_wanted_does_not_come_back(disk: Disk, tmp_path: Path) -> None:
    """When a new segment's name may or may not be durable, it is gone for certain before the old one goes on."""
    log = opened(disk.folder)
    log.segment_limit = 1
    log.append([use(1)])
    disk.failing = {"sync folder"}
    refused(log, 2)
    refused(log, 3)
    assert len(segments(disk.folder)) == 2
    disk.failing = set()
    log.segment_limit = 1_000_000
    log.append([use(4)])
    log.close()
    after = disk.power_cut(tmp_path / "after")
    assert len(segments(after)) == 2
    assert found_in(after, log) == {"r-1", "r-4"}


def test_short_writes_are_carried_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes a part and says so gets the rest: a file never appears cut."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:7]))
    write_durably(tmp_path / "file", b"one part and", b" another")
    assert (tmp_path / "file").read_bytes() == b"one part and another"


_CALLS = ("write", "write half", "fdatasync", "fsync", "sync folder", "replace", "unlink", "ftruncate")


@pytest.mark.parametrize("seed", range(25))
def test_any_failures_then_a_power_cut(disk: Disk, tmp_path: Path, seed: int) -> None:
    """Whatever fails, and whenever keyholders are killed between, what was acknowledged is there after a power cut."""
    choice = random.Random(seed)
    log, acknowledged = opened(disk.folder), set()
    log.segment_limit = 8 * PAGE
    for number in range(30):
        disk.failing = set(choice.sample(_CALLS, 2)) if choice.random() < 0.4 else set()
        disk.spoils = choice.random() < 0.5
        try:
            log.append([large(number, choice.randrange(2 * PAGE))])
            acknowledged.add(f"r-{number}")
        except OSError:
            if choice.random() < 0.3:
                log.try_again()
        if choice.random() < 0.1 and not disk.spoils:
            log.close()
            log = opened(disk.folder)
            log.segment_limit = 8 * PAGE
    log.close()
    after = disk.power_cut(tmp_path / "after", choice)
    disk.failing = set()
    opened(after).close()
    assert acknowledged <= found_in(after)
