"""Settings that each process of the server makes at its start, and its output. Linux: prctl(2), setrlimit(2)."""

import ctypes
import os
import resource
import signal

from fuin.standard_error import write_line

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process when its parent (a process id) ends, for any reason."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it ended before the call
        os._exit(0)


def forbid_core_dumps() -> None:
    """Keep secrets in this process, such as the supervisor's passphrase, out of core files."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def learn_how_children_end() -> None:
    """Restore the default for SIGCHLD: if we started with it ignored, the kernel drops exit statuses (wait(2))."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def say(text: str) -> None:
    """Write one line to standard error, the server's log."""
    write_line(f"fuin: {text}")
