"""The keyholder's process, which a test can take away and bring back."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from fuin.keyholder.command import MODULE, Command
from fuin.keyholder.wire.sockets import bind_unix

if TYPE_CHECKING:
    from fuin.settings import Settings


class KeyholderProcess:
    """A keyholder for one data folder. Its socket is open as long as this object, also while the process is away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listener = bind_unix(settings.keyholder_socket)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._running().pid

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        read_end, write_end = os.pipe()
        command = Command(
            self._listener.fileno(), self._settings.audit, self._settings.root_key, write_end, parent=os.getpid()
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE, *command.arguments()], pass_fds=command.descriptors()
        )
        os.close(write_end)
        with os.fdopen(read_end, "rb") as ready:
            if not ready.read(1):
                raise RuntimeError("the keyholder did not start; its standard error says why")

    def kill(self) -> None:
        """End the process at once."""
        process = self._running()
        process.kill()
        process.wait()
        self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the keyholder is not started")
        return self._process

    def close(self) -> None:
        """End the process in order, if it runs, and close its socket."""
        self._listener.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
