"""Waiting inside an event loop: for a condition, or until all that is ready has been done."""

import asyncio
import time
from collections.abc import Callable

PATIENCE = 30.0  # seconds; a busy machine is no failure
_TURNS = 200


async def until(holds: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Let the loop go on until `holds()`; raises AssertionError naming `what` after some seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        await asyncio.sleep(0.001)


async def settle() -> None:
    """Let the loop do all that is ready, and what follows from it.

    Both ends of each connection are in this loop, so that what one end has sent is at once there for the other. Turns
    are counted and not time: on a busy machine they take longer, and are as many.
    """
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Return what the other end has sent when all that is ready is done; it ends with `<end>` if the other end did."""
    received = b""
    while True:
        reading = asyncio.ensure_future(reader.read(65536))
        for _ in range(_TURNS):
            if reading.done():
                break
            await asyncio.sleep(0)
        if not reading.done():
            reading.cancel()
            return received
        if not (more := reading.result()):
            return received + b"<end>"
        received += more
