"""Keeping a child running: a child that ends or hangs is replaced, again and again, with pauses that grow.

Only at the very first start does a child's failure end the server, since then somebody is there to see the reason.
Later a disk that fails for hours, a certificate under replacement, or a moved root key must not end it: the server
refuses what it cannot do, says why, and recovers by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from fuin.server.children import Child, ChildFailed, stop
from fuin.server.process import say

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 15.0  # seconds before a child is started again
QUICK = 2.0  # seconds; a child that lived shorter than this ended quickly
FREE_ENDS = 3  # this many quick ends in a row count as accidents, before pauses grow

T = TypeVar("T")
Start = Callable[[], Coroutine[Any, Any, Child]]
Watch = Callable[[Child], Coroutine[Any, Any, str]]


async def keep(start: Start, watch: Watch, ready: asyncio.Event, ending: asyncio.Event) -> None:
    """Keep one child running until `ending` is set, then stop it; sets `ready` when it has become ready.

    `watch` returns when a child hangs, with a sentence about it. Raises ChildFailed or OSError when the first child
    does not start.
    """
    failures = 0
    while not ending.is_set():
        lived = 0.0
        try:
            child = await _run_until_ending(ending, start())
        except (ChildFailed, OSError) as error:
            if not ready.is_set():
                raise
            reason = str(error)
        else:
            if child is None:
                return
            ready.set()
            began = time.monotonic()
            end = await _end(child, watch, ending)
            if end is None:
                return
            reason, lived = end, time.monotonic() - began
        failures = failures + 1 if lived < QUICK else 0
        pause = pause_after(failures)
        say(f"{reason}; starting again in {pause:.1f} s")
        await _run_until_ending(ending, asyncio.sleep(pause))


@contextlib.asynccontextmanager
async def keep_beside(start: Start, watch: Watch) -> AsyncIterator[None]:
    """Keep a child running as long as this block runs; raises ChildFailed or OSError when the first does not start."""
    ready, ending = asyncio.Event(), asyncio.Event()
    child = asyncio.create_task(keep(start, watch, ready, ending))
    first = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({first, child}, return_when=asyncio.FIRST_COMPLETED)
        if child.done():
            child.result()
        yield
    finally:
        first.cancel()
        ending.set()
        await asyncio.wait({child})


def pause_after(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return float(min(FIRST_PAUSE * 2 ** min(max(0, failures - FREE_ENDS), 16), LONGEST_PAUSE))


async def _end(child: Child, watch: Watch, ending: asyncio.Event) -> str | None:
    """Wait until a child has ended, and end it when it hangs; returns how it ended, or None if `ending` was set."""
    gone = asyncio.ensure_future(child.wait())
    hangs = asyncio.ensure_future(watch(child))
    try:
        await _run_until_ending(ending, asyncio.wait({gone, hangs}, return_when=asyncio.FIRST_COMPLETED))
        if ending.is_set():
            await stop(child)
            return None
        if gone.done():
            return f"{child.name} is gone: {child.ending()}"
        child.signal(signal.SIGKILL)
        await child.wait()
        return hangs.result()
    finally:
        for task in (gone, hangs):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        child.close()


async def _run_until_ending(ending: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of some work, or None if `ending` is set first; the work is then cancelled."""
    task = asyncio.ensure_future(work)
    waiter = asyncio.ensure_future(ending.wait())
    try:
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        waiter.cancel()
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
