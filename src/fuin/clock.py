"""Two clocks: the wall clock, which anybody may set, and the steady time, which only counts.

The steady time is the time that was known at the last save, plus the time counted since without the wall clock. It
never runs ahead by itself. Nothing is destroyed before both clocks have reached its date; anything that has ended by
one clock has ended. The reasons and the figures: docs/decisions/0009.
"""

import time
from pathlib import Path
from typing import NamedTuple

JUMP_LIMIT = 3600.0  # seconds by which the two may differ before the wall clock is held to have jumped
PULL = 0.01  # of the seconds counted: so much the steady time follows the wall clock, within the limit
YOUNG = 3600.0  # seconds counted since the first start; nothing can have ended in them
SET_ANEW = 60.0  # seconds; by less a wall clock may move while a person reads and answers
AHEAD, BEHIND = "ahead", "behind"  # where the wall clock stands when it has jumped

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_UPTIME = Path("/proc/uptime")


class Reading(NamedTuple):
    """One look at all clocks, in seconds; `boot` names the start of the machine, empty if it is unknown.

    Two clocks count from that start, since each may be shifted alone: by a container, or by a library like libfaketime.
    """

    wall: float  # since 1970
    boot: str
    uptime: float  # /proc/uptime
    boottime: float  # CLOCK_BOOTTIME
    monotonic: float  # of this process


class Kept(NamedTuple):
    """The clock state in the database: the clocks at a save, the steady time then, and whether they agreed."""

    wall: float
    steady: float  # since 1970
    boot: str
    uptime: float
    boottime: float
    counted: float  # since the first start
    limit: float
    held: str | None = None  # AHEAD, BEHIND, or None while they agree
    since: float | None = None  # when that began, by the steady time


class State(NamedTuple):
    """The clocks for health and metrics: both times (seconds since 1970), and the direction of a wall clock's jump."""

    wall: float
    steady: float | None  # None in a process that knows none, such as a command
    held: str | None
    since: float | None


def read() -> Reading:
    """Return one look at all clocks."""
    try:
        boot = _BOOT.read_text("ascii").strip()
        uptime = float(_UPTIME.read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        boot, uptime = "", 0.0
    return Reading(time.time(), boot, uptime, time.clock_gettime(time.CLOCK_BOOTTIME), time.monotonic())


def begin(seen: Reading, steady: float, limit: float, counted: float = 0.0) -> Kept:
    """Return the first clock state to save, when none was saved before: `steady` is the best known time."""
    return Kept(seen.wall, steady, seen.boot, seen.uptime, seen.boottime, counted, limit)


def advance(kept: Kept, seen: Reading) -> Kept:
    """Return the clock state to save after a look at the clocks.

    Within the limit the steady time follows the wall clock slowly, which makes up for short stops of the machine and
    for drift. Beyond it nothing but counting moves it, until a person confirms.
    """
    elapsed = _elapsed_seconds(kept, seen)
    steady, counted = kept.steady + elapsed, kept.counted + elapsed
    if seen.wall < steady - kept.limit and counted < YOUNG:
        steady = seen.wall  # a wrong clock at the very first start, set right: all that was known came from it
    ahead = seen.wall - steady
    held = None
    if abs(ahead) <= kept.limit:
        most = elapsed * PULL
        steady += min(max(ahead, -most), most)
    else:
        held = AHEAD if ahead > 0 else BEHIND
    since = None if held is None else kept.since if kept.held == held else steady
    return Kept(seen.wall, steady, seen.boot, seen.uptime, seen.boottime, counted, kept.limit, held, since)


def on_this_machine(saved: Kept, first_seen: Reading) -> Kept:
    """Return a clock state that another machine has saved as if it was saved here, when it was first seen.

    So this machine counts on from there. The time between the save and that look is lost, a few seconds, and none is
    invented.
    """
    if saved.boot == first_seen.boot:
        return saved
    return saved._replace(boot=first_seen.boot, uptime=first_seen.uptime, boottime=first_seen.boottime)


def confirm(kept: Kept, seen: Reading) -> Kept:
    """Return the clock state to save when a person has said that the wall clock is right."""
    return begin(seen, seen.wall, kept.limit, max(kept.counted, YOUNG))


def has_jumped(first: Reading, second: Reading) -> bool:
    """Return whether, between two looks, the wall clock and the counted time have moved apart by more than a minute."""
    return abs(second.wall - first.wall - (second.boottime - first.boottime)) > SET_ANEW


def _elapsed_seconds(kept: Kept, seen: Reading) -> float:
    """Return the seconds that have certainly passed: the smaller one of two counts, and 0 if the machine restarted.

    An uptime that is less than before is another start, whatever its name: a container, or a machine that was put back.
    """
    if not seen.boot or seen.boot != kept.boot:
        return 0.0
    return max(0.0, min(seen.uptime - kept.uptime, seen.boottime - kept.boottime))


class Clock:
    """The two clocks of one process: the steady time that it got last, and the time that it has counted since.

    Until it gets a steady time, it knows the wall clock only: a command or the keyholder ends nothing by itself.
    """

    __slots__ = ("_held", "_limit", "_since", "_start", "floor")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Forget the steady time, and use the wall clock only."""
        self._start = float("-inf")  # the steady time when the monotonic clock stood at zero
        self.floor = float("-inf")  # the steady time of the last look; while the wall clock is later, it is `now`
        self._limit = JUMP_LIMIT
        self._held: str | None = None
        self._since: float | None = None

    def believe(self, kept: Kept, seen: Reading) -> None:
        """Take the steady time from a saved clock state."""
        self.floor, self._start = kept.steady, kept.steady - seen.monotonic
        self._limit, self._held, self._since = kept.limit, kept.held, kept.since

    def steady_now(self, wall: float) -> float:
        """Return the later one of the two times: what has ended by it stays ended when the wall clock steps back."""
        steady = self._start + time.monotonic()
        return wall if wall > steady else steady

    def certain_time(self) -> float:
        """Return the time by which something may be destroyed: the earlier one, and 0 if the wall clock is behind."""
        if self._start == float("-inf"):
            return time.time()
        wall, steady = time.time(), self._start + time.monotonic()
        return 0.0 if wall < steady - self._limit else min(wall, steady)

    def earliest(self) -> float:
        """Return the earlier one of the two times: at least so much time has passed."""
        wall, steady = time.time(), self._start + time.monotonic()
        return wall if self._start == float("-inf") else min(wall, steady)

    def signature_time(self, wall: float, now: float) -> float:
        """Return the time that signatures are compared with: the wall clock, unless it is behind by a jump.

        `now` is the result of `steady_now(wall)`.
        """
        return now if now - wall > self._limit else wall

    def issue_time(self, now: float) -> float:
        """Return the time of issue for credentials: `now`, or the steady time while the wall clock is ahead by a jump.

        Else sessions of that time would be younger than the policy that ends all sessions from before today.
        """
        steady = self._start + time.monotonic()
        return now if steady == float("-inf") or now - steady <= self._limit else steady

    def state(self) -> State:
        """Return the clocks for health and metrics."""
        known = self._start != float("-inf")
        return State(time.time(), self._start + time.monotonic() if known else None, self._held, self._since)


CLOCK = Clock()  # of this process
