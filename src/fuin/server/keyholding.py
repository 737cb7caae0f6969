"""The keyholder as a child of the server, and how the command line reaches it while a server runs or does not."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Self

from fuin.errors import FuinError, KeyholderUnavailable
from fuin.keyholder import offline
from fuin.keyholder.client import Keyholder
from fuin.keyholder.command import MODULE, Command
from fuin.keyholder.sockets import bind_unix
from fuin.server import agreement, children, keeping, pulse, timekeeper
from fuin.server.data_lock import AlreadyRunning, lock_data
from fuin.server.process import say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from fuin.secret import Secret
    from fuin.settings import Settings


NAME = "the keyholder"
# Seconds: a log without its snapshot is read at four seconds for each million records, and a root key may have been
# sealed with more of Argon2id than is usual.
START_LIMIT = 600.0


def needs_passphrase(settings: Settings) -> bool:
    """Tell whether the root key, if there is one yet, is sealed by a passphrase."""
    return offline.needs_passphrase(settings.root_key)


class SocketGone(FuinError):
    """The keyholder's socket no longer stands where everybody looks for it."""


class Listener:
    """The keyholder's listening socket; the supervisor keeps it, so a restart loses no waiting connection.

    Somebody may delete or replace its file while the server runs (a folder that is put back, a cleaner of old files).
    Then it is bound anew, since nobody could find the next keyholder.
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
        """Raise SocketGone when the file is not this socket's; its number is not given away while the socket lives."""
        if self._file is None or _identity(self._path) != self._file:
            raise SocketGone(f"{self._path} is gone, or is not the keyholder's any more")

    def descriptor(self) -> int:
        """Return the socket's descriptor for a keyholder that is to be started; raises OSError when it cannot stand."""
        try:
            self.check()
        except SocketGone as gone:
            say(f"{gone}; it is made again")
            self._socket.close()
            self._bind()
        return self._socket.fileno()


def _identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = path.lstat()
        return found.st_dev, found.st_ino
    return None


def starter(settings: Settings, listener: Listener, passphrase: Secret | None) -> keeping.Start:
    """Return a function that starts a keyholder and returns when it holds the opened root key.

    The passphrase goes through a pipe, never through arguments or the environment.
    """

    async def start() -> children.Child:
        descriptor = listener.descriptor()
        pipe = _filled_pipe(passphrase) if passphrase is not None else None
        try:
            return await children.spawn(
                NAME,
                MODULE,
                lambda ready: Command(
                    descriptor, settings.audit, settings.root_key, ready, pipe, os.getpid()
                ).arguments(),
                [descriptor] if pipe is None else [descriptor, pipe],
                START_LIMIT,
            )
        finally:
            if pipe is not None:
                os.close(pipe)

    return start


async def watch(settings: Settings, listener: Listener, child: children.Child) -> str:
    """Return, when the keyholder does not answer although it runs, or cannot be found, what to say of it."""
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
    """Yield a connected keyholder: the running server's, or one that lives as long as this block.

    `passphrase` is called only when a keyholder has to be started. Raises KeyholderUnavailable.
    """
    try:
        with lock_data(settings), Listener(settings) as listener:
            agreement.check(settings)  # a server that runs has done so
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
        except KeyholderUnavailable:  # a server that is just starting
            if attempt == 9:
                raise
            await asyncio.sleep(0.5)
    try:
        yield keyholder
    finally:
        await keyholder.close()
