"""The copier of a node's audit log: `python -m fuin.server.log_copier`, a child of the supervisor.

It exists on a node among many only. It copies finished segments and, every second, the tail of the open one to the
place beside the blobs. With `--audit cluster` it copies each record at once, and the keyholder holds the answers until
it says that their records have a copy.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from fuin.audit.chain import ChainPosition
from fuin.audit.copier import CopyConflict, LogCopier
from fuin.audit.pieces import PieceMerger
from fuin.blobs.configuration import configured_copies
from fuin.errors import FuinError, KeyholderUnavailable
from fuin.keyholder.wire.client import Keyholder
from fuin.server import process
from fuin.server.config import KeeperConfig, receive
from fuin.server.log_lines import log_to_standard_error

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from fuin.audit.copies import Copies, Piece
    from fuin.settings import Settings

TAIL = 1.0  # seconds between two copies of the tail, when no answer waits for them
BEAT = 1.0  # seconds between two signs of life
LAST = 10.0  # seconds for the last copy at an orderly end
_PAUSE = 0.5  # seconds before a failed copy is tried again
_CONFLICT_PAUSE = 10.0  # seconds before the copies of another log are looked at again
_MERGE_PAUSE = 5.0  # seconds before a failed merge is tried again
_NOTICE = 30.0  # seconds between two lines about the same failure


class Merging:
    """Merges pieces in a thread of its own, since a whole segment must not hold up the next records."""

    def __init__(self, folder: Path, copies: Copies, node: str) -> None:
        self.conflict: CopyConflict | None = None
        self._merger = PieceMerger(folder, copies, node)
        self._tasks: queue.SimpleQueue[tuple[int, Piece | None, bytes, int]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="merge", daemon=True).start()

    def add(self, first: int, piece: Piece, digest: bytes) -> None:
        """Take note of a new piece of the segment that begins with record `first`."""
        self._tasks.put((first, piece, digest, 0))

    def finish(self, first: int, length: int) -> None:
        """Let a finished segment of so many bytes become one copy."""
        self._tasks.put((first, None, b"", length))

    def _run(self) -> None:
        while self.conflict is None:
            first, piece, digest, length = self._tasks.get()
            if piece is not None:
                self._merger.add(first, piece, digest)
            self._merge(first, None if piece is not None else length)

    def _merge(self, first: int, length: int | None) -> None:
        while True:
            try:
                return self._merger.merge(first) if length is None else self._merger.finish(first, length)
            except CopyConflict as error:
                self.conflict = error
                return None
            except FileNotFoundError:
                return None  # the segment is no longer on this disk; its pieces stay as they are
            except (FuinError, OSError):  # the copies themselves fail as well, and say so
                time.sleep(_MERGE_PAUSE)


class Copying:
    """Copies the log of one node until its end is asked for; it reports a failure, and tries again."""

    def __init__(self, settings: Settings, copies: Copies) -> None:
        self._settings = settings
        self._copies = copies
        self._keyholder = Keyholder(settings.keyholder_socket)
        self._merging = Merging(settings.audit, copies, settings.node)
        self._copier: LogCopier | None = None
        self._conflict: CopyConflict | None = None
        self._said = ("", 0.0)
        self._copied = 0.0  # when, on the monotonic clock

    async def run(self, ending: asyncio.Event) -> None:
        """Copy until `ending` is set, and then once more."""
        stop = asyncio.ensure_future(ending.wait())
        while not ending.is_set():
            pause = await self._attempt(stop)
            if pause:
                await asyncio.wait({stop}, timeout=pause)
        with contextlib.suppress(FuinError, OSError, TimeoutError):
            async with asyncio.timeout(LAST):
                status = await self._keyholder.status()
                await self._copy(ChainPosition(status.sequence, status.head))
        await self._keyholder.close()

    async def _attempt(self, stop: asyncio.Task[Literal[True]]) -> float:
        """Wait for records and copy them; returns the seconds until the next attempt."""
        try:
            await self._resume()
            await self._copy_next(stop)
            self._say_end()
        except CopyConflict as error:
            self._conflict, self._copier = error, None
            self._say(f"the audit log is not copied: {error}")
            with contextlib.suppress(FuinError, TimeoutError):
                await asyncio.wait_for(self._keyholder.await_records(0, conflict=True), _PAUSE)
            return _CONFLICT_PAUSE
        except KeyholderUnavailable:
            return _PAUSE  # it is being replaced
        except (FuinError, OSError) as error:
            self._say(f"the audit log cannot be copied: {error}")
            return _PAUSE
        return 0.0

    async def _resume(self) -> None:
        if self._merging.conflict is not None:
            raise self._merging.conflict
        if self._copier is not None:
            return
        public_key = (await self._keyholder.status()).public_key
        merging = self._merging
        copier = LogCopier(self._settings.audit, self._copies, self._settings.node, merging.add, merging.finish)
        await asyncio.to_thread(copier.resume, public_key)
        self._copier, self._conflict = copier, None

    async def _copy_next(self, stop: asyncio.Task[Literal[True]]) -> None:
        """Wait until there are records without a copy, and copy them: at once if answers wait for that."""
        if self._copier is None:
            return
        question = asyncio.ensure_future(self._keyholder.await_records(self._copier.end.sequence, conflict=False))
        await asyncio.wait({question, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not question.done():
            question.cancel()
            return
        log = question.result()
        end = ChainPosition(log.sequence, log.head)
        if not log.waits:
            await asyncio.wait({stop}, timeout=max(0.0, self._copied + TAIL - time.monotonic()))
            status = await self._keyholder.status()
            end = ChainPosition(status.sequence, status.head)
        await self._copy(end)
        self._copied = time.monotonic()

    async def _copy(self, end: ChainPosition) -> None:
        if self._copier is not None:
            await asyncio.to_thread(self._copier.copy, end)

    def _say(self, text: str) -> None:
        now = time.monotonic()
        if text != self._said[0] or now - self._said[1] > _NOTICE:
            self._said = (text, now)
            process.say(text)

    def _say_end(self) -> None:
        if self._said[0]:
            self._said = ("", 0.0)
            process.say("the audit log is copied again")


async def beat(ready: int) -> None:
    """Say ready, and then give the supervisor a sign of life each second."""
    os.set_blocking(ready, False)
    os.write(ready, b"ready\n")
    while True:
        await asyncio.sleep(BEAT)
        with contextlib.suppress(OSError):
            os.write(ready, b".")


async def serve(config: KeeperConfig) -> None:
    """Copy the log until SIGTERM; raises FuinError when the settings name no place."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    copying = Copying(config.settings, configured_copies(config.settings))
    signs = asyncio.create_task(beat(config.ready))
    await copying.run(ending)
    signs.cancel()
    os._exit(0)  # the end of a process waits for its threads, and one may be waiting for a place that is silent


def main() -> None:
    """Run the copier; it ends with the supervisor."""
    config = receive(KeeperConfig)
    process.die_with_parent(config.supervisor)
    process.forbid_core_dumps()
    log_to_standard_error()
    try:
        asyncio.run(serve(config))
    except (FuinError, OSError) as error:
        with contextlib.suppress(OSError):
            os.write(config.ready, f"{error}\n".encode())
        process.say(f"the copier of the audit log has ended: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
