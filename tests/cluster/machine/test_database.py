"""Three real PostgreSQL servers fail over, and an old primary is what the product has to expect of it."""

import os
import time
from collections.abc import Iterator

import pytest

from tests.cluster.machine.database import LOOP_WAIT, TTL, Database, missing
from tests.cluster.machine.processes import machine, wait_for

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not os.environ.get("FUIN_LONG"), reason="long form: make cluster-test"),
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())} (make cluster-packages)"),
]
# A dead primary's leadership ends after TTL; then a standby sees it, within LOOP_WAIT, and is promoted. The rest is for
# a busy machine.
FAILOVER_LIMIT = TTL + LOOP_WAIT + 35


@pytest.fixture
def database() -> Iterator[Database]:
    """Give three servers that replicate."""
    with machine() as place:
        made = Database(place)
        made.start()
        yield made


def test_killed_primary_is_replaced(database: Database) -> None:
    """The synchronous standby becomes primary with every confirmed write; the old one comes back as a standby."""
    old = database.wait_for_primary()
    confirming = next(server for server in database.servers if server.is_synchronous)
    assert database.run("SHOW synchronous_standby_names") == confirming.name
    assert database.run("CREATE TABLE kept (n int); INSERT INTO kept SELECT generate_series(1, 100)") is not None
    killed = time.monotonic()
    old.process.kill()
    new = database.wait_for_primary(FAILOVER_LIMIT, but=old)
    promoted = time.monotonic() - killed
    written = database.wait_for_writes(killed)
    print(f"killed: promoted after {promoted:.1f} s, first confirmed write after {written:.1f} s")
    assert new is confirming
    assert database.run("SELECT count(*) FROM kept") == "100"
    old.process.start()
    wait_for(lambda: old.is_standby, 120, "the old primary as a standby", database.machine)


def test_switchover_in_order(database: Database) -> None:
    """A switchover takes seconds, and what was written is there."""
    assert database.run("CREATE TABLE kept (n int)") is not None
    begun = time.monotonic()
    new = database.switch_over()
    written = database.wait_for_writes(begun)
    print(f"switchover: first confirmed write after {written:.1f} s")
    assert new.is_primary
    assert database.run("SELECT count(*) FROM kept") == "0"


def test_parted_primary_confirms_nothing(database: Database) -> None:
    """A primary that is parted from all others, and whose patroni is stopped, still answers, but no write is confirmed.

    This is the server that a node must not believe: a SELECT on it shows the past.
    """
    old = database.wait_for_primary()
    own = f"postgresql://postgres:not-secret@127.0.0.1:{old.port}/postgres"
    assert database.run("CREATE TABLE epoch (n int); INSERT INTO epoch VALUES (7)") is not None
    patroni = old.process.processes()[0]
    patroni.suspend()
    old.ways.hold()
    parted = time.monotonic()
    new = database.wait_for_primary(FAILOVER_LIMIT, but=old)
    elsewhere = f"postgresql://postgres:not-secret@127.0.0.1:{new.port}/postgres"
    wait_for(
        lambda: database.run("UPDATE epoch SET n = 8", address=elsewhere) is not None, 60, "a write", database.machine
    )
    print(f"parted: another primary confirms writes after {time.monotonic() - parted:.1f} s")
    assert database.run("SELECT pg_is_in_recovery(), n FROM epoch", address=own) == "f|7"
    assert database.run("UPDATE epoch SET n = 9", address=own) is None
    assert database.run("SELECT n FROM epoch", address=elsewhere) == "8"
