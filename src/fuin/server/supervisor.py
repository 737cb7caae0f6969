"""`fuin serve`: opens the root key, starts the keyholder and the workers, keeps them running, drains on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from fuin.audit.segments import segments
from fuin.errors import FuinError, StoreUnavailable
from fuin.server import (
    agreement,
    agreement_notes,
    children,
    first_start,
    keeping,
    keyholding,
    process,
    pulse,
    timekeeper,
    tls,
)
from fuin.server.config import WorkerConfig, encode
from fuin.server.data_lock import lock_data
from fuin.server.joining import join
from fuin.server.lease_keeping import keep_lease
from fuin.server.log_copying import is_copied, keep_copies
from fuin.server.patience import Patience
from fuin.store.errors import DatabaseAway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fuin.secret import Secret
    from fuin.server.agreement import Refused, Witnesses
    from fuin.server.first_start import RootAccess
    from fuin.settings import Settings


async def supervise(
    settings: Settings, passphrase: Secret | None, announce: Callable[[Settings, str, RootAccess | None], None]
) -> None:
    """Serve until SIGTERM or SIGINT; `announce` gets the settings, the URL and, at the first start, the access key.

    A node waits for its database as long as that takes. Raises AlreadyRunning, ChildFailed, and FuinError
    for an address that is taken and for what does not pass.
    """
    process.forbid_core_dumps()  # it may hold the passphrase
    process.learn_how_children_end()
    loop = asyncio.get_running_loop()
    end = Ending(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.begin)
    # The port first: where that is taken, nothing is made on the disk.
    with listen(settings) as listener, lock_data(settings), keyholding.Listener(settings) as holder_listener:
        settings.draining.unlink(missing_ok=True)
        settings = with_tls(replace(settings, port=listener.getsockname()[1]))
        async with Patience(settings, listener.fileno(), end.asked) as patience:
            start = Start(settings, passphrase, announce, listener.fileno(), holder_listener)
            while True:
                try:
                    return await start.run(end.next_drain(), patience)
                except (DatabaseAway, children.ChildWaits) as error:
                    if not settings.database_url:
                        raise
                    if not await patience.wait(str(error)):
                        return None


@dataclass(frozen=True, slots=True)
class Start:
    """A start of the server, which a node does again when its database was away."""

    settings: Settings
    passphrase: Secret | None
    announce: Callable[[Settings, str, RootAccess | None], None]
    listener: int
    holder_listener: keyholding.Listener

    async def run(self, drain: asyncio.Event, patience: Patience) -> None:
        """Serve until `drain`; raises DatabaseAway or ChildWaits while the database of a node is away."""
        settings = await asyncio.to_thread(join, self.settings) if self.settings.database_url else self.settings
        if not settings.new_audit_log:
            first_start.check_log(settings)
        seen, accepted = await agreement.check(settings, new_log=not segments(settings.audit))
        patience.note_database()
        timekeeper.start(settings)
        opened, seal = asyncio.Event(), asyncio.Event()  # the workers end first, then the keyholder
        start = keyholding.starter(settings, self.holder_listener, self.passphrase, is_copied=is_copied(settings))
        watch_it = partial(keyholding.watch, settings, self.holder_listener)
        keyholder = asyncio.create_task(keeping.keep(start, watch_it, opened, seal))
        try:
            if not await first_of(opened, keyholder, drain):
                return
            async with keep_copies(settings):
                access = None if settings.database_url else await first_start.ensure_account(settings)
                await settle(settings, seen, accepted)
                async with keep_lease(settings):
                    await patience.end_answers()
                    ready = partial(self.announce, settings, url_of(settings), access)
                    await run_workers(settings, self.listener, drain, keyholder, ready)
                await agreement_notes.note_stop(settings)
        finally:
            seal.set()
            await keyholder


async def settle(settings: Settings, seen: Witnesses, accepted: Sequence[Refused]) -> None:
    """Note the positions of log and blobs in the database; raises DatabaseAway when a node's has gone again."""
    try:
        await agreement_notes.settle(settings, seen, accepted)
    except StoreUnavailable as error:
        if not settings.database_url:
            raise
        raise DatabaseAway(str(error)) from error


