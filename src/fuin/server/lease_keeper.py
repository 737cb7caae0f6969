"""The lease keeper of a node: `python -m fuin.server.lease_keeper`, a child of the supervisor.

It exists with `--database` only. It keeps the node's lease on the database and writes the page that the workers read:
`store/engine/leases/keeper.py`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from fuin.errors import FuinError
from fuin.server import process
from fuin.server.config import KeeperConfig, receive
from fuin.store.engine.leases.keeper import BEAT, Keeper, clock_warning
from fuin.store.engine.leases.page import Page
from fuin.store.engine.leases.rows import Member
from fuin.store.engine.postgres.address import Address

if TYPE_CHECKING:
    from types import FrameType

FIRST_TRIES = 10.0  # seconds; a database that cannot be reached before that must not keep the server from starting


class _Ending:
    def __init__(self) -> None:
        self.wanted = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self.wanted = True


def serve(config: KeeperConfig) -> None:
    """Keep the lease until SIGTERM; raises what keeps the first lease from being taken."""
    settings = config.settings
    ending = _Ending()
    page = Page.create(settings.lease_page)
    member = Member(settings.node, settings.revocation_bound, _version(), f"{settings.host}:{settings.port}")
    keeper = Keeper(Address.parse(settings.database_url).hosts, member, page, process.say)
    if warning := clock_warning(settings.revocation_bound):
        process.say(warning)
    os.set_blocking(config.ready, False)
    began, beat, ready = time.monotonic(), 0.0, False
    try:
        while not ending.wanted:
            pause = keeper.step()
            now = time.monotonic()
            if not ready and (keeper.may_write or now - began > FIRST_TRIES):
                os.write(config.ready, b"ready\n")
                ready = True
            if ready and now - beat >= BEAT:
                with suppress(OSError):
                    os.write(config.ready, b".")
                beat = now
            time.sleep(pause)
    finally:
        keeper.close()


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 20 ms that no other process needs

    try:
        return version("fuin")
    except PackageNotFoundError:
        return ""


def main() -> None:
    """Run the lease keeper; it ends with the supervisor."""
    config = receive(KeeperConfig)
    process.die_with_parent(config.supervisor)
    process.forbid_core_dumps()
    try:
        serve(config)
    except (FuinError, OSError) as error:
        with suppress(OSError):
            os.write(config.ready, f"{error}\n".encode())
        process.say(f"the lease keeper has ended: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
