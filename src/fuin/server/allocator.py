"""Giving back memory that a worker no longer needs to the machine.

Freed memory leaves holes between memory in use. The C library keeps the holes for later: 400 TLS connections, made and
ended ten times, left a worker 50 MiB larger; `malloc_trim` gives back all but 4 of them. Linux: malloc_trim(3).
"""

from __future__ import annotations

import ctypes
import gc
from typing import TYPE_CHECKING

from fuin.settings import KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Callable

_CONNECTION = 48 * KIB  # about the memory of one connection under TLS
_CREST = 16 * MIB  # below it, giving memory back is not worth it while requests are served
_PAUSE = 30.0  # seconds between two trims that make requests wait, for some milliseconds


def trim() -> None:
    """Give the holes back; C libraries other than GNU's do that by themselves, or never."""
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)


def collect_and_trim() -> None:
    """Collect garbage first, then give memory back; this takes longer, so it is for times when nobody waits."""
    gc.collect()
    trim()


class Leftovers:
    """Decides when to give memory back: when the worker is idle after work, or soon after a peak."""

    __slots__ = ("_collect", "_crest", "_last", "_seen", "_trim", "_worked")

    def __init__(self, collect: Callable[[], None] = collect_and_trim, trim: Callable[[], None] = trim) -> None:
        self._collect, self._trim = collect, trim
        self._seen: tuple[int, int, int] = (0, 0, 0)
        self._worked = False
        self._crest = 0  # the most that was in use since the last time
        self._last = 0.0

    def look(self, now: float, answered: int, connections: int, held: int) -> None:
        """Take the numbers of answered requests, connections and held bytes, and give memory back if it is time."""
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
