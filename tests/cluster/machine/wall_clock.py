"""The wall clock of one process and its children, which can be stepped while they run (libfaketime).

Under libfaketime 0.9.10 `time.sleep` of Python fails in these processes (clock_nanosleep: EINVAL); waiting in select,
epoll, and for locks works.
"""

from __future__ import annotations

from pathlib import Path

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


class WallClock:
    """A wall clock of one's own; start a process with `variables`, then `step` it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "wall-clock"
        self._ahead = 0.0
        self.step(0.0)

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment that a process needs."""
        assert LIBRARIES, "libfaketime is not installed (Debian: faketime)"
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            # Without this it shifts CLOCK_MONOTONIC and CLOCK_BOOTTIME as well, which no step of a wall clock does.
            "DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: float) -> None:
        """Step the clock, forward or (if negative) back."""
        self._ahead += seconds
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._ahead:+.3f}\n", encoding="ascii")
        new.chmod(0o644)
        new.replace(self._file)
