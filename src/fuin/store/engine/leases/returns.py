"""Changes that are committed and wait for the other nodes: a thread of its own answers them, and the writer goes on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from fuin.store.engine.leases.page import boot_time
from fuin.store.engine.leases.protocol import may_return

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_EVERY = 0.001  # seconds between two looks at the page while a change waits


class _Change(NamedTuple):
    epoch: int
    committed: int
    answer: Callable[[], None]


class Returns:
    """The committed changes of one process that nobody has been told of yet."""

    def __init__(self, acked_by_all: Callable[[], int], length: int) -> None:
        """Wait for acknowledgements by `acked_by_all`, or for leases of a length in nanoseconds."""
        self._acked_by_all, self._length = acked_by_all, length
        self._changes: list[_Change] = []
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None

    def wait(self, epoch: int, answer: Callable[[], None]) -> None:
        """Call `answer` in the thread when a change may return that was confirmed just now; return at once."""
        change = _Change(epoch, boot_time(), answer)
        with self._wake:
            self._changes.append(change)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fuin-returns", daemon=True)
                self._thread.start()
            self._wake.notify()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            with self._wake:
                while not self._changes:
                    self._wake.wait()
                changes = list(self._changes)
            acked, now = self._acked_by_all(), boot_time()
            ready = [change for change in changes if may_return(*change[:2], self._length, acked, now)]
            for change in ready:
                change.answer()
            with self._wake:
                self._changes = [change for change in self._changes if change not in ready]
            if not ready:
                pause.wait(LOOK_EVERY)
