"""A wall clock that stands far from the counted time, for the key service in the tests' process."""

import contextlib
from collections.abc import Iterator

from fuin import clock
from fuin.clock import CLOCK

DAY = 86400.0


@contextlib.contextmanager
def counted(days: float) -> Iterator[float]:
    """Let the counted time be so many days after the wall clock (before it, if negative); gives what is settled.

    It is the other clock that is turned: clients sign by the wall clock, and must go on being understood.
    """
    seen = clock.read()
    CLOCK.believe(clock.begin(seen, seen.wall + days * DAY, clock.JUMP_LIMIT), seen)
    try:
        yield CLOCK.settled()
    finally:
        CLOCK.forget()
