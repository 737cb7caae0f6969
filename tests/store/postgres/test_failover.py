"""A failover between two real servers: the store finds the new primary, and loses nothing that it has answered."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fuin.errors import OutcomeUnknown, StoreUnavailable
from fuin.settings import Settings
from fuin.store.identity import accounts
from fuin.store.s3 import buckets
from fuin.store.store import Store
from tests.store import values
from tests.store.leases.nodes import Node
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_until

BOUND = 0.5
SLACK = 6.0  # seconds that a busy machine may add


@dataclass
class Pair:
    """A primary, and its synchronous standby."""

    primary: PostgresServer
    standby: PostgresServer
    database: str

    @property
    def url(self) -> str:
        """Return the address with both, the primary first."""
        first, second = f"127.0.0.1:{self.primary.port}", f"127.0.0.1:{self.standby.port}"
        return f"postgresql://postgres@{first},{second}/{self.database}"


@pytest.fixture
def pair(postgres: PostgresServer) -> Iterator[Pair]:
    """Give two servers; a commit of the first one waits for the second one."""
    primary = PostgresServer()
    made = [primary]
    try:
        primary.start()
        database = primary.create()
        store = Store.open(Settings(data=Path("/nowhere"), database_url=primary.url(database)))
        store.change_sync(accounts.insert_account, values.ACCOUNT, 1.0)
        store.change_sync(buckets.insert_bucket, values.bucket())
        store.close()
        standby = PostgresServer(source=primary)
        made.append(standby)
        standby.start()
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.execute("SELECT pg_reload_conf()")
        wait_until(
            lambda: primary.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)], 30, "it replicates"
        )
        yield Pair(primary, standby, database)
    finally:
        for server in made:
            server.remove()


@dataclass
class Observed:
    """What a client that writes without a pause has seen."""

    answered: list[tuple[float, int]] = field(default_factory=list)
    unknown: set[int] = field(default_factory=set)
    attempted: int = 0


async def _write(node: Node, seen: Observed, end: asyncio.Event) -> None:
    while not end.is_set():
        seen.attempted += 1
        number = seen.attempted
        try:
            await node.set_policy(number)
        except OutcomeUnknown:
            seen.unknown.add(number)
        except StoreUnavailable:
            await asyncio.sleep(0.02)
        else:
            seen.answered.append((time.monotonic(), number))


async def _until_answered(seen: Observed, since: float) -> float:
    await asyncio.to_thread(
        wait_until, lambda: bool(seen.answered) and seen.answered[-1][0] >= since, 60, "a write is answered"
    )
    return next(moment for moment, _ in seen.answered if moment >= since)


async def _policy(node: Node) -> int:
    while True:
        try:
            return await node.policy()
        except StoreUnavailable:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("primary_dies", "bound"), [(True, BOUND), (False, 0.0)], ids=["killed", "replaced"])
def test_the_new_primary_is_found(pair: Pair, tmp_path: Path, primary_dies: bool, bound: float) -> None:
    """Writes go on a quarantine after the promotion, also where the old primary still believes itself one."""
    node = Node(tmp_path, pair.url, "n0", bound)
    lease = bound or 1.0

    async def story() -> float:
        seen, end = Observed(), asyncio.Event()
        writer = asyncio.create_task(_write(node, seen, end))
        await _until_answered(seen, time.monotonic())
        if primary_dies:
            await asyncio.to_thread(pair.primary.stop)
        await asyncio.to_thread(pair.standby.promote)
        promoted = time.monotonic()
        back = await _until_answered(seen, promoted)
        end.set()
        await writer
        last = seen.answered[-1][1]
        assert last <= await _policy(node) <= seen.attempted
        assert not seen.unknown
        return back - promoted

    try:
        node.start()
        node.open_store()
        took = asyncio.run(story())
    finally:
        node.close()
    print(f"{took:.2f} s without a write after the promotion")
    assert took < 2 * lease + SLACK
