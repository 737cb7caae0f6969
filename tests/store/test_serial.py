"""The serial: one number for each commit that wrote anything, told to those whose change it holds."""

import asyncio
from functools import partial

import pytest
from sqlalchemy import Connection

from fuin.settings import Settings
from fuin.store.engine import epoch
from fuin.store.engine.effect import Effect
from fuin.store.errors import AlreadyExists
from fuin.store.s3 import buckets
from fuin.store.store import Store
from tests.store import values
from tests.store.holding import held_writer


@pytest.mark.sqlite_only("on PostgreSQL each node has serials of its own")
def test_every_commit_has_the_next_number(store: Store, settings: Settings) -> None:
    """Writes, changes and commits raise it by one each, from whichever process; what they are told is what is there."""
    other = Store.open(settings)
    first = store.read_sync(epoch.read_serial)
    store.write_sync(buckets.insert_bucket, values.bucket("one"))
    other.change_sync(buckets.insert_bucket, values.bucket("two"))
    assert store.read_sync(epoch.read_serial) == first + 2
    _, told = store.commit_sync(lambda conn: buckets.insert_bucket(conn, values.bucket("three")))
    assert told == store.read_sync(epoch.read_serial) == other.read_sync(epoch.read_serial) == first + 3
    other.close()


@pytest.mark.sqlite_only("on PostgreSQL each node has serials of its own")
def test_what_writes_nothing_has_no_number(store: Store) -> None:
    """A commit without a change costs no write, and has no serial to witness."""

    async def story() -> None:
        before = store.read_sync(epoch.read_serial)
        assert await store.commit(lambda _: "nothing", Effect.NONE, None) == ("nothing", 0)
        assert store.read_sync(epoch.read_serial) == before

    asyncio.run(story())


def test_refused_change_leaves_the_number(store: Store) -> None:
    """A job that is refused is told the refusal."""

    async def story() -> None:
        with pytest.raises(AlreadyExists):
            await store.commit(_twice, Effect.MAY_REVOKE, None)

    asyncio.run(story())


def _twice(conn: Connection) -> None:
    for _ in range(2):
        buckets.insert_bucket(conn, values.bucket("twice"))


@pytest.mark.sqlite_only("on PostgreSQL each node has serials of its own")
def test_jobs_of_one_transaction_share_its_number(store: Store) -> None:
    """Those that waited together are told the same serial, which is the database's afterwards."""

    async def story() -> None:
        async with held_writer(store):
            jobs = [asyncio.ensure_future(store.commit(partial(_put, number=n), Effect.NONE, None)) for n in range(20)]
            await asyncio.sleep(0)
        told = {serial for _, serial in await asyncio.gather(*jobs)}
        assert told == {store.read_sync(epoch.read_serial)}

    asyncio.run(story())


def _put(conn: Connection, number: int) -> None:
    buckets.insert_bucket(conn, values.bucket(f"bucket-{number:04}"))


@pytest.mark.sqlite_only("on PostgreSQL each node has serials of its own")
def test_branch_begins_far_past_all_that_was(store: Store) -> None:
    """Its first serial is past what a log witnesses, and past all that the branch that is left may still count."""
    store.write_sync(epoch.begin_branch, 5000)
    assert store.read_sync(epoch.read_serial) == 2**32 + 1  # its own commit's
    store.write_sync(epoch.begin_branch, 7)
    assert store.read_sync(epoch.read_serial) == 2 * 2**32 + 1
