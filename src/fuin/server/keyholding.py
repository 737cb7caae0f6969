"""The keyholder as a child of the server, and how the command line reaches it while a server runs or does not."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from fuin.errors import KeyholderUnavailable
from fuin.keyholder import offline
from fuin.keyholder.client import Keyholder
from fuin.keyholder.command import MODULE, Command
from fuin.keyholder.sockets import bind_unix
from fuin.server import agreement, children, keeping, pulse, timekeeper
from fuin.server.exclusive import AlreadyRunning, exclusive

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable

    from fuin.secret import Secret
    from fuin.settings import Settings


NAME = "the keyholder"
# Seconds: a log without its snapshot is read at four seconds for each million records, and a root key may have been
# sealed with more of Argon2id than is usual.
START_LIMIT = 600.0


def needs_passphrase(settings: Settings) -> bool:
    """Tell whether the root key, if there is one yet, is sealed by a passphrase."""
    return offline.needs_passphrase(settings.root_key)


def listen(settings: Settings) -> socket.socket:
    """Return the keyholder's listening socket; the supervisor keeps it, so a restart loses no waiting connection."""
    return bind_unix(settings.keyholder_socket)


def starter(settings: Settings, listener: int, passphrase: Secret | None) -> keeping.Start:
    """Return a function that starts a keyholder and returns when it holds the opened root key.

    The passphrase goes through a pipe, never through arguments or the environment.
    """

    async def start() -> children.Child:
        pipe = _filled_pipe(passphrase) if passphrase is not None else None
        try:
            return await children.spawn(
                NAME,
                MODULE,
                lambda ready: Command(
                    listener, settings.audit, settings.root_key, ready, pipe, os.getpid()
                ).arguments(),
                [listener] if pipe is None else [listener, pipe],
                START_LIMIT,
            )
        finally:
            if pipe is not None:
                os.close(pipe)

    return start


async def watch(settings: Settings, child: children.Child) -> str:
    """Return, when the keyholder does not answer although it runs, what to say of it."""
    keyholder = Keyholder(settings.keyholder_socket)
    try:
        return await pulse.silence(child.name, child.pid, keyholder.status, pulse.KEYHOLDER)
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
async def reached(settings: Settings, passphrase: Callable[[], Secret | None]) -> AsyncIterator[Keyholder]:
    """Yield a connected keyholder: the running server's, or one that lives as long as this block.

    `passphrase` is called only when a keyholder has to be started. Raises KeyholderUnavailable.
    """
    try:
        with exclusive(settings), listen(settings) as listener:
            agreement.check(settings)  # a server that runs has done so
            timekeeper.start(settings)  # before the log has a record by a clock that may be wrong
            child = await starter(settings, listener.fileno(), passphrase())()
            try:
                async with _connected(settings) as keyholder:
                    yield keyholder
            finally:
                await children.stop(child)
                child.close()
    except AlreadyRunning:
        async with _connected(settings) as keyholder:
            yield keyholder


@contextlib.asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[Keyholder]:
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
