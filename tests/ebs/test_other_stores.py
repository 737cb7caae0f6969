"""Snapshots where several nodes share the blobs, on PostgreSQL: intents, sweeps, and the same answers."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import Connection, text

from fuin.blobs.interface import BlobStore
from fuin.errors import StoreUnavailable
from fuin.gate.packs import PlacedBlock
from fuin.proof import orphans
from fuin.s3 import sweep
from fuin.snapshots import overdue
from fuin.store.engine import installation
from fuin.store.volumes import snapshots
from tests.ebs.images import Ebs, block
from tests.support.memory_blobs import MemoryBlobs
from tests.support.place import Place, error_of
from tests.support.postgres import PostgresServer

DAY = 86400.0


class SharedPlace(Place):
    """All services, on blobs without locks, as on S3."""

    def blob_store(self) -> BlobStore:
        """Return the store in memory, shared."""
        self.memory = MemoryBlobs()
        self.memory.is_shared = True
        return self.memory

    def read_blobs(self, table: str) -> set[str]:
        """Return the blobs that the rows of a table name."""

        def read(conn: Connection) -> set[str]:
            return set(conn.execute(text(f"SELECT blob FROM {table}")).scalars())

        return self.run(self.services.store.read(read))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedPlace]:
    """Give the services."""
    with contextlib.ExitStack() as stack:
        url = ""
        if request.param == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres")
            url = server.socket_url(stack.enter_context(server.database()))
        place = SharedPlace(tmp_path_factory.mktemp("shared") / "data", url)
        stack.callback(place.close)
        place.run(place.services.store.write(installation.put_values, {"installation": "here"}))
        yield place


def test_life_of_snapshots(shared: SharedPlace) -> None:
    """Blocks, children, copies and deletion: what is left is what rows name, and nobody is said to write a blob."""
    ebs, ec2 = Ebs(shared.client("ebs", max_pool_connections=8)), shared.client("ec2")
    blocks = {number: block(number) for number in range(12)}
    parent = ebs.start()
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda number: ebs.put(parent, number, blocks[number]), blocks))
    ebs.complete(parent, len(blocks))
    child = ebs.write({3: block(99)}, ParentSnapshotId=parent)
    copy = ec2.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=child)["SnapshotId"]
    ec2.delete_snapshot(SnapshotId=parent)
    assert ebs.read(child) == ebs.read(copy) == {**blocks, 3: block(99)}
    late = ebs.start(ParentSnapshotId=child)
    ebs.put(late, 0, block(1))
    assert shared.run(overdue.end_overdue(shared.services, time.time() + DAY)) == 1
    for snapshot in (child, copy, late):
        ec2.delete_snapshot(SnapshotId=snapshot)
    shared.run(shared.memory.settle())
    assert (shared.read_blobs("blob_intents"), shared.read_blobs("snapshot_blobs"), set(shared.memory.content)) == (
        set(),
    ) * 3


def test_sweep_knows_the_blobs(shared: SharedPlace) -> None:
    """A sweep takes no pack and no index that a row names; nor one that is written; a lost one it does take."""
    ebs = Ebs(shared.client("ebs"))
    snapshot = ebs.write({0: block(1)})
    pending = ebs.start()
    ebs.put(pending, 0, block(2))
    moved: list[int] = []

    async def sweep_now(step: str) -> None:
        if step == "commit" and not moved:
            moved.append(-1)
            shared.memory.writing.clear()  # as another node sees it
            moved[0] = await sweep.sweep(shared.services, time.time(), time.time())

    shared.memory.hook = sweep_now
    try:
        ebs.put(pending, 1, block(3))
    finally:
        shared.memory.hook = MemoryBlobs().hook
    assert moved == [0]
    ebs.complete(pending, 2)
    assert shared.run(sweep.sweep(shared.services, time.time(), time.time())) == 0
    assert shared.run(orphans.list_suspects(shared.services.store, shared.memory)) == []
    assert (ebs.read(snapshot), ebs.read(pending)) == ({0: block(1)}, {0: block(2), 1: block(3)})


def test_writer_that_was_given_up(shared: SharedPlace) -> None:
    """A pack that took so long that a sweep has moved it is not named; the block is refused, and put again."""
    ebs = Ebs(shared.client("ebs"))
    snapshot = ebs.start()
    later = time.time() + 8 * DAY

    async def sweep_later(step: str) -> None:
        if step == "commit":
            shared.memory.hook = MemoryBlobs().hook
            shared.memory.writing.clear()
            await sweep.sweep(shared.services, later, later)

    shared.memory.hook = sweep_later
    refused: Any
    with pytest.raises(ClientError) as refused:
        ebs.put(snapshot, 0, block(1))
    assert error_of(refused.value)[0] == 503
    ebs.put(snapshot, 0, block(1))
    ebs.complete(snapshot, 1)
    assert ebs.read(snapshot) == {0: block(1)}


def test_same_client_token_at_two_nodes_at_once(shared: SharedPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither sees the snapshot of the other before it inserts its own: the later one answers as a repeated request."""
    ebs, find = Ebs(shared.client("ebs")), snapshots.find_by_token
    first = ebs.start(ClientToken="same")
    looks: list[object] = []

    def find_too_early(*given: Any) -> Any:
        looks.append(given)
        return None if len(looks) <= 2 else find(*given)

    monkeypatch.setattr(snapshots, "find_by_token", find_too_early)
    assert ebs.start(ClientToken="same") == first
    looks.clear()
    refused: Any
    with pytest.raises(ClientError) as refused:
        ebs.start(ClientToken="same", VolumeSize=2)
    assert error_of(refused.value)[:2] == (409, "ConflictException")
    ebs.complete(first, 0)


