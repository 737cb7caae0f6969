"""The data folder's lock: one server at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fuin.settings import Settings


class AlreadyRunning(FuinError):
    """Another server, or an administrative command, holds this data folder."""


@contextlib.contextmanager
def lock_data(settings: Settings) -> Iterator[None]:
    """Hold the data folder's lock; raises AlreadyRunning when another process holds it."""
    settings.prepare()
    descriptor = os.open(settings.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"another server uses {settings.data}") from None
        yield
    finally:
        os.close(descriptor)
