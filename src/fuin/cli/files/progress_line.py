"""One line on a terminal that shows how far a transfer is."""

from __future__ import annotations

import sys
import threading
from time import monotonic

from fuin.cli.wire.show import size_text

_EVERY = 0.1  # seconds


class ProgressLine:
    """The bytes that were moved, of how many, and how fast; without a terminal it shows nothing."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._lock = threading.Lock()
        self._begin = self._last = monotonic()
        self._done = self._total = 0

    def expect(self, count: int) -> None:
        """Add to the bytes that are to be moved."""
        with self._lock:
            self._total += count

    def advance(self, count: int) -> None:
        """Add to the bytes that were moved; a part that is sent again takes its bytes back first."""
        with self._lock:
            self._done += count
            now = monotonic()
            if self._is_shown and now - self._last >= _EVERY:
                self._last = now
                sys.stderr.write(f"\r{self.text(now - self._begin)}\033[K")
                sys.stderr.flush()

    def text(self, seconds: float) -> str:
        """Return the line after so many seconds."""
        rate = self._done / max(seconds, 0.001)
        line = f"{size_text(self._done)} of {size_text(max(self._total, self._done))}  {size_text(int(rate))}/s"
        if self._total > self._done and rate:
            line += f"  {int((self._total - self._done) / rate)} s left"
        return line

    def close(self) -> None:
        """Take the line off the terminal."""
        if self._is_shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    @property
    def byte_count(self) -> int:
        """Return the bytes that were moved."""
        return self._done
