"""Limits on rates (token buckets) and on concurrent work, counted in this process's memory.

A bucket holds at most one second's tokens, and never fewer than one; each request takes one out, and they come back at
the bucket's rate. All of them are full at first, and after a restart.

Each process counts alone. A server divides the rates by the number of its workers. With several nodes, each node would
admit the whole rate: the number of nodes would have to be a part of the division.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BUCKETS_AT_MOST = 10_000  # callers choose the Regions that they name; then all buckets start anew


class Throttled(FuinError):
    """A rate or a limit is exceeded."""


class Throttle:
    """The buckets of one process; `rates` are requests per second by name, for all `processes` together."""

    __slots__ = ("_buckets", "_processes", "rates")

    def __init__(self, rates: Mapping[str, float], processes: int = 1) -> None:
        """Give this process its share: it counts alone, so each of N processes admits the Nth part."""
        self.rates = dict(rates)
        self._processes = processes
        self._buckets: dict[tuple[str, tuple[str, ...]], tuple[float, float]] = {}

    def take(self, name: str, who: tuple[str, ...], now: float, tokens: float = 1.0) -> None:
        """Take tokens out of `who`'s bucket at `now`; raises Throttled. A name without a rate is free.

        `now` is in seconds of a monotonic clock: after a clock is set back, everybody would wait.
        """
        rate = self.rates.get(name)
        if rate is None:
            return
        share = rate / self._processes
        size = max(share, tokens)
        left, then = self._buckets.get((name, who), (size, now))
        left = min(size, left + max(0.0, now - then) * share)
        if left < tokens:
            raise Throttled(name)
        if len(self._buckets) >= _BUCKETS_AT_MOST:
            self._buckets.clear()
        self._buckets[name, who] = (left - tokens, now)


class ConcurrencyLimit:
    """A limit on the slow work that one caller may have at once, so that others get their turn."""

    __slots__ = ("_at_most", "_under_way")

    def __init__(self, at_most: int) -> None:
        """Let each caller have `at_most` pieces of work at once."""
        self._at_most = at_most
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def slot(self, who: str) -> Iterator[None]:
        """Take one of `who`'s slots for as long as the context lasts; raises Throttled."""
        if self._under_way[who] >= self._at_most:
            raise Throttled(who)
        self._under_way[who] += 1
        try:
            yield
        finally:
            self._under_way[who] -= 1
            if not self._under_way[who]:
                del self._under_way[who]
