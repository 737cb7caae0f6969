"""Named points at which a crash test ends the process as `kill -9` would."""

import os
import signal

_CHOSEN = os.environ.get("FUIN_CRASH_POINT", "")


def point(name: str) -> None:
    """End this process at once if the environment variable FUIN_CRASH_POINT names this point.

    The points stand between the durable steps of an operation, so that the crash tests can show that every
    acknowledged result is there after a restart and nothing half-written is visible.
    """
    if name == _CHOSEN:
        os.kill(os.getpid(), signal.SIGKILL)
