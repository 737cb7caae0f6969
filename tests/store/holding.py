"""A job that holds the writer of a store while others come to wait for it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fuin.store.store import Store
from tests.support.waiting import until


@asynccontextmanager
async def held_writer(store: Store) -> AsyncIterator[None]:
    """Let a job hold the writer; what is asked of it meanwhile waits together."""
    begun, go = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        begun.set()
        assert go.wait(60)

    holding = asyncio.ensure_future(store.write(hold))
    await until(begun.is_set, "the job has begun")
    try:
        yield
    finally:
        go.set()
        await holding
