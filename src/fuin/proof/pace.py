"""The pace of reading: a bound of bytes for each second, which all threads keep together."""

from __future__ import annotations

import threading
import time


class Pace:
    """Lets each thread wait until its bytes fit into the bound; without a bound nobody waits."""

    def __init__(self, bytes_per_second: float = 0.0) -> None:
        self._rate = bytes_per_second
        self._lock = threading.Lock()
        self._free = 0.0  # when all bytes so far are paid for, by the monotonic clock

    def wait(self, count: int) -> None:
        """Wait until `count` bytes more may have been read."""
        if not self._rate:
            return
        with self._lock:
            now = time.monotonic()
            self._free = max(self._free, now) + count / self._rate
            pause = self._free - now
        time.sleep(pause)
