"""Exact freshness: a question that was sent after the call, shared by all that waits, and believed with a lease."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuin.errors import StoreUnavailable
from fuin.store.engine.leases.membership import LeaseMembership
from fuin.store.engine.leases.page import Page, boot_time
from fuin.store.engine.leases.protocol import SECOND, Lease
from fuin.store.engine.leases.questions import Questions
from fuin.store.engine.postgres.address import Address
from fuin.store.errors import NotInMemory
from tests.support.postgres import PostgresServer

RAISE = "UPDATE epoch SET value = value + 1"


@pytest.fixture
def database(postgres: PostgresServer, postgres_template: str) -> Iterator[str]:
    """Give a database with an epoch."""
    with postgres.database(postgres_template) as name:
        yield name


def _hosts(postgres: PostgresServer, database: str) -> tuple[dict[str, str], ...]:
    return Address.parse(postgres.socket_url(database)).hosts


def test_questions_are_shared_and_sent_after_the_call(postgres: PostgresServer, database: str) -> None:
    """Fifty callers of one turn cost one question; whoever calls while it is in flight gets the next one."""

    async def story() -> None:
        questions = Questions(_hosts(postgres, database))
        first = await questions.ask()
        sent: list[bool] = []
        send = questions._send

        def count() -> None:
            sent.append(bool(questions._gathered) and not questions._asked)
            send()

        questions._send = count  # type: ignore[method-assign]
        answers = await asyncio.gather(*(questions.ask() for _ in range(50)))
        assert {answer.epoch for answer in answers} == {first.epoch}
        assert sum(sent) == 1
        early = questions.ask()
        await asyncio.sleep(0)  # it has been sent
        postgres.execute(RAISE, database)
        late = questions.ask()
        assert (await late).epoch == first.epoch + 1
        assert early.done()
        questions.close()

    asyncio.run(story())


def test_one_who_gives_up_takes_no_answer_from_others(postgres: PostgresServer, database: str) -> None:
    """A cancelled request cancels its own waiting only."""

    async def story() -> None:
        questions = Questions(_hosts(postgres, database))
        futures = [questions.ask() for _ in range(3)]
        futures[1].cancel()
        assert (await futures[0]) == (await futures[2])
        questions.close()

    asyncio.run(story())


def test_a_lost_connection_is_an_error_and_then_another_connection(postgres: PostgresServer, database: str) -> None:
    """Those who wait get an error; the next question connects again. Without a server all get an error."""

    async def story() -> None:
        questions = Questions(_hosts(postgres, database))
        first = await questions.ask()
        postgres.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' "
            "AND pid <> pg_backend_pid()"
        )
        with pytest.raises(StoreUnavailable):
            await questions.ask()
        assert await questions.ask() == first
        questions.close()
        nowhere = Questions(Address.parse(f"postgresql://postgres@/x?host={postgres.folder}&port=1").hosts)
        with pytest.raises(StoreUnavailable):
            await nowhere.ask()

    asyncio.run(story())


def test_an_answer_serves_its_own_decision_and_needs_a_lease(
    postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    """Another task of the same turn asks itself. Without a lease, or on another timeline, no answer is believed."""
    page = Page.create(tmp_path / "lease")
    membership = LeaseMembership(tmp_path / "lease", 0.0, _hosts(postgres, database))

    def show(seconds: float, timeline: int) -> None:
        lease = Lease(SECOND)
        lease.epoch, lease.until, lease.timeline = 0, boot_time() + round(seconds * SECOND), timeline
        page.show(lease)

    async def story() -> None:
        freshness = membership.open_freshness()

        async def ask() -> int:
            with pytest.raises(NotInMemory) as miss:
                freshness.epoch()
            use = await miss.value.fetch()
            assert use is not None
            use()
            return freshness.epoch()

        show(60, 1)
        epoch = await ask()
        assert freshness.epoch() == epoch  # still in the turn of the answer

        async def other() -> None:
            with pytest.raises(NotInMemory):
                freshness.epoch()

        task = asyncio.create_task(other())
        await task
        with pytest.raises(NotInMemory):
            freshness.epoch()
        for seconds, timeline, why in ((-1.0, 1, "no lease"), (60.0, 0, "no lease"), (60.0, 2, "was replaced")):
            show(seconds, timeline)
            with pytest.raises(StoreUnavailable, match=why):
                await ask()
        freshness.close()

    asyncio.run(story())
