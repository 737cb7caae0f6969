"""Memory that a worker no longer needs goes back to the machine.

What ends leaves holes between what goes on. The C library keeps the holes for later: 400 TLS connections, made and
ended ten times, left a worker 50 MiB larger, of which `malloc_trim` gives back all but 4. Linux: malloc_trim(3).
"""

from __future__ import annotations

import ctypes
import gc
from typing import TYPE_CHECKING

from fuin.settings import KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Callable

_CONNECTION = 48 * KIB  # about what one takes under TLS
_CREST = 16 * MIB  # below it there is nothing worth giving back while others are served
_PAUSE = 30.0  # seconds between two times that others are made to wait for it, some milliseconds


def trim() -> None:
    """Give the holes back; another C library than GNU's does that by itself, or never."""
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)


def collect_and_trim() -> None:
    """Give back what refers to itself as well; that takes longer, so it is for times when nobody waits."""
    gc.collect()
    trim()


class Leftovers:
    """Decides when to give memory back: when work has ended and nobody follows, or soon after a crest."""

    __slots__ = ("_collect", "_crest", "_last", "_seen", "_trim", "_worked")

    def __init__(self, collect: Callable[[], None] = collect_and_trim, trim: Callable[[], None] = trim) -> None:
        self._collect, self._trim = collect, trim
        self._seen: tuple[int, int, int] = (0, 0, 0)
        self._worked = False
        self._crest = 0  # the most that was in use since the last time
        self._last = 0.0

    def look(self, now: float, answered: int, connections: int, held: int) -> None:
        """Look at how many requests were answered so far, how many connections there are, and what is held."""
        seen, used = (answered, connections, held), connections * _CONNECTION + held
        self._crest = max(self._crest, used)
        if seen != self._seen:
            self._seen, self._worked = seen, True
            if self._crest < _CREST or used > self._crest // 2 or now - self._last < _PAUSE:
                return
            self._trim()
        elif self._worked:
            self._worked = False
            self._collect()
        else:
            return
        self._crest, self._last = used, now
