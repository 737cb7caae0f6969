"""A worker process: `python -m fuin.server.worker`, started by the supervisor with inherited sockets."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import resource
import socket
import sys
from typing import TYPE_CHECKING, Literal

import uvicorn

from fuin.blobs.configuration import configured_store
from fuin.errors import FuinError, KeyholderUnavailable
from fuin.gate.services import Services
from fuin.keyholder.wire.client import Keyholder
from fuin.server import children, jobs, process, timekeeper
from fuin.server.application import Application
from fuin.server.bounds import Bounds, places
from fuin.server.config import WorkerConfig, receive
from fuin.server.handshake import Handshakes
from fuin.server.log_lines import log_to_standard_error
from fuin.server.protocol import HEADER_TIME, BoundedProtocol
from fuin.server.sweep import sweep
from fuin.store.errors import DatabaseAway
from fuin.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fuin.settings import Settings

BEAT_EVERY = 1.0  # seconds
# Seconds that a thread may run while another one waits for the interpreter. While a list is read, the event loop waits
# for it several times in a request; with Python's 5 ms that made 15 together: docs/decisions/0011.
SWITCH = 0.001
DRAIN = 30  # seconds that requests under way get to finish after SIGTERM


async def open_services(settings: Settings) -> Services:
    """Open this worker's store and its connection to the keyholder; without the latter it serves errors and health."""
    keyholder = Keyholder(settings.keyholder_socket)
    with contextlib.suppress(KeyholderUnavailable):
        await keyholder.connect()
    store = Store.open(settings, has_lease=True)
    if store.reads_at_once:
        timekeeper.adopt_saved_time(store)
    else:
        await asyncio.to_thread(timekeeper.adopt_saved_time, store)
    return Services(settings, store, keyholder, configured_store(settings))


class WorkerServer(uvicorn.Server):
    """uvicorn's server, which reports when it answers and watches for silent clients."""

    def __init__(self, config: uvicorn.Config, ready: int, bounds: Bounds) -> None:
        super().__init__(config)
        self._ready = ready
        self._bounds = bounds
        self._handshakes: Handshakes | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen; TLS connections are accepted here, so that their handshakes are counted."""
        if self.config.ssl is None:
            await super().startup(sockets)
            return
        await super().startup([])
        self._handshakes = Handshakes(
            self.config.ssl, self._bounds, self.server_state.connections, self._protocol, HEADER_TIME
        )
        for listener in sockets or ():
            self._handshakes.listen(listener)

    def _protocol(self) -> BoundedProtocol:
        return BoundedProtocol(self.config, self.server_state, self.lifespan.state, bounds=self._bounds)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer the requests under way, and end."""
        if self._handshakes is not None:
            self._handshakes.end()
        await super().shutdown(sockets)

    async def main_loop(self) -> None:
        """Report readiness, then run until the server must stop."""
        gc.collect()
        gc.freeze()  # the service models and policies stay: the collector need not visit them each time
        gc.set_threshold(20_000, 20, 50)
        os.set_blocking(self._ready, False)
        os.write(self._ready, b"ready\n")
        self._beat()
        watch = asyncio.create_task(sweep(self.server_state, self._bounds))
        try:
            await super().main_loop()
        finally:
            watch.cancel()

    def _beat(self) -> None:
        """Give the supervisor a sign of life each second, also while the last requests finish at the end."""
        with contextlib.suppress(OSError):
            os.write(self._ready, b".")
        asyncio.get_running_loop().call_later(BEAT_EVERY, self._beat)


def job_of(config: WorkerConfig) -> Callable[[Services], Awaitable[None]]:
    """Return this worker's background task: the timed jobs, or only to follow the time that they save."""
    return jobs.run if config.jobs else timekeeper.follow


def server_configuration(
    application: Callable[..., Awaitable[None]], settings: Settings, bounds: Bounds, *, last: int,
    lifespan: Literal["on", "off"],
) -> uvicorn.Config:  # fmt: skip
    """Return how uvicorn serves an application at the server's port; `last` is the seconds for the last answers."""
    return uvicorn.Config(
        application,
        http=functools.partial(BoundedProtocol, bounds=bounds),  # type: ignore[arg-type]  # uvicorn only calls it
        loop="uvloop",
        ws="none",
        lifespan=lifespan,
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=last,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


def serve(config: WorkerConfig) -> None:
    """Serve until SIGTERM, then drain; when serving cannot begin, report the reason to the supervisor."""
    sys.setswitchinterval(SWITCH)
    settings = config.settings
    application = Application(lambda: open_services(settings), job_of(config))
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    bounds = Bounds(places(settings.connections, descriptors))
    server = WorkerServer(
        server_configuration(application, settings, bounds, last=DRAIN, lifespan="on"),
        config.ready,
        bounds,
    )
    try:
        try:
            server.run(sockets=[socket.socket(fileno=config.listener)])
        except SystemExit:  # uvicorn's, for a start that has failed
            if application.failure is None:
                raise
        if application.failure is not None:
            raise application.failure
    except (FuinError, OSError) as error:
        if server.started:
            raise
        waits = children.WAITS if isinstance(error, DatabaseAway) else ""
        os.write(config.ready, f"{waits}{error}\n".encode())
        sys.exit(1)


def main() -> None:
    """Run one worker; ends with the supervisor."""
    config = receive(WorkerConfig)
    process.die_with_parent(config.supervisor)
    process.forbid_core_dumps()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536, hard))
    log_to_standard_error()
    with contextlib.suppress(KeyboardInterrupt):
        serve(config)


if __name__ == "__main__":
    main()
