"""The log's folder: one writer at a time, and the public key that belongs to the log in it."""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from fuin.audit.chain import START, ChainPosition
from fuin.audit.recovery import AuditDamaged
from fuin.audit.segments import PUBLIC_KEY, read_public_key, write_durably
from fuin.errors import FormatError, FuinError

_LOCK_WAIT = 5.0  # seconds in which a keyholder that is being killed releases its lock


class LogInUse(FuinError):
    """Another keyholder holds the folder's lock; the lock is free when that one ends."""


def lock(folder: Path) -> int:
    """Return a descriptor that holds the folder's lock: two writers would fork the chain. Raises LogInUse."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline = time.monotonic() + _LOCK_WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise LogInUse(f"another keyholder writes the audit log in {folder}") from None
            time.sleep(0.02)
        else:
            return descriptor


def check_public_key(folder: Path, public_key: bytes, *, begun: bool) -> None:
    """Raise AuditDamaged when the log was signed by another root key, or is gone although it had begun."""
    if not (folder / PUBLIC_KEY).exists():
        return
    try:
        known = read_public_key(folder)
    except FormatError as error:
        raise AuditDamaged(str(error)) from None
    if known != public_key:
        raise AuditDamaged("the audit log belongs to another root key")
    if not begun:
        raise AuditDamaged("the audit log had begun, but its segments are missing")


def keep_public_key(folder: Path, public_key: bytes, position: ChainPosition) -> None:
    """Write the public key beside a log that is new; beside an older one it must not be missing."""
    with contextlib.suppress(FormatError):
        read_public_key(folder)
        return
    if position != START:
        raise AuditDamaged(f"{folder / PUBLIC_KEY} is missing beside an audit log that has records")
    write_durably(folder / PUBLIC_KEY, public_key.hex().encode() + b"\n")
