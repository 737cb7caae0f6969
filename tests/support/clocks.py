"""Clocks that a test turns, for `fuin.clock` alone: the loop, the clients and the test itself keep the true ones."""

import contextlib
import time
from collections.abc import Iterator

import pytest

from fuin import clock
from fuin.clock import CLOCK

DAY = 86400.0
SOON = 48 / (24 * 60)  # days; less than a jump, so that requests are compared with the wall clock


class TurnedTime:
    """Stands in for the module `time`; `ahead` turns the wall clock, `later` what counts in this process."""

    CLOCK_BOOTTIME = time.CLOCK_BOOTTIME

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ahead = self.later = 0.0  # seconds
        patch.setattr("fuin.clock.time", self)

    def time(self) -> float:
        """Return the wall clock."""
        return time.time() + self.ahead

    def monotonic(self) -> float:
        """Return what counts in this process."""
        return time.monotonic() + self.later

    def clock_gettime(self, which: int) -> float:
        """Return what counts since the machine's start."""
        return time.clock_gettime(which)


@contextlib.contextmanager
def counted(days: float) -> Iterator[float]:
    """Let the counted time be some days after the wall clock (before it, if negative); give the settled time.

    It is the other clock that is turned: clients sign by the wall clock, and must go on being understood.
    """
    seen = clock.read()
    CLOCK.believe(clock.begin(seen, seen.wall + days * DAY, clock.JUMP_LIMIT), seen)
    try:
        yield CLOCK.certain_time()
    finally:
        CLOCK.forget()
