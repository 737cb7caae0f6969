"""Noting that access keys are used: at most once a minute for each, beside the requests that use them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fuin.errors import StoreUnavailable
from fuin.store import access_keys
from fuin.store.access_keys import LastUse

if TYPE_CHECKING:
    from fuin.store.store import Store

_KEYS_AT_MOST = 10_000  # then all are forgotten, and noted once more


class AccessKeyUses:
    """What this worker has noted of late; the store keeps the last use of each key, from all workers."""

    __slots__ = ("_noted", "_writes")

    def __init__(self) -> None:
        self._noted: dict[str, float] = {}
        self._writes: set[asyncio.Task[None]] = set()

    def note(self, store: Store, access_key_id: str, service: str, region: str, now: float) -> None:
        """Note a use at `now` (seconds since 1970), which is written down if none was for a minute. Nobody waits."""
        noted = self._noted.get(access_key_id)
        if noted is not None and now - noted < access_keys.USES_EVERY:
            return
        if len(self._noted) >= _KEYS_AT_MOST:
            self._noted.clear()
        self._noted[access_key_id] = now
        task = asyncio.ensure_future(_write(store, access_key_id, LastUse(now, service, region)))
        self._writes.add(task)  # the loop itself would not keep it
        task.add_done_callback(self._writes.discard)


async def _write(store: Store, access_key_id: str, use: LastUse) -> None:
    try:
        await store.write(access_keys.note_use, access_key_id, use)
    except StoreUnavailable:
        return  # a full disk: the request that was authenticated has its own answer
