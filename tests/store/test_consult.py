"""A decision needs what is not in memory: that is fetched, is never older than the catalog, and it decides again."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from fuin.errors import StoreUnavailable
from fuin.settings import Settings
from fuin.store import store as stores
from fuin.store.engine.configuration import configured_engine
from fuin.store.engine.engine import Engine
from fuin.store.errors import NoSuchBucket, NotInMemory
from fuin.store.s3 import buckets
from fuin.store.store import Store
from tests.store import values
from tests.support.slow_engine import SlowEngine


@pytest.fixture
def slow(store: Store, settings: Settings) -> Iterator[Store]:
    """Give a second store on the same database, whose engine has to be waited for."""
    made = Store(_slow_engine(settings))
    yield made
    made.close()


def _slow_engine(settings: Settings) -> Engine:
    if not settings.database_url:
        return SlowEngine(settings.database)
    engine = configured_engine(settings)
    engine.reads_at_once = False  # as it is, outside of these tests
    return engine


def _policy(conn: Connection, name: str) -> str | None:
    bucket = buckets.find_bucket(conn, name)
    if bucket is None:
        raise NoSuchBucket(name)
    return bucket.policy


@pytest.mark.sqlite_only("it is about SQLite")
def test_sqlite_answers_at_once(store: Store) -> None:
    """A decision runs once, and an awaited read does not suspend its caller."""
    tries = []

    def decide() -> str | None:
        tries.append(store.catalog().bucket("bucket"))
        return store.look_up(_policy, "bucket")

    assert _without_loop(store.consult(decide)) is None
    assert tries == [values.bucket()]
    assert _without_loop(store.read(buckets.find_bucket, "bucket")) == values.bucket()


def _without_loop(work: object) -> object:
    """Return what a coroutine returns that never waits."""
    with pytest.raises(StopIteration) as ended:
        work.send(None)  # type: ignore[attr-defined]
    return ended.value.value


def test_a_miss_is_fetched_and_the_decision_taken_again(slow: Store) -> None:
    """Each miss costs one more try; what is in memory afterwards costs none."""
    tries: list[int] = []

    def decide() -> list[object]:
        tries.append(1)
        catalog = slow.catalog()
        return [catalog.bucket("bucket"), catalog.bucket("nothing"), slow.look_up(_policy, "bucket")]

    async def story() -> None:
        assert await slow.consult(decide) == [values.bucket(), None, None]
        assert len(tries) == 4
        assert await slow.consult(decide) == [values.bucket(), None, None]
        assert len(tries) == 6  # only what the catalog does not hold was looked up once more

    asyncio.run(story())


def test_a_refusal_of_a_look_up_comes_where_it_was_asked(slow: Store) -> None:
    """So the decision can say it in its own words."""

    def decide() -> str:
        try:
            slow.look_up(_policy, "nothing")
        except NoSuchBucket as error:
            return f"refused: {error}"
        return "found"

    assert asyncio.run(slow.consult(decide)) == "refused: nothing"


def test_a_row_that_was_overtaken_is_not_kept(slow: Store, store: Store) -> None:
    """A row comes from a state before a change, the catalog has seen the change: the row is read once more."""

    async def story() -> None:
        with pytest.raises(NotInMemory) as miss:
            slow.catalog().bucket("bucket")
        fetch = slow._reader.fetch

        async def late(*args: object) -> object:
            row: object = await fetch(*args)  # type: ignore[arg-type]
            store.change_sync(buckets.set_policy, "bucket", "{new}")
            slow._end_turn()
            slow.catalog()
            return row

        slow._reader.fetch = late  # type: ignore[method-assign,assignment]
        await miss.value.fetch()
        slow._reader.fetch = fetch  # type: ignore[method-assign]
        with pytest.raises(NotInMemory):
            slow.catalog().bucket("bucket")
        bucket = await slow.consult(lambda: slow.catalog().bucket("bucket"))
        assert bucket is not None
        assert bucket.policy == "{new}"

    asyncio.run(story())


def test_what_was_looked_up_before_a_change_is_looked_up_again(slow: Store, store: Store) -> None:
    """Between two tries of one decision a right may be taken: no try mixes rows from before and after."""
    seen: list[tuple[str | None, str | None]] = []

    def decide() -> None:
        first = slow.look_up(_policy, "bucket")
        if first is None and not seen:
            seen.append((None, None))
            store.change_sync(buckets.set_policy, "bucket", "{new}")
            slow._end_turn()
        bucket = slow.catalog().bucket("bucket")
        assert bucket is not None
        seen.append((first, bucket.policy))

    asyncio.run(slow.consult(decide))
    assert seen[-1] == ("{new}", "{new}")


def test_a_database_that_never_rests_is_unavailable(slow: Store, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of tries is bounded."""
    monkeypatch.setattr(stores, "FETCHES_AT_MOST", 5)
    changes = iter(range(100))

    def decide() -> object:
        store.change_sync(buckets.set_policy, "bucket", str(next(changes)))
        slow._end_turn()
        return slow.catalog().bucket("bucket")

    with pytest.raises(StoreUnavailable, match="kept changing"):
        asyncio.run(slow.consult(decide))
    assert next(changes) == 5


def test_a_look_up_that_nobody_waits_for_is_a_mistake(slow: Store) -> None:
    """Outside `consult` there is no place for the row."""

    async def story() -> None:
        with pytest.raises(NotInMemory) as miss:
            slow.look_up(_policy, "bucket")
        with pytest.raises(RuntimeError, match="nobody keeps the row"):
            await miss.value.fetch()

    asyncio.run(story())


def test_commands_wait_in_their_own_thread(slow: Store) -> None:
    """Where there is no event loop, a read may hold up the thread."""
    assert slow.read_sync(buckets.find_bucket, "bucket") == values.bucket()
