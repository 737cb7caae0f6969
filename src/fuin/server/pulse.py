"""Signs of life of child processes: a child that gives no sign for too long is replaced.

How long it may be silent depends on its longest task. A child that the kernel shows as waiting for a disk (state D,
proc(5)) is left alone however long that takes: it cannot even be killed, and another one would wait too.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fuin.server.process import say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

STEP = 1.0  # seconds between two looks
_STOPPED = frozenset({"T", "t"})  # by a signal, or by a debugger
_ON_DISK = "D"


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a child may give no sign of life, and seconds that it may be stopped by a signal."""

    silent: float
    stopped: float


# The longest turns of the keyholder: 4 MiB of requests, a snapshot of a million last uses, 64 MiB of log to write
# again; about two seconds each. Requests to a hanging keyholder end within 15 seconds (keyholder/wire/connection.py).
KEYHOLDER = Patience(silent=10.0, stopped=3.0)
# A worker's loop stops for seconds while SQLite waits for another process's write, or thousands of grants are
# evaluated. A stopped worker holds only its own connections.
WORKER = Patience(silent=30.0, stopped=10.0)


async def silence(name: str, pid: int, sign: Callable[[], Awaitable[object]], patience: Patience) -> str:
    """Return a sentence when a process has been silent for too long; `sign` returns at its next sign of life.

    Only steps in which we really waited are counted: a machine that slept, or gave us no time, proves nothing.
    """
    silent = stopped = 0.0
    waiting: asyncio.Future[object] | None = None
    try:
        while True:
            if waiting is None:
                waiting = asyncio.ensure_future(sign())
            await asyncio.sleep(STEP)
            heard = waiting.done() and waiting.exception() is None
            if waiting.done():
                waiting = None
            state = state_of(pid)
            silent = 0.0 if heard else silent + STEP
            stopped = stopped + STEP if state in _STOPPED else 0.0
            if stopped >= patience.stopped:
                return f"{name} has been stopped for {stopped:.0f} s"
            if silent >= patience.silent:
                if state != _ON_DISK:
                    return f"{name} has given no sign of life for {silent:.0f} s"
                if silent < patience.silent + STEP:
                    say(f"{name} has been waiting for the disk for {silent:.0f} s")
    finally:
        if waiting is not None:
            waiting.cancel()


def state_of(pid: int) -> str:
    """Return a process's state as one letter of proc(5); empty when it is gone."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rsplit(")", 1)[1].split()[0]
    return ""
