"""One thread beside the loop, for work that takes long and lets other threads run: making RSA keys, and imports.

The thread does the bare work, which touches nothing that is shared. Sealing, the record and the answer belong to the
loop.
"""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fuin.errors import KeyholderUnavailable

Result = TypeVar("Result")

QUEUE_LIMIT = 256  # tasks that wait; the longest of them, RSA_4096, take about a second each
_STACK = 1024 * 1024  # bytes; the usual 8 MiB would all be locked into memory


@dataclass(slots=True)
class Task:
    """Work for the thread, and the loop's function for its result or for the error that it raised.

    Work that is no longer wanted when its turn comes is not done.
    """

    work: Callable[[], Any]
    is_wanted: Callable[[], bool]
    deliver: Callable[[Any], None]  # called by the loop with the result
    result: Any = field(default=None, repr=False)


class KeyMakerThread:
    """Does tasks one after the other; from the thread, `wake` makes the loop call `deliver_results`."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._tasks: queue.Queue[Task] = queue.Queue(QUEUE_LIMIT)
        self._finished: deque[Task] = deque()
        self._thread: threading.Thread | None = None
        self._is_closing = False

    def submit(self, task: Task) -> None:
        """Put a task into the queue; raises KeyholderUnavailable when it is full."""
        try:
            if self._thread is None:
                self._thread = _start_thread(self._run)
            self._tasks.put_nowait(task)
        except queue.Full:
            raise KeyholderUnavailable("too many keys are being made") from None
        except RuntimeError:  # the system has no thread left
            raise KeyholderUnavailable("no key can be made now") from None

    def deliver_results(self) -> None:
        """Deliver the results since the last call; the loop calls this in every turn."""
        while self._finished:
            task = self._finished.popleft()
            if task.is_wanted():
                task.deliver(task.result)

    def close(self) -> None:
        """End the thread after its current task: OpenSSL must not be cut off by the end of the process."""
        self._is_closing = True
        if self._thread is not None:
            with contextlib.suppress(queue.Full):
                self._tasks.put_nowait(_END)
            self._thread.join()

    def _run(self) -> None:
        while not self._is_closing:
            task = self._tasks.get()
            if self._is_closing or not task.is_wanted():
                continue
            task.result = attempt(task.work)
            self._finished.append(task)
            self._wake()


def _start_thread(run: Callable[[], None]) -> threading.Thread:
    usual = threading.stack_size(_STACK)
    try:
        thread = threading.Thread(target=run, name="maker", daemon=True)
        thread.start()
    finally:
        threading.stack_size(usual)
    return thread


_END = Task(lambda: None, lambda: False, lambda result: None)


def attempt(work: Callable[[], Result]) -> Result | Exception:
    """Return the result of work, or the error that it raises, which is the answer to its own request only."""
    try:
        return work()
    except Exception as error:
        return error


def result_or_raise(result: Result | Exception) -> Result:
    """Return the result of an attempt, or raise its error."""
    if isinstance(result, Exception):
        raise result
    return result
