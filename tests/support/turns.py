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


def longest_turn(loop: asyncio.AbstractEventLoop, ask: Callable[[], Any], tries: int = 6) -> float:
    """Return the longest turn of the loop while `ask` is under way, in the best of some tries.

    It is in seconds of a processor of one's own: beside others a thread's own time grows as well, since caches are
    shared, by as much as that of a fixed piece of work that is measured at the same time.
    """
    found = []
    for _ in range(tries):
        with watched(loop) as turns:
            ask()
        found.append(turns.longest / _slowness())
    return min(found)


def _slowness() -> float:
    """Return how many times longer a fixed piece of work takes now than at its fastest; at least 1."""
    samples = sorted(_work() for _ in range(15))
    return samples[len(samples) // 2] / samples[0]


def _work() -> float:
    started = time.thread_time()
    sum(number * number for number in range(5000))
    return time.thread_time() - started
