"""The epoch after a failover: numbers that the replaced server may have shown to somebody never come again."""

import contextlib

from fuin.store.engine.leases import rows
from fuin.store.engine.leases.line import Line
from fuin.store.engine.postgres.address import Address
from tests.store.postgres.conftest import NewNode
from tests.support.postgres import PostgresServer


def test_raised_epoch_passes_what_only_a_worker_has_seen(
    postgres: PostgresServer, database: str, new_node: NewNode
) -> None:
    """The keeper raises the epoch past the one that it has seen, and past those that a worker may have seen since."""
    new_node("a")
    seen = 5 << 32
    with contextlib.closing(Line.connect(Address.parse(postgres.url(database)).hosts[0], 20.0)) as line:
        rows.raise_epoch(line, seen, 10.0)
        [(raised,)] = postgres.execute("SELECT value FROM epoch", database)
        assert raised >= seen + (200 << 32)
        rows.raise_epoch(line, seen, 10.0)  # it is past it already
        assert postgres.execute("SELECT value FROM epoch", database) == [(raised,)]
