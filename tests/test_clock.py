"""The steady time: what a wrong clock, a restart, a long stop and a restored database do to it."""

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fuin import clock
from fuin.clock import AHEAD, BEHIND, Clock, Kept, Reading

HOUR, DAY = 3600.0, 86400.0
NOON = 1_800_000_000.0  # when the story begins
LIMIT = HOUR


class Machine:
    """A machine whose clocks the test turns; what it kept is what the server's database would hold."""

    def __init__(self, kept: Kept | None = None) -> None:
        self.true, self.wrong = NOON, 0.0  # the true time, and by how much the wall clock is off
        self.boot, self.up = "boot-1", 100 * DAY
        self.shifted = 0.0  # of CLOCK_BOOTTIME alone, as libfaketime does it
        self.kept = kept or clock.begin(self.seen(), self.seen().wall, LIMIT)

    def seen(self) -> Reading:
        """Look at the clocks."""
        return Reading(self.true + self.wrong, self.boot, self.up, self.up + self.shifted, self.up)

    def run(self, seconds: float, every: float = 15.0) -> Kept:
        """Let time go by, with a look every 15 seconds."""
        left = seconds
        while left > 0:
            step = min(every, left)
            self.true, self.up, left = self.true + step, self.up + step, left - step
            self.look()
        return self.kept

    def look(self) -> Kept:
        """Save what the clocks say."""
        self.kept = clock.advance(self.kept, self.seen())
        return self.kept

    def old(self) -> "Machine":
        """Let the server have run long enough that its first start is no excuse any more."""
        self.run(2 * HOUR, every=600)
        return self

    def reboot(self, off: float, uptime: float = 30.0) -> None:
        """Start again after so many seconds, with another name for the start."""
        self.true, self.up, self.boot = self.true + off, uptime, f"{self.boot}+"


def near(moment: float) -> Any:
    """Return what equals a moment to the second."""
    return pytest.approx(moment, abs=1)


@pytest.fixture
def machine() -> Machine:
    """Give a machine whose server has run for two hours, with a right clock."""
    return Machine().old()


def test_right_clock(machine: Machine) -> None:
    """While the wall clock goes as it should, both say the same."""
    kept = machine.run(DAY, every=600)
    assert kept.steady == near(machine.true)
    assert (kept.held, kept.since) == (None, None)


@pytest.mark.parametrize(("wrong", "held"), [(8 * DAY, AHEAD), (-8 * DAY, BEHIND), (LIMIT + 60, AHEAD), (-5e8, BEHIND)])
def test_clock_that_jumps(machine: Machine, wrong: float, held: str) -> None:
    """A wall clock that jumps takes the steady time nowhere, and is held; set right, it is let go by itself."""
    machine.wrong = wrong
    began = machine.true
    kept = machine.run(HOUR)
    assert kept.steady == near(machine.true)
    assert kept.held == held
    assert kept.since == pytest.approx(began, abs=20)
    machine.wrong = 0.0
    assert machine.look().held is None
    assert machine.kept.steady == near(machine.true)


def test_what_counts_is_the_second_sign(machine: Machine) -> None:
    """While the clock stays ahead, the time that has really passed is counted, and no second more."""
    machine.wrong = 8 * DAY
    assert machine.run(7 * DAY, every=600).steady == near(machine.true)


def test_shifted_boottime(machine: Machine) -> None:
    """A library that shifts CLOCK_BOOTTIME with the wall clock shifts nothing: of two counts the smaller one holds."""
    machine.wrong = machine.shifted = 8 * DAY
    assert machine.look().steady == near(machine.true)
    assert machine.kept.held == AHEAD
    machine.wrong = machine.shifted = 0.0
    machine.look()
    assert machine.kept.steady == near(machine.true)
    assert machine.kept.held is None


def test_restart_of_the_server(machine: Machine) -> None:
    """A server that was stopped for days on a machine that ran on knows exactly how long that was."""
    machine.true, machine.up = machine.true + 3 * DAY, machine.up + 3 * DAY
    assert machine.look().steady == near(machine.true)
    assert machine.kept.held is None


