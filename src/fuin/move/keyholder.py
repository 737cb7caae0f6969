"""A keyholder of the move's own, in a data folder whose lock it holds: it records the move in that folder's log."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fuin.audit.chain import ChainPosition
from fuin.keyholder.wire.client import Keyholder
from fuin.server import children, keyholding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fuin.secret import Secret
    from fuin.settings import Settings


@contextlib.asynccontextmanager
async def own_keyholder(settings: Settings, passphrase: Secret | None) -> AsyncIterator[Keyholder]:
    """Yield a keyholder that runs as long as the block; the caller holds the data folder's lock."""
    with keyholding.Listener(settings) as listener:
        child = await keyholding.starter(settings, listener, passphrase)()
        keyholder = Keyholder(settings.keyholder_socket)
        try:
            await keyholder.connect()
            yield keyholder
        finally:
            await keyholder.close()
            await children.stop(child)
            child.close()


async def log_end(keyholder: Keyholder) -> ChainPosition:
    """Return the last durable record of the log."""
    status = await keyholder.status()
    return ChainPosition(status.sequence, status.head)
