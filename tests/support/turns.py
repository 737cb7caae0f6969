"""How long the turns of an event loop are while it is asked for something."""

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_PAUSE = 0.0005  # seconds between two looks


class Turns:
    """The longest time between two looks, in seconds that the loop's thread itself has worked.

    Time of the thread, not of the clock: a busy machine makes no turn longer.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self.ended = False

    async def watch(self) -> None:
        """Look again and again until it is ended."""
        last = time.thread_time()
        while not self.ended:
            await asyncio.sleep(_PAUSE)
            now = time.thread_time()
            self.longest = max(self.longest, now - last)
            last = now


@contextmanager
def watched(loop: asyncio.AbstractEventLoop) -> Iterator[Turns]:
    """Watch a loop that runs in another thread; without the garbage collector, which may come in any turn."""
    turns = Turns()
    gc.disable()
    watching = asyncio.run_coroutine_threadsafe(turns.watch(), loop)
    try:
        yield turns
    finally:
        turns.ended = True
        watching.result(60)
        gc.enable()


def longest_turn(loop: asyncio.AbstractEventLoop, ask: Callable[[], Any], tries: int = 3) -> float:
    """Return the longest turn of the loop while `ask` is under way, in the best of some tries."""
    found = []
    for _ in range(tries):
        with watched(loop) as turns:
            ask()
        found.append(turns.longest)
    return min(found)