def test_short_reboot(machine: Machine) -> None:
    """The minutes of a reboot are nothing to wait for, and the steady time makes up for them within two days."""
    machine.reboot(off=20 * 60)
    kept = machine.look()
    assert kept.held is None
    assert machine.true - kept.steady == pytest.approx(20 * 60)
    assert machine.run(2 * DAY, every=600).steady == near(machine.true)


def test_weekend_off(machine: Machine) -> None:
    """A machine that was off for a weekend holds what came due meanwhile, until a person has looked at its clock."""
    machine.reboot(off=2 * DAY)
    assert machine.look().held == AHEAD
    assert machine.true - machine.kept.steady == pytest.approx(2 * DAY)
    machine.kept = clock.confirm(machine.kept, machine.seen())
    assert machine.kept.steady == machine.true
    assert machine.look().held is None


def test_reboots_without_end(machine: Machine) -> None:
    """A clock that is set ahead a little with every start is found out when all of it is more than the limit."""
    for _ in range(3):
        machine.wrong += 0.4 * LIMIT
        machine.reboot(off=5)
        machine.run(60)
    assert machine.kept.held == AHEAD
    assert machine.kept.steady <= machine.true


def test_creeping_clock(machine: Machine) -> None:
    """A wall clock that runs too fast takes the steady time along by one part in a hundred at most."""
    for _ in range(7 * 24):
        machine.wrong += 300
        machine.run(HOUR, every=600)
    assert 0 <= machine.kept.steady - machine.true <= 7 * DAY * clock.PULL


def test_small_step_back(machine: Machine) -> None:
    """A small step back is no jump, and the steady time never goes back: it waits for the wall clock."""
    machine.wrong = -600
    before = machine.kept.steady
    for _ in range(20):
        assert machine.run(600).steady > before
        before = machine.kept.steady
    assert machine.kept.held is None
    assert machine.kept.steady < machine.true


def test_container_with_its_own_uptime(machine: Machine) -> None:
    """A container that is started again counts from nought, on a machine that ran on: nothing is taken for granted."""
    machine.true, machine.up = machine.true + 2 * DAY, 3.0
    assert machine.look().steady == near(machine.true - 2 * DAY)
    assert machine.kept.held == AHEAD
    assert machine.run(HOUR).steady == near(machine.true - 2 * DAY)


def test_moved_to_another_machine(machine: Machine) -> None:
    """A folder that is moved to a machine that has run for longer brings no days with it."""
    machine.reboot(off=300, uptime=900 * DAY)
    assert machine.look().steady <= machine.true


def test_nothing_to_count_with(machine: Machine) -> None:
    """Where the system does not tell its start, nothing is counted, and nothing comes due by itself."""
    machine.boot = ""
    machine.look()
    assert machine.run(2 * DAY, every=600).steady <= machine.true - DAY
    assert machine.kept.held == AHEAD


def test_restored_database(machine: Machine) -> None:
    """A row from three days ago counts right on the same start of the machine, and waits after another."""
    old = machine.kept
    machine.run(3 * DAY, every=600)
    machine.kept = old
    assert machine.look().steady == near(machine.true)
    machine.kept = old
    machine.reboot(off=60)
    assert machine.look().held == AHEAD
    assert machine.kept.steady == near(old.steady)


def test_first_start_by_a_wrong_clock() -> None:
    """A machine whose clock is set right minutes after the very first start is not held for ever."""
    machine = Machine()
    machine.wrong = 8 * DAY
    machine.kept = clock.begin(machine.seen(), machine.seen().wall, LIMIT)
    machine.run(300)
    machine.wrong = 0.0
    assert machine.look().held is None
    assert machine.kept.steady == machine.true


def test_first_start_far_behind() -> None:
    """The other way round a person must look: what was dated by the old clock would be due at once."""
    machine = Machine()
    machine.wrong = -20 * 365 * DAY
    machine.kept = clock.begin(machine.seen(), machine.seen().wall, LIMIT)
    machine.run(300)
    machine.wrong = 0.0
    assert machine.look().held == AHEAD


def test_confirmed_wrongly(machine: Machine) -> None:
    """Whoever confirmed a wrong clock and sets it right has to say so once more; then it goes on."""
    machine.wrong = 8 * DAY
    machine.kept = clock.confirm(machine.kept, machine.seen())
    machine.wrong = 0.0
    assert machine.look().held == BEHIND
    machine.kept = clock.confirm(machine.kept, machine.seen())
    assert machine.look().held is None
    assert machine.kept.steady == machine.true


