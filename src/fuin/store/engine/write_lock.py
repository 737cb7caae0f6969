"""The lock with which the processes of one machine take turns to write: a file lock, so the kernel wakes the waiters.

SQLite lets a waiting writer sleep and look again, up to 100 ms each time. A busy process then starves the others for
seconds. To wait for a file lock first costs nothing while it is free, and wakes the waiter as soon as it becomes free.
The lock is only for fairness: SQLite's own lock, taken after it, protects the database. It works on one machine only.
"""

import fcntl
import os
import threading
from pathlib import Path


class WriteLock:
    """The lock as one process uses it, in its writer thread only."""

    def __init__(self, path: Path, patience: float) -> None:
        """Use the lock file at `path`; `patience` is the longest wait, in seconds."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._patience = patience
        self._granted: threading.Event | None = None  # set while a thread waits for the lock on our behalf

    def acquire(self) -> bool:
        """Wait for the lock and return True, or False after the longest wait; the wait then goes on in a thread."""
        if self._granted is None:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._granted = threading.Event()
                # flock has no timeout: a thread waits in it, and a holder that hangs does not hang the writer.
                threading.Thread(target=self._wait, args=(self._granted,), name="fuin-turn", daemon=True).start()
            else:
                return True
        if not self._granted.wait(self._patience):
            return False
        self._granted = None
        return True

    def _wait(self, granted: threading.Event) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        granted.set()

    def release(self) -> None:
        """Let the next process write."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the lock file, unless a thread still waits in it; the process's end closes it then."""
        if self._granted is None:
            os.close(self._descriptor)
