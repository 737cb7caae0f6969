"""The wall clock of one process and its children, which can be stepped while they run.

A library of our own does it, loaded before the C library. libfaketime 0.9.10 does not do: it changes how programs wait
as well. Python's `time.sleep` fails under it (clock_nanosleep: EINVAL), and a server's threads wait for seconds.
"""

from __future__ import annotations

import mmap
import shutil
import subprocess
from pathlib import Path

COMPILER = shutil.which("cc") or shutil.which("gcc")
_SOURCE = Path(__file__).with_name("stepped_clock.c")


class WallClock:
    """A wall clock of one's own; start a process with `variables`, then `step` it."""

    def __init__(self, folder: Path) -> None:
        assert COMPILER, "there is no C compiler to build the clock with"
        self._ahead = 0
        self._library, step = folder / "stepped_clock.so", folder / "wall-clock"
        step.write_bytes(bytes(8))
        step.chmod(0o644)
        with step.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 8)
        options = ["-O1", "-shared", "-fPIC", f'-DSTEP="{step}"']
        command = [COMPILER, *options, "-o", str(self._library), str(_SOURCE), "-ldl"]
        subprocess.run(command, check=True)

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment that a process needs."""
        return {"LD_PRELOAD": str(self._library)}

    def step(self, seconds: int) -> None:
        """Step the clock, forward or (if negative) back."""
        self._ahead += seconds
        self._page[:] = self._ahead.to_bytes(8, "little", signed=True)
