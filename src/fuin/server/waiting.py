"""A node that waits for its database at the start: `python -m fuin.server.waiting`, a child of the supervisor.

Without the database a node knows neither its account nor its root key. Meanwhile this process answers at the node's
port: it lives, it is not ready, and requests get a 503. It is no worker, since it has no store, and not the supervisor,
which holds the passphrase and reads nothing from a network. It asks for the database until the fault has passed, or is
one that does not pass. Then it gives a sign, and answers on until the supervisor ends it.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from fuin.errors import FuinError
from fuin.gate.http import Answer, Request
from fuin.server import joining, process
from fuin.server.application import is_health
from fuin.server.bounds import Bounds
from fuin.server.config import WorkerConfig, receive
from fuin.server.health import HEADERS, LIVE
from fuin.server.log_lines import log_to_standard_error
from fuin.server.worker import WorkerServer, server_configuration
from fuin.store.errors import DatabaseAway

if TYPE_CHECKING:
    from fuin.gate.http import Receive, Scope, Send
    from fuin.settings import Settings

MODULE = "fuin.server.waiting"
PAUSE = 0.5  # seconds between two questions for the database
CONNECTIONS = 1024
_LAST = 2  # seconds for the last answers
_LIVES = Answer(200, HEADERS, b'{"status":"ok"}')
_RETRY = (b"Retry-After", b"1")
_NOT_READY = Answer(
    503, [*HEADERS, _RETRY],
    msgspec.json.encode({"status": "not ready", "database": "cannot be used yet: this node waits for it"}),
)  # fmt: skip
_REFUSED = Answer(503, [_RETRY])


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request, as an ASGI application without a lifespan."""
    request = Request(scope, receive)
    if not is_health(request):
        await send(_REFUSED.message())
    else:
        await send((_LIVES if request.path == LIVE else _NOT_READY).message())


def await_database(settings: Settings, ready: int) -> None:
    """Return a sign through a pipe as soon as the database can be used, or never can."""
    while True:
        try:
            joining.read_values(settings)
        except DatabaseAway:
            time.sleep(PAUSE)
            continue
        except FuinError:  # the supervisor meets the same, and says it
            pass
        with suppress(OSError):
            os.write(ready, b".")
        return


class _WaitingServer(WorkerServer):
    """The server of this process: its only sign of life is that of the database."""

    def _beat(self) -> None:
        pass


def serve(config: WorkerConfig) -> None:
    """Answer until SIGTERM."""
    settings = config.settings
    bounds = Bounds(min(CONNECTIONS, settings.connections))
    server = _WaitingServer(
        server_configuration(answer, settings, bounds, last=_LAST, lifespan="off"),
        config.ready,
        bounds,
    )
    threading.Thread(target=await_database, args=(settings, config.ready), daemon=True).start()
    server.run(sockets=[socket.socket(fileno=config.listener)])


def main() -> None:
    """Run the process; it ends with the supervisor."""
    config = receive(WorkerConfig)
    process.die_with_parent(config.supervisor)
    process.forbid_core_dumps()
    log_to_standard_error()
    try:
        with suppress(KeyboardInterrupt):
            serve(config)
    except (FuinError, OSError) as error:
        os.write(config.ready, f"{error}\n".encode())
        sys.exit(1)
    os._exit(0)  # a thread may be waiting for a host


if __name__ == "__main__":
    main()
