"""The last uses of access keys and roles: noted at most once a minute for each, beside the requests that use them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fuin.errors import StoreUnavailable
from fuin.store.identity import access_keys, roles
from fuin.store.identity.access_keys import LastAccessKeyUse

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fuin.store.store import Store

_AT_MOST = 10_000  # keys and roles; then all are forgotten, and noted once more


class AccessKeyUses:
    """The uses that this worker has noted lately; the store keeps the last use of each key and role, from all workers.

    The access keys of sessions are stored nowhere; for a role's session, the use of the role is noted.
    """

    __slots__ = ("_noted", "_writes")

    def __init__(self) -> None:
        self._noted: dict[str, float] = {}  # by ids of access keys and of roles
        self._writes: set[asyncio.Task[None]] = set()

    def note(self, store: Store, access_key_id: str, service: str, region: str, now: float) -> None:
        """Note a use at `now` (seconds since 1970); it is written if the last write is a minute old. Nobody waits."""
        if self._is_new(access_key_id, now):
            self._write(store, access_keys.note_use, access_key_id, LastAccessKeyUse(now, service, region))

    def note_role(self, store: Store, role_id: str, region: str, now: float) -> None:
        """Note the use of a role by one of its sessions, in the same way."""
        if self._is_new(role_id, now):
            self._write(store, roles.note_use, role_id, now, region)

    def _is_new(self, name: str, now: float) -> bool:
        noted = self._noted.get(name)
        if noted is not None and abs(now - noted) < access_keys.USES_EVERY:
            return False
        if len(self._noted) >= _AT_MOST:
            self._noted.clear()
        self._noted[name] = now
        return True

    def _write(self, store: Store, fn: Callable[..., None], *given: Any) -> None:
        task = asyncio.ensure_future(_write_if_possible(store, fn, *given))
        self._writes.add(task)  # the loop itself would not keep it
        task.add_done_callback(self._writes.discard)


async def _write_if_possible(store: Store, fn: Callable[..., None], *given: Any) -> None:
    try:
        await store.write(fn, *given)
    except StoreUnavailable:
        return  # a full disk: the request that was authenticated has its own answer
