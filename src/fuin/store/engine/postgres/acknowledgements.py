"""The wait of a process without a lease, such as a command, until no node can answer from before its change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg

from fuin.store.engine.leases.protocol import SECOND, safe_wait
from fuin.store.engine.postgres.connections import disconnect, link_of
from fuin.store.engine.postgres.errors import Unreachable

if TYPE_CHECKING:
    from fuin.store.engine.postgres.connections import Connector

LONGEST_BOUND = 60.0  # seconds; `--revocation-bound` takes no more
_PAUSE = 0.005  # seconds between two questions
# Nodes with a bound of 0 ask in each turn, and need not acknowledge.
_QUESTION = "SELECT coalesce(min(acked), 9223372036854775807), coalesce(max(lease), 0) FROM nodes WHERE lease > 0"


def wait_for_nodes(connector: Connector, epoch: int) -> None:
    """Return once every node has acknowledged an epoch whose commit was confirmed just now, or its lease has ended."""
    confirmed, bound = time.clock_gettime(time.CLOCK_BOOTTIME), LONGEST_BOUND
    try:
        conn = connector.connect()
        try:
            while True:
                [[(acked, bound)]] = link_of(conn).run(_QUESTION)
                if acked >= epoch or _has_passed(confirmed, bound):
                    return
                time.sleep(_PAUSE)
        finally:
            disconnect(conn)
    except (psycopg.Error, Unreachable):
        while not _has_passed(confirmed, bound):
            time.sleep(_PAUSE)


def _has_passed(since: float, bound: float) -> bool:
    return time.clock_gettime(time.CLOCK_BOOTTIME) >= since + safe_wait(round(bound * SECOND)) / SECOND
