"""Clocks that a test turns, for `fuin.clock` alone: the loop, the clients and the test itself keep the true ones."""

import time

import pytest


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
