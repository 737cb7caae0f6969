"""The lease keeper as a child of the server: it runs with a database that several nodes share."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from typing import TYPE_CHECKING

from fuin.server import children, keeping, pulse
from fuin.server.config import KeeperConfig, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fuin.settings import Settings

NAME = "the lease keeper"
MODULE = "fuin.server.lease_keeper"


async def start(settings: Settings) -> children.Child:
    """Start a lease keeper, and return when it has a lease, or has found no database."""
    return await children.spawn(
        NAME, MODULE, configuration=lambda ready: encode(KeeperConfig(settings, ready, os.getpid())),
        reaches_database=True,
    )  # fmt: skip


async def watch(keeper: children.Child) -> str:
    """Return a sentence when the lease keeper gives no sign of life; the node's lease has ended long before."""
    return await pulse.silence(keeper.name, keeper.pid, keeper.sign, pulse.KEYHOLDER)


@contextlib.asynccontextmanager
async def keep_lease(settings: Settings) -> AsyncIterator[None]:
    """Keep the node's lease as long as this block runs; with SQLite there is nothing to keep. Raises ChildFailed."""
    if not settings.database_url:
        yield
        return
    async with keeping.keep_beside(partial(start, settings), watch):
        yield
