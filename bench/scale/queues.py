"""The few pieces of a discrete-event simulation: a calendar, stations, and batches; time is in microseconds."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Then = Callable[[], None]


class Calendar:
    """What happens next, in order of time; of two at the same time, the one that was entered first."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Then]] = []
        self._numbers = itertools.count()

    def after(self, delay: float, then: Then) -> None:
        """Enter an event."""
        heapq.heappush(self._events, (self.now + delay, next(self._numbers), then))

    def run(self, until: float) -> None:
        """Let everything happen up to a time."""
        while self._events and self._events[0][0] <= until:
            self.now, _, then = heapq.heappop(self._events)
            then()
        self.now = until


class Station:
    """Servers with one queue, such as the cores of a machine; `busy` is the sum of what they have worked."""

    def __init__(self, calendar: Calendar, servers: int) -> None:
        self._calendar, self.servers, self._free = calendar, servers, servers
        self._queue: deque[tuple[float, Then]] = deque()
        self.busy = 0.0

    def work(self, duration: float, then: Then) -> None:
        """Do `then` when a server has worked for a time."""
        if self._free:
            self._start(duration, then)
        else:
            self._queue.append((duration, then))

    @property
    def is_full(self) -> bool:
        """Return whether all servers work."""
        return not self._free

    def use(self) -> float:
        """Return which part of its time a server has worked."""
        return min(1.0, self.busy / (self._calendar.now * self.servers)) if self._calendar.now else 0.0

    def _start(self, duration: float, then: Then) -> None:
        self._free -= 1
        self.busy += duration

        def finish() -> None:
            self._free += 1
            if self._queue:
                self._start(*self._queue.popleft())
            then()

        self._calendar.after(duration, finish)


class Batches:
    """One at a time: what comes meanwhile goes together, up to `most`; a batch takes `fixed`, and `each` for each."""

    def __init__(self, calendar: Calendar, fixed: float, each: float, most: int) -> None:
        self._calendar, self._fixed, self._each, self._most = calendar, fixed, each, most
        self._waiting: deque[Then] = deque()
        self._running = False
        self.busy = 0.0
        self.batches = self.jobs = 0

    def add(self, then: Then) -> None:
        """Do `then` when the batch that this goes with is done."""
        self._waiting.append(then)
        if not self._running:
            self._next()

    def use(self) -> float:
        """Return which part of its time it has worked."""
        return min(1.0, self.busy / self._calendar.now) if self._calendar.now else 0.0

    def _next(self) -> None:
        self._running = bool(self._waiting)
        if not self._running:
            return
        taken = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        duration = self._fixed + self._each * len(taken)
        self.busy += duration
        self.batches += 1
        self.jobs += len(taken)

        def finish() -> None:
            self._next()
            for then in taken:
                then()

        self._calendar.after(duration, finish)