def test_block_that_comes_during_completion(shared: SharedPlace) -> None:
    """A completion does not lose a block that is put while it writes the index: it is refused, and asked for again."""
    ebs = Ebs(shared.client("ebs"))
    snapshot = ebs.start()
    ebs.put(snapshot, 0, block(1))
    ebs.put(snapshot, 1, block(2))

    async def change_rows(step: str) -> None:
        if step == "commit":
            shared.memory.hook = MemoryBlobs().hook
            wanted = f"DELETE FROM snapshot_blocks WHERE snapshot_id = '{snapshot}' AND block_index = 1"
            await shared.services.store.write(lambda conn: conn.execute(text(wanted)))

    shared.memory.hook = change_rows
    refused: Any
    with pytest.raises(ClientError) as refused:
        ebs.complete(snapshot, 2)
    assert refused.value.response["Reason"] == "CONFLICTING_BLOCK_UPDATE"
    ebs.complete(snapshot, 1)
    assert ebs.read(snapshot) == {0: block(1)}


def test_packs_of_a_worker(shared: SharedPlace) -> None:
    """Who waits goes into one pack, but never two contents of one block; a pack that nobody names is removed."""

    async def add_all() -> list[PlacedBlock]:
        packs = shared.services.packs
        added = [packs.add("group", b"head", number, lambda _: (b"slot",), time.time()) for number in (1, 2, 2, 3)]
        placed = await asyncio.gather(*added)
        for one in placed:
            await one.end_use(named=False)
        return placed

    first, second, again, third = shared.run(add_all())
    assert first.blob == second.blob == third.blob != again.blob
    assert [one.position for one in (first, second, third, again)] == [0, 1, 2, 0]
    shared.run(shared.memory.settle())
    assert not {first.blob, again.blob} & (set(shared.memory.content) | shared.read_blobs("blob_intents"))


def test_a_pack_that_fails_unseen_holds_up_nobody(shared: SharedPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the store of blobs raises, each block that waits is refused, and the next one is written."""

    def fail(_: str) -> None:
        raise RuntimeError("no blob")

    async def add(*numbers: int) -> list[Any]:
        packs = shared.services.packs
        added = [packs.add("unseen", b"head", number, lambda _: (b"slot",), time.time()) for number in numbers]
        async with asyncio.timeout(20):
            return await asyncio.gather(*added, return_exceptions=True)

    with monkeypatch.context() as patched:
        patched.setattr(shared.memory, "create", fail)
        assert [type(each) for each in shared.run(add(1, 1, 2))] == [StoreUnavailable] * 3
    (placed,) = shared.run(add(1))
    shared.run(placed.end_use(named=False))
