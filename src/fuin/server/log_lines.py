"""The server's log on standard error: bounded in the length of an entry and in entries a second.

Requests of strangers are not logged line by line; but an attacker who finds a bug could fill the disk with its errors.
"""

import logging
import time
from collections.abc import Callable

from fuin.standard_error import write_line

AT_ONCE = 50  # entries
A_SECOND = 2.0  # entries, after the first AT_ONCE
LENGTH_AT_MOST = 8192  # characters of an entry, with its traceback


class Sparing(logging.Filter):
    """Lets entries through as long as they are few; the next entry says how many were left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._left, self._then, self._out = float(AT_ONCE), clock(), 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether an entry may be written now."""
        now = self._clock()
        self._left, self._then = min(AT_ONCE, self._left + (now - self._then) * A_SECOND), now
        if self._left < 1:
            self._out += 1
            return False
        self._left -= 1
        if self._out:
            record.msg, record.args = f"{record.getMessage()} ({self._out} entries before this one were left out)", ()
            self._out = 0
        return True


class Short(logging.Formatter):
    """Cuts the middle out of long entries: a traceback ends with what went wrong."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the entry."""
        text, half = super().format(record), LENGTH_AT_MOST // 2
        return text if len(text) <= LENGTH_AT_MOST else f"{text[:half]} … {text[-half:]}"


class Lines(logging.Handler):
    """Writes entries to standard error; if that fails, the entries are lost and the process continues."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the entry."""
        write_line(self.format(record))


def log_to_standard_error() -> None:
    """Write the warnings and errors of this process to standard error."""
    handler = Lines()
    handler.addFilter(Sparing())
    handler.setFormatter(Short("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
