"""One thread beside the loop, for what takes long: making RSA keys. Everything else stays in the loop's own thread.

What runs here is the bare making of a key, which lets other threads run and touches nothing that is shared; sealing,
the record and the answer are the loop's.
"""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fuin.errors import KeyholderUnavailable

Made = TypeVar("Made")

QUEUE_LIMIT = 256  # tasks that wait; the longest of them, RSA_4096, take about a second each
_STACK = 1024 * 1024  # bytes; the usual 8 MiB would all be locked into memory


@dataclass(slots=True)
class Task:
    """Something to be made for somebody: `work` runs in the thread, and `made` is what it gave, or the error it raised.

    What nobody wants any more when its turn comes is not made.
    """

    work: Callable[[], Any]
    wanted: Callable[[], bool]
    done: Callable[[Any], None]  # called by the loop with `made`
    made: Any = field(default=None, repr=False)


class Maker:
    """Takes tasks and makes them one after the other; `wake` tells the loop, from the thread, to call `finish`."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._tasks: queue.Queue[Task] = queue.Queue(QUEUE_LIMIT)
        self._finished: deque[Task] = deque()
        self._thread: threading.Thread | None = None
        self._ending = False

    def take(self, task: Task) -> None:
        """Put a task into the queue; raises KeyholderUnavailable when it is full."""
        try:
            if self._thread is None:
                self._thread = _started(self._run)
            self._tasks.put_nowait(task)
        except queue.Full:
            raise KeyholderUnavailable("too many keys are being made") from None
        except RuntimeError:  # the system has no thread left
            raise KeyholderUnavailable("no key can be made now") from None

    def finish(self) -> None:
        """Hand over what has been made since the last call; for the loop, in every turn."""
        while self._finished:
            task = self._finished.popleft()
            if task.wanted():
                task.done(task.made)

    def close(self) -> None:
        """End the thread after the key at hand: OpenSSL must not be cut off by the end of the process."""
        self._ending = True
        if self._thread is not None:
            with contextlib.suppress(queue.Full):
                self._tasks.put_nowait(_LAST)
            self._thread.join()

    def _run(self) -> None:
        while not self._ending:
            task = self._tasks.get()
            if self._ending or not task.wanted():
                continue
            task.made = attempt(task.work)
            self._finished.append(task)
            self._wake()


def _started(run: Callable[[], None]) -> threading.Thread:
    usual = threading.stack_size(_STACK)
    try:
        thread = threading.Thread(target=run, name="maker", daemon=True)
        thread.start()
    finally:
        threading.stack_size(usual)
    return thread


_LAST = Task(lambda: None, lambda: False, lambda made: None)


def attempt(work: Callable[[], Made]) -> Made | Exception:
    """Return what work makes, or the error that it raises: whatever it is, it is that task's own answer."""
    try:
        return work()
    except Exception as error:
        return error


def given(made: Made | Exception) -> Made:
    """Return what was made; raises the error that came instead."""
    if isinstance(made, Exception):
        raise made
    return made
