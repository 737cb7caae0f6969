"""The keyholder as a child of the server, and how the command line reaches it, whether a server runs or not."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Self

from fuin.errors import FuinError, KeyholderUnavailable
from fuin.keyholder import offline
from fuin.keyholder.command import MODULE, Command
from fuin.keyholder.wire.client import Keyholder
from fuin.keyholder.wire.sockets import bind_unix
from fuin.server import agreement, children, keeping, pulse, timekeeper
from fuin.server.data_lock import AlreadyRunning, lock_data
from fuin.server.process import say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from fuin.secret import Secret
    from fuin.settings import Settings


NAME = "the keyholder"
# Seconds: reading a log without its snapshot takes four seconds for each million records, and a root key may be sealed
# with unusually high costs of Argon2id.
START_LIMIT = 600.0


def needs_passphrase(settings: Settings) -> bool:
    """Return whether there is a root key that a passphrase seals."""
    return offline.needs_passphrase(settings.root_key)


def adopt_root_key(settings: Settings, sealed: bytes) -> None:
    """Keep an installation's sealed root key in the data folder; raises FuinError when another one is there."""
    offline.adopt_root_key(settings.root_key, sealed)


def read_sealed_root_key(settings: Settings) -> bytes:
    """Return the root key as a passphrase has sealed it; raises FuinError for a bare one."""
    return offline.read_sealed_root_key(settings.root_key)


def seal_root_key(settings: Settings, passphrase: Secret) -> bytes:
    """Return the root key sealed by a passphrase: by its own, or a bare one by this one; the file stays as it is."""
    if offline.needs_passphrase(settings.root_key):
        return offline.read_sealed_root_key(settings.root_key)
    return offline.seal_root_key(settings.root_key, passphrase.reveal())


class SocketGone(FuinError):
    """The keyholder's socket is no longer at its path."""


class Listener:
    """The keyholder's listening socket; the supervisor keeps it, so a restart loses no waiting connection.

    Somebody may delete or replace its file while the server runs (a restored folder, a cleaner of old files). Then it
    is bound again, since nobody could find the next keyholder otherwise.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.keyholder_socket
        self._bind()

    def _bind(self) -> None:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._socket = bind_unix(self._path)
        self._file = _identity(self._path)

    def __enter__(self) -> Self:
        """Return this listener."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the socket."""
        self._socket.close()

    def check(self) -> None:
        """Raise SocketGone when the file is not this socket's; its inode is not reused while the socket lives."""
        if self._file is None or _identity(self._path) != self._file:
            raise SocketGone(f"{self._path} is gone, or no longer belongs to the keyholder")

    def descriptor(self) -> int:
        """Return the socket's descriptor for the next keyholder; raises OSError when it cannot be bound."""
        try:
            self.check()
        except SocketGone as gone:
            say(f"{gone}; making it again")
            self._socket.close()
            self._bind()
        return self._socket.fileno()


def _identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = path.lstat()
        return found.st_dev, found.st_ino
    return None


def starter(
    settings: Settings, listener: Listener, passphrase: Secret | None, *, is_copied: bool = False
) -> keeping.Start:
    """Return a function that starts a keyholder, and returns when the keyholder has opened the root key.

    `is_copied` says that a copier of the log runs beside it. The passphrase goes through a pipe, never through
    arguments or the environment.
    """

    async def start() -> children.Child:
        descriptor = listener.descriptor()
        pipe = _filled_pipe(passphrase) if passphrase is not None else None
        try:
            return await children.spawn(
                NAME,
                MODULE,
                lambda ready: Command(
                    descriptor,
                    settings.audit,
                    settings.root_key,
                    ready,
                    pipe,
                    os.getpid(),
                    settings.audit_copy_limit if is_copied else None,
                    is_copied and settings.audit_cluster,
                ).arguments(),
                [descriptor] if pipe is None else [descriptor, pipe],
                START_LIMIT,
            )
        finally:
            if pipe is not None:
                os.close(pipe)

    return start


async def watch(settings: Settings, listener: Listener, child: children.Child) -> str:
    """Return a sentence when the keyholder does not answer although it runs, or cannot be found."""
    keyholder = Keyholder(settings.keyholder_socket)

    async def sign() -> object:
        listener.check()  # our own connection would live on
        return await keyholder.status()

    try:
        return await pulse.silence(child.name, child.pid, sign, pulse.KEYHOLDER)
    finally:
        await keyholder.close()


def _filled_pipe(passphrase: Secret) -> int:
    read_end, write_end = os.pipe()  # a pipe holds 64 KiB, a passphrase at most 4 KiB
    try:
        os.write(write_end, passphrase.reveal())
    finally:
        os.close(write_end)
    return read_end


@contextlib.asynccontextmanager
async def open_keyholder(settings: Settings, passphrase: Callable[[], Secret | None]) -> AsyncIterator[Keyholder]:
    """Yield a connected keyholder: the running server's, or one that runs as long as this block.

    `passphrase` is called only when a keyholder has to be started. Raises KeyholderUnavailable.
    """
    try:
        with lock_data(settings), Listener(settings) as listener:
            await agreement.check(settings)  # a server that runs has done so
            timekeeper.start(settings)  # before the log has a record by a clock that may be wrong
            child = await starter(settings, listener, passphrase())()
            try:
                async with _connect(settings) as keyholder:
                    yield keyholder
            finally:
                await children.stop(child)
                child.close()
    except AlreadyRunning:
        async with _connect(settings) as keyholder:
            yield keyholder


@contextlib.asynccontextmanager
async def _connect(settings: Settings) -> AsyncIterator[Keyholder]:
    keyholder = Keyholder(settings.keyholder_socket)
    for attempt in range(10):
        try:
            await keyholder.connect()
            break
        except KeyholderUnavailable:  # the server is just starting
            if attempt == 9:
                raise
            await asyncio.sleep(0.5)
    try:
        yield keyholder
    finally:
        await keyholder.close()
