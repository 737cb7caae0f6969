"""The supervisor's wait for the database of a node: what it says, and the child that answers meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING, Self

from fuin.server import children
from fuin.server.config import WorkerConfig, encode
from fuin.server.process import say

if TYPE_CHECKING:
    from fuin.settings import Settings

NAME = "the process that answers while the database is away"
MODULE = "fuin.server.waiting"
AGAIN = 3600.0  # seconds between two lines about the same wait
PAUSE = 1.0  # seconds between two tries to start, if the database goes away again and again


class Patience:
    """Waits for the database as often as a start needs it; the port is answered until `end_answers`."""

    def __init__(self, settings: Settings, listener: int, ending: asyncio.Event) -> None:
        """Answer at a listening socket; `ending` breaks each wait off."""
        self._settings, self._listener, self._ending = settings, listener, ending
        self._child: children.Child | None = None
        self._said = 0.0

    async def __aenter__(self) -> Self:
        """Return it; nothing runs yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the child."""
        await self.end_answers()

    async def wait(self, why: str) -> bool:
        """Return True when the database may be there, and False at the end of the server; raises ChildFailed."""
        why = " ".join(why.split())  # libpq's words have several lines
        self._say(f"this node waits for its database: {why}")
        if self._child is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), PAUSE)
        await self.end_answers()
        if self._ending.is_set():
            return False
        self._child = child = await self._start()
        ending, sign, gone = (
            asyncio.ensure_future(each) for each in (self._ending.wait(), child.sign(), child.wait())
        )  # fmt: skip
        try:
            while not (ending.done() or sign.done() or gone.done()):
                await asyncio.wait({ending, sign, gone}, timeout=AGAIN, return_when=asyncio.FIRST_COMPLETED)
                self._say(f"this node still waits for its database: {why}")
            return not ending.done()
        finally:
            for task in (ending, sign, gone):
                task.cancel()
            await asyncio.gather(ending, sign, gone, return_exceptions=True)

    def _say(self, text: str) -> None:
        now = time.monotonic()
        if not self._said or now - self._said >= AGAIN:
            self._said = now
            say(text)

    async def _start(self) -> children.Child:
        settings, listener = self._settings, self._listener
        return await children.spawn(
            NAME, MODULE, descriptors=[listener],
            configuration=lambda ready: encode(WorkerConfig(settings, listener, ready, os.getpid(), jobs=False)),
            reaches_database=True,
        )  # fmt: skip

    def note_database(self) -> None:
        """Say that the wait is over, if there was one."""
        if self._said:
            self._said = 0.0
            say("the database is there: this node starts")

    async def end_answers(self) -> None:
        """End the child, so that workers take its place; connections wait at the socket meanwhile."""
        if self._child is not None:
            child, self._child = self._child, None
            await children.stop(child)
            child.close()
