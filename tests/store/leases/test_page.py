"""The page of a lease, what a torn or old one means, and the epoch that a worker takes from it."""

import threading
import timeit
from pathlib import Path

import pytest

from fuin.errors import StoreUnavailable
from fuin.store.engine.leases import membership as membership_module
from fuin.store.engine.leases.keeper import clock_warning
from fuin.store.engine.leases.membership import LeaseMembership
from fuin.store.engine.leases.page import Page, boot_time
from fuin.store.engine.leases.protocol import SECOND, Lease, Row, Sight, lease_length, may_return, safe_wait
from fuin.store.engine.leases.rows import Durability


def _lease(epoch: int, seconds: float = 60) -> Lease:
    lease = Lease(SECOND)
    lease.start_join(b"i" * 16)
    lease.complete_join(0, b"")
    lease.epoch, lease.until, lease.timeline = epoch, boot_time() + round(seconds * SECOND), 3
    return lease


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a page that was not made."""
    return tmp_path / "lease"


def test_workers_read_what_the_keeper_shows(path: Path) -> None:
    """The epoch while the lease lives, then nothing; the next keeper learns who was there before it."""
    with pytest.raises(StoreUnavailable):
        Page.open(path)
    written = Page.create(path)
    page = Page.open(path)
    with pytest.raises(StoreUnavailable, match="no lease"):
        page.epoch()
    written.show(_lease(7))
    assert page.epoch() == 7
    written.show(_lease(8, seconds=-0.001))
    with pytest.raises(StoreUnavailable):
        page.epoch()
    written.show(_lease(9))
    again = Page.create(path)
    assert again.former() == (b"i" * 16, 3, 0)
    with pytest.raises(StoreUnavailable):
        page.epoch()
    assert page.is_file(path)


def test_a_half_written_page_is_no_lease(path: Path) -> None:
    """A keeper that ends between two words leaves an epoch without its end, or an end without its epoch."""
    written, page = Page.create(path), Page.open(path)
    written.show(_lease(7))
    written.words[1] = 8
    with pytest.raises(StoreUnavailable):
        page.epoch()


def test_no_reader_meets_an_end_without_its_epoch(path: Path) -> None:
    """A thread writes epochs with ends that name them; a reader sees pairs only."""
    written, page = Page.create(path), Page.open(path)
    lease, ending = _lease(0), threading.Event()
    base = lease.until

    def write() -> None:
        while not ending.is_set():
            lease.epoch += 1
            lease.until = base + lease.epoch
            written.show(lease)

    written.show(lease)
    thread = threading.Thread(target=write)
    thread.start()
    try:
        last = 0
        for _ in range(20_000):
            epoch = page.epoch()
            assert epoch >= last
            last = epoch
    finally:
        ending.set()
        thread.join()
    assert last > 0


def test_a_look_costs_about_a_microsecond(path: Path) -> None:
    """Each turn of a worker looks once; ten times the measured 0.9 µs is a change that somebody must see."""
    written = Page.create(path)
    written.show(_lease(7))
    freshness = LeaseMembership(path, 1.0, ()).open_freshness()
    assert min(timeit.repeat(freshness.epoch, number=2000, repeat=20)) / 2000 < 9e-6


def test_an_epoch_that_was_seen_anywhere_is_in_force(path: Path) -> None:
    """A fetched row may come from a later state than the page shows."""
    Page.create(path).show(_lease(7))
    membership = LeaseMembership(path, 1.0, ())
    freshness = membership.open_freshness()
    assert (freshness.epoch(), membership.known_epoch()) == (7, 7)
    membership.learn_epoch(9)
    assert (freshness.epoch(), membership.known_epoch()) == (9, 9)
    membership.learn_epoch(8)
    assert freshness.epoch() == 9


def test_a_page_that_was_removed_is_found_again(path: Path) -> None:
    """Somebody cleans the run folder: the next keeper makes another file."""
    Page.create(path).show(_lease(7))
    freshness = LeaseMembership(path, 1.0, ()).open_freshness()
    assert freshness.epoch() == 7
    Page.open(path)
    path.rename(path.with_name("old"))
    Page.create(path).show(_lease(8))
    Page.create(path.with_name("old"))  # the old one has no lease any longer
    assert freshness.epoch() == 8


def test_writes_wait_for_the_end_of_a_short_quarantine(path: Path) -> None:
    """They are late, and not refused: a client would get an error from a node that has just said that it is ready."""
    written, lease = Page.create(path), _lease(7)
    lease.writes_from = boot_time() + SECOND // 5
    written.show(lease)
    LeaseMembership(path, 1.0, ()).require_writable("00000003")
    assert boot_time() >= lease.writes_from


def test_no_writes_on_a_later_timeline(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until a long quarantine is over, and on any timeline that is not the lease's."""
    monkeypatch.setattr(membership_module, "QUARANTINE_WAIT", 0.05)
    written, lease = Page.create(path), _lease(7)
    lease.writes_from = boot_time() + 60 * SECOND
    written.show(lease)
    membership = LeaseMembership(path, 1.0, ())
    assert membership.is_current("00000003")
    with pytest.raises(StoreUnavailable):
        membership.require_writable("00000003")
    lease.writes_from = 0
    written.show(lease)
    membership.require_writable("00000003")
    for timeline in ("00000002", "00000004"):
        with pytest.raises(StoreUnavailable):
            membership.require_writable(timeline)


def test_a_change_returns_by_acknowledgements_or_by_time() -> None:
    """Whichever comes first, and the time allows for clocks that differ by 0.2 %."""
    assert may_return(5, 0, SECOND, 5, 1)
    assert not may_return(5, 0, SECOND, 4, safe_wait(SECOND) - 1)
    assert may_return(5, 0, SECOND, 4, safe_wait(SECOND))
    assert safe_wait(SECOND) == 1_002_000_000
    assert (lease_length(2.5), lease_length(0)) == (2_500_000_000, SECOND)


def test_an_epoch_of_an_abandoned_timeline_is_passed() -> None:
    """An epoch was seen that the new primary does not have: the lease goes on above it only."""
    lease = _lease(20)
    lease.epoch = 20
    sight = Sight(4, 19, (Row("n1", b"o" * 16, 1, 19),))
    assert not lease.accept(lease.make_renewal(0), sight, 100)
    assert (lease.to_raise, lease.timeline, lease.writes_from) == (20, 4, 100 + safe_wait(SECOND))
    assert not lease.accept(lease.make_renewal(0), sight._replace(epoch=20), 100)
    assert lease.accept(lease.make_renewal(0), sight._replace(epoch=21), 100)
    assert (lease.epoch, lease.to_raise) == (21, -1)
    assert not lease.accept(lease.make_renewal(0), sight._replace(timeline=3, epoch=99), 100)


def test_what_the_machine_and_the_server_lack_is_said(tmp_path: Path) -> None:
    """A clock that stands still while paused, and commits that can be lost."""
    source = tmp_path / "source"
    source.write_text("kvm-clock\n")
    assert "paused" in clock_warning(1.0, source)
    assert clock_warning(0.0, source) == ""
    source.write_text("tsc\n")
    assert clock_warning(1.0, source) == ""
    assert Durability("*", "on", "on", "on").faults() == []
    assert len(Durability("", "local", "off", "off").faults()) == 4
