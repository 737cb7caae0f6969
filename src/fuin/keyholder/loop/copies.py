"""The copies of the log in a second place: which answers wait for them, and when their lack ends the use of keys.

The log's copier (`audit/copier.py`) runs in a process of its own. It asks for the log's position, says with the same
request how far the copies go, and is answered as soon as there are records beyond that. So one copy serves all records
that were written while the one before was on its way.

`CopyWatch` knows no socket and no file. Nobody proves to it that there are copies: a process that may connect to the
keyholder could claim them. That takes nothing from the log itself.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

from fuin.audit.log import Log

WAIT = 10.0  # seconds that an answer waits for its copy; a worker gives up a silent connection after 15
_STEP = 0.25  # seconds; records that came within it have one time

T = TypeVar("T")


class CopyWatch(Generic[T]):
    """Knows how far the copies go; with `waits`, it holds answers (of any type T) until their records have a copy."""

    def __init__(
        self, log: Log, limit: float, *, waits: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        """Stop the use of keys when a record has had no copy for `limit` seconds, or WAIT seconds if answers wait."""
        self.waits = waits
        self._log = log
        self._limit = min(limit, WAIT) if waits else limit
        self._clock = clock
        self._copied = 0  # the last record that has a copy
        self._seen = log.position.sequence
        self._uncopied: deque[tuple[int, float]] = deque([(1, clock())])  # a record without a copy, and its time
        self._held: deque[tuple[int, float, T]] = deque()
        self._has_conflict = False

    def stop_reason(self) -> str | None:
        """Return why no key may be used, None while keys may be used."""
        if self._has_conflict:
            return "the log's copies hold other records than the log"
        if self._uncopied and self._clock() - self._uncopied[0][1] > self._limit:
            return f"the audit log has had no copy for more than {self._limit:.0f} s"
        return None

    def note_records(self) -> None:
        """Note the time of records that were written since the last call."""
        first, self._seen = self._seen + 1, self._log.position.sequence
        if first > self._seen:
            return
        now = self._clock()
        if not self._uncopied or now - self._uncopied[-1][1] >= _STEP:
            self._uncopied.append((first, now))

    def note_copies(self, copied: int, *, conflict: bool) -> None:
        """Note that all records up to number `copied` have a copy, or that the copies are those of another log."""
        self._has_conflict = conflict
        if conflict:
            return
        self.note_records()
        self._copied = min(copied, self._seen)
        times = self._uncopied
        if self._copied == self._seen:
            times.clear()
        while len(times) > 1 and times[1][0] <= self._copied + 1:
            times.popleft()

    def has_records_to_copy(self) -> bool:
        """Return whether the log has records beyond the copies."""
        return self._log.position.sequence > self._copied

    def hold(self, answers: T) -> None:
        """Hold answers until all records that are in the log now have a copy."""
        self._held.append((self._log.position.sequence, self._clock() + WAIT, answers))

    def copied_answers(self) -> list[T]:
        """Return the held answers whose records have a copy now."""
        done = []
        while self._held and self._held[0][0] <= self._copied:
            done.append(self._held.popleft()[2])
        return done

    def late_answers(self) -> list[T]:
        """Return the held answers that have waited too long, or wait for copies that cannot be made."""
        now, lost = self._clock(), []
        while self._held and (self._has_conflict or self._held[0][1] <= now):
            lost.append(self._held.popleft()[2])
        return lost

    def delay(self) -> float | None:
        """Return the seconds until a held answer expires, None if there is no such answer."""
        return max(0.0, self._held[0][1] - self._clock()) if self._held else None


def await_records() -> NoReturn:
    """Stand for the wait for records to be copied; the loop never calls it, since the wait takes no thread."""
    raise NotImplementedError