class Ending:
    """The end of a server: for some seconds it serves, and says that it is not ready; then `drain` ends the workers."""

    def __init__(self, settings: Settings) -> None:
        self.asked = asyncio.Event()
        self._settings, self._drain = settings, asyncio.Event()

    def next_drain(self) -> asyncio.Event:
        """Return the event that ends the workers of the next start."""
        if self._drain.is_set() and not self.asked.is_set():  # by a start that has failed
            self._drain = asyncio.Event()
        return self._drain

    def begin(self) -> None:
        """Say that the server is not ready, and end the workers later; a second call ends them now."""
        seconds = 0.0 if self.asked.is_set() else self._settings.drain_seconds
        self.asked.set()
        with contextlib.suppress(OSError):
            self._settings.draining.touch(0o600)
        asyncio.get_running_loop().call_later(seconds, self._end_workers)

    def _end_workers(self) -> None:
        self._drain.set()


async def run_workers(
    settings: Settings, listener: int, drain: asyncio.Event, keyholder: asyncio.Task[None], on_ready: Callable[[], None]
) -> None:
    """Run the workers until `drain`; raises ChildFailed when one of them does not start."""

    async def start(with_jobs: bool) -> children.Child:
        return await children.spawn(
            "a worker",
            "fuin.server.worker",
            lambda _: ["with-timed-jobs"] if with_jobs else [],  # for people who look at the processes
            descriptors=[listener],
            configuration=lambda ready: encode(WorkerConfig(settings, listener, ready, os.getpid(), with_jobs)),
            reaches_aws=bool(settings.blobs_url),
            reaches_database=bool(settings.database_url),
        )

    ready = [asyncio.Event() for _ in range(settings.workers)]
    workers = [
        asyncio.create_task(keeping.keep(partial(start, index == 0), watch, event, drain))
        for index, event in enumerate(ready)
    ]
    try:
        for event, worker in zip(ready, workers, strict=True):
            if not await first_of(event, worker, drain):
                return
        on_ready()
        await asyncio.wait({*workers, keyholder}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        drain.set()
        await asyncio.gather(*workers)


async def watch(worker: children.Child) -> str:
    """Return a sentence when a worker's event loop has stopped."""
    return await pulse.silence(worker.name, worker.pid, worker.sign, pulse.WORKER)


async def first_of(event: asyncio.Event, task: asyncio.Task[None], ending: asyncio.Event) -> bool:
    """Return True at the event, or False if `ending` is set first; raises the task's error if it ends before both."""
    waiters = {asyncio.ensure_future(event.wait()), asyncio.ensure_future(ending.wait())}
    await asyncio.wait({*waiters, task}, return_when=asyncio.FIRST_COMPLETED)
    for waiter in waiters:
        waiter.cancel()
    if task.done() and not event.is_set():
        task.result()
    return event.is_set() and not ending.is_set()


@contextlib.contextmanager
def listen(settings: Settings) -> Iterator[socket.socket]:
    """Yield the listening socket that all workers share, so that a worker's end loses no waiting connection.

    Raises FuinError for an address that cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(1024)
        except OSError as error:
            raise FuinError(_address_text(settings, error)) from error
        yield listener


def _address_text(settings: Settings, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {settings.port} of {settings.host} is taken by another program; --port takes another one"
    if error.errno == errno.EACCES:
        return f"this user has no right to port {settings.port}; --port takes another one, from 1024 on"
    return f"--host {settings.host} is no address of this machine ({error.strerror})"


def with_tls(settings: Settings) -> Settings:
    """Return the settings with the self-signed certificate, if one was asked for."""
    if not settings.tls_self_signed:
        return settings
    certificate, key = tls.self_signed(settings.data / "tls", settings.host, settings.s3_domains)
    return replace(settings, tls_cert=certificate, tls_key=key)


def url_of(settings: Settings) -> str:
    """Return the endpoint URL for a client on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{'https' if settings.tls_cert else 'http'}://{host}:{settings.port}"
