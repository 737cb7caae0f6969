"""What the keyholder does to itself before it reads a key. Linux: prctl(2), mlockall(2), setrlimit(2)."""

import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_MCL_CURRENT, _MCL_FUTURE = 1, 2
_CAP_IPC_LOCK = 14

_libc = ctypes.CDLL(None, use_errno=True)


def harden(parent: int | None) -> str | None:
    """Forbid core dumps and tracing, die with the parent, lock memory; returns a warning where memory stays unlocked.

    `parent` is the process id of the supervisor; without it the process that is the parent now. Raises OSError when a
    protection that every Linux gives is refused. PR_SET_PDEATHSIG follows the parent's *thread*: the supervisor must
    start the keyholder from a thread that lives as long as itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_DUMPABLE, 0)  # no core, no ptrace and no /proc/self/mem for processes of the same user
    expected = os.getppid() if parent is None else parent
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != expected:  # it ended before the call
        os._exit(0)
    return _lock_memory()


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _lock_memory() -> str | None:
    """Keep memory out of swap, as far as the limits allow; returns a warning for the operator if they do not."""
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
    # With a limit, locking future pages would let a later allocation fail; then the pages of now must do.
    unlimited = hard == resource.RLIM_INFINITY or _may_lock()
    flags = _MCL_CURRENT | _MCL_FUTURE if unlimited else _MCL_CURRENT
    if _libc.mlockall(flags) == 0:
        return None
    return f"memory could not be locked ({os.strerror(ctypes.get_errno())}): turn swap off, or raise RLIMIT_MEMLOCK"


def _may_lock() -> bool:
    with open("/proc/self/status", encoding="ascii") as status:
        effective = next((line.split()[1] for line in status if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> _CAP_IPC_LOCK & 1)
