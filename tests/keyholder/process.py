"""A real keyholder process on a real Unix socket, for tests."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from fuin.keyholder.command import MODULE, Command
from fuin.keyholder.wire.client import Keyholder
from fuin.keyholder.wire.sockets import bind_unix

T = TypeVar("T")

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_KEY_ID = "mrk-1234abcd12ab34cd56ef1234567890ab"
DRAFT = b'{"request":"00000000-0000-0000-0000-000000000001"}'


@dataclass
class Holder:
    """A keyholder with its folder; `start` may be called again after `kill`, on the same listening socket."""

    folder: Path
    passphrase: bytes | None = None
    environment: dict[str, str] = field(default_factory=dict)
    prefix: list[str] = field(default_factory=list)  # a command that starts the interpreter, such as prlimit
    copy_limit: float | None = None  # its log is copied
    waits_for_copies: bool = False

    def __post_init__(self) -> None:
        self.audit.mkdir(parents=True, exist_ok=True)
        self.listener: socket.socket = bind_unix(self.path)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def path(self) -> Path:
        """Return the socket's path."""
        return self.folder / "keyholder.sock"

    @property
    def audit(self) -> Path:
        """Return the audit folder."""
        return self.folder / "audit"

    @property
    def root_key(self) -> Path:
        """Return the root key's file."""
        return self.folder / "root.key"

    @property
    def pid(self) -> int:
        """Return the running process's id."""
        assert self.process is not None
        return self.process.pid

    def client(self) -> Keyholder:
        """Return a client that is not connected yet."""
        return Keyholder(self.path)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the process and wait until it is ready or has ended."""
        read_end, write_end = os.pipe()
        secret_end = self._passphrase_pipe()
        command = Command(
            self.listener.fileno(), self.audit, self.root_key, write_end, secret_end, os.getpid(), self.copy_limit,
            self.waits_for_copies,
        )  # fmt: skip
        self.process = subprocess.Popen(
            [*self.prefix, sys.executable, "-m", MODULE, *command.arguments()],
            pass_fds=command.descriptors(),
            stderr=subprocess.PIPE,
            env={**os.environ, **self.environment},
        )
        os.close(write_end)
        if secret_end is not None:
            os.close(secret_end)
        with os.fdopen(read_end, "rb") as ready:
            self.told = ready.read().decode()
        self.ready = self.told == "ready\n"
        return self.process

    def start(self) -> "Holder":
        """Start the process; it must become ready."""
        process = self.spawn()
        if not self.ready:
            raise AssertionError(
                f"the keyholder did not start: {self.told}{process.communicate(timeout=60)[1].decode()}"
            )
        return self

    def refusal(self) -> tuple[int, str]:
        """Start a process that must not become ready; returns its exit status and what it said."""
        process = self.spawn()
        said = process.communicate(timeout=60)[1].decode()
        self.process = None
        assert not self.ready
        return process.returncode, self.told + said

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End the process by a signal; returns its exit status and what it said."""
        assert self.process is not None
        self.process.send_signal(number)
        said = self.process.communicate(timeout=60)[1].decode()
        status, self.process = self.process.returncode, None
        return status, said

    def __enter__(self) -> "Holder":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None:
            self.end(signal.SIGKILL)
        self.listener.close()

    def _passphrase_pipe(self) -> int | None:
        if self.passphrase is None:
            return None
        read_end, write_end = os.pipe()
        os.write(write_end, self.passphrase)
        os.close(write_end)
        return read_end


def play(holder: Holder, story: Callable[[Keyholder], Awaitable[T]]) -> T:
    """Run a story with a connected client and return what it returns."""

    async def with_client() -> T:
        client = holder.client()
        try:
            return await story(client)
        finally:
            await client.close()

    return asyncio.run(with_client())


def draft(number: int) -> bytes:
    """Return a draft that names its own request."""
    return b'{"request":"r-%d"}' % number
