"""Child processes: started with only the environment and descriptors that they need, and kept running."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

RESTART_PAUSE = 0.2  # seconds before a child that ended is started again
QUICK = 2.0  # a child that lived shorter than this ended quickly
QUICK_ENDS = 10  # so many quick ends in a row end the server: trying again would not help
START_LIMIT = 60.0  # seconds from a child's start to its readiness
STOP_LIMIT = 40.0  # seconds from SIGTERM to SIGKILL
# What a child is given of the environment. All else stays here: the shell that starts a server is often the one in
# which its access key was exported for a client, and a worker must never hold a secret key.
_PASSED_ON = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "FUIN_CRASH_POINT", "FUIN_PAUSE_POINT",
})  # fmt: skip
_PASSED_ON_STARTS = ("LC_", "PYTHON", "OPENSSL_", "MALLOC_", "COVERAGE_")


class ChildFailed(FuinError):
    """A child process did not become ready, or keeps ending."""


Child = asyncio.subprocess.Process


async def spawn(module: str, arguments: Callable[[int], Sequence[str]], descriptors: Sequence[int]) -> Child:
    """Start `python -m module` and return when it wrote a byte to the descriptor that `arguments` is told.

    With -P, since Python would else look for every module in the folder first in which the server happens to start.
    Raises ChildFailed when it ends, or stays silent for START_LIMIT seconds, before that.
    """
    read_end, write_end = os.pipe()
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", module, *arguments(write_end),
            pass_fds=(*descriptors, write_end), stdin=asyncio.subprocess.DEVNULL, env=environment(),
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which ends its children in order
        )  # fmt: skip
    finally:
        os.close(write_end)
    try:
        await asyncio.wait_for(_readable(read_end), START_LIMIT)
        ready = os.read(read_end, 1)
    except TimeoutError:
        ready = b""
    finally:
        os.close(read_end)
    if not ready:
        await stop(child)
        raise ChildFailed(f"{module} did not start: exit status {child.returncode}")
    return child


def environment() -> dict[str, str]:
    """Return what a child needs of this process's environment."""
    return {
        name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_STARTS)
    }


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_reader(descriptor, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(descriptor)


async def stop(child: Child) -> None:
    """End a child: SIGTERM, and SIGKILL when that does not end it in time."""
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        await asyncio.wait_for(child.wait(), STOP_LIMIT)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def keep(name: str, start: Callable[[], Awaitable[Child]], ready: asyncio.Event, ending: asyncio.Event) -> None:
    """Keep one child running until `ending` is set, then stop it; sets `ready` whenever it answers.

    Raises ChildFailed when it ends quickly again and again.
    """
    quick = 0
    while not ending.is_set():
        started = time.monotonic()
        try:
            child = await start()
        except ChildFailed:
            if quick == 0 and not ready.is_set():
                raise  # the very first start: a wrong setting, not an accident
        else:
            ready.set()
            if await _ended(child, ending):
                return
            say(f"{name} ended with status {child.returncode}; starting it again")
        quick = quick + 1 if time.monotonic() - started < QUICK else 0
        if quick >= QUICK_ENDS:
            raise ChildFailed(f"{name} keeps ending")
        await asyncio.sleep(RESTART_PAUSE)


async def _ended(child: Child, ending: asyncio.Event) -> bool:
    """Wait for the child's end; return whether it was asked for."""
    waiting = {asyncio.ensure_future(child.wait()), asyncio.ensure_future(ending.wait())}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    if ending.is_set():
        await stop(child)
        return True
    return False


def say(text: str) -> None:
    """Write one line to standard error, the server's log."""
    sys.stderr.write(f"fuin: {text}\n")
    sys.stderr.flush()