def test_real_clocks() -> None:
    """The clocks of this machine are read, and agree with themselves."""
    first, second = clock.read(), clock.read()
    assert first.boot == second.boot != ""
    assert first.uptime <= second.uptime
    assert first.boottime <= second.boottime
    assert abs(first.wall - time.time()) < 5


class Turned:
    """The clock of a process, and what turns the clocks under it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.wall, self.monotonic = NOON, 50.0
        patch.setattr("fuin.clock.time", SimpleNamespace(time=lambda: self.wall, monotonic=lambda: self.monotonic))
        self.clock = Clock()

    def believe(self, steady: float) -> None:
        """Let the process be told of a steady time."""
        seen = Reading(self.wall, "boot", 1.0, 1.0, self.monotonic)
        self.clock.believe(clock.begin(seen, steady, LIMIT), seen)

    def passes(self, seconds: float) -> None:
        """Let time go by."""
        self.wall, self.monotonic = self.wall + seconds, self.monotonic + seconds


@pytest.fixture
def turned() -> Iterator[Turned]:
    """Give the clock of a process, with its parts to be turned."""
    with pytest.MonkeyPatch.context() as patch:
        yield Turned(patch)


def test_what_has_ended_stays_ended(turned: Turned) -> None:
    """When the wall clock steps back, `now` goes on from where it was."""
    turned.believe(NOON)
    turned.passes(600)
    turned.wall -= 300
    assert turned.clock.steady_now(turned.wall) == NOON + 600
    turned.passes(10)
    assert turned.clock.steady_now(turned.wall) == NOON + 610


def test_what_destroys_needs_both(turned: Turned) -> None:
    """The earlier of the two counts, and none at all when the wall clock stands behind."""
    turned.believe(NOON)
    turned.wall += 8 * DAY
    assert turned.clock.certain_time() == NOON
    turned.wall = NOON - LIMIT + 1
    assert turned.clock.certain_time() == turned.wall
    turned.wall = NOON - LIMIT - 1
    assert turned.clock.certain_time() == 0.0
    assert turned.clock.earliest() == turned.wall


def test_signatures_go_by_the_wall_clock(turned: Turned) -> None:
    """Clients have the right time: so the wall clock counts, unless it has jumped back, which would let old ones in."""
    turned.believe(NOON)
    for wall, expected in ((NOON + 8 * DAY,) * 2, (NOON - 900,) * 2, (NOON - 8 * DAY, NOON)):
        turned.wall = wall
        assert turned.clock.signature_time(wall, turned.clock.steady_now(wall)) == expected


def test_time_of_issue(turned: Turned) -> None:
    """Credentials that a clock far ahead has issued are dated by the count, so that a revocation reaches them."""
    turned.believe(NOON)
    for wall, expected in (
        (NOON + 8 * DAY, NOON),
        (NOON + 900, NOON + 900),
        (NOON - 900, NOON),
        (NOON - 8 * DAY, NOON),
    ):
        turned.wall = wall
        assert turned.clock.issue_time(turned.clock.steady_now(wall)) == expected


def test_process_that_was_told_nothing(turned: Turned) -> None:
    """A command, or the keyholder, has the wall clock only."""
    assert turned.clock.steady_now(turned.wall) == turned.clock.certain_time() == turned.clock.earliest() == NOON
    assert turned.clock.issue_time(NOON) == turned.clock.signature_time(NOON, NOON) == NOON
    assert turned.clock.state() == (NOON, None, None, None)


def test_state(turned: Turned) -> None:
    """Health and metrics read both times, and which way the wall clock has jumped since when."""
    seen = Reading(NOON, "boot", 1.0, 1.0, turned.monotonic)
    kept = clock.begin(seen, NOON - DAY, LIMIT)
    turned.clock.believe(clock.advance(kept, seen), seen)
    turned.passes(5)
    assert turned.clock.state() == (NOON + 5, NOON - DAY + 5, AHEAD, NOON - DAY)
    turned.clock.forget()
    assert turned.clock.state().steady is None
