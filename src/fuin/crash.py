"""Named points between the durable steps of an operation, at which a crash test ends or holds the process."""

import os
import signal

_CRASH = os.environ.get("FUIN_CRASH_POINT", "")
_PAUSE = os.environ.get("FUIN_PAUSE_POINT", "")


def point(name: str) -> None:
    """End this process as `kill -9` would, or hold it, if FUIN_CRASH_POINT or FUIN_PAUSE_POINT names this point.

    The crash tests show by it that every acknowledged result is there after a restart and nothing half-written is
    visible; while the process is held (SIGSTOP, until SIGCONT) they end another one.
    """
    if name == _CRASH:
        os.kill(os.getpid(), signal.SIGKILL)
    if name == _PAUSE:
        os.kill(os.getpid(), signal.SIGSTOP)
