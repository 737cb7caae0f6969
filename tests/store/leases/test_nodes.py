"""Three nodes on a real PostgreSQL: how fast a change returns, and that nobody answers from before it."""

import asyncio
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fuin.errors import StoreUnavailable
from fuin.settings import Settings
from fuin.store.engine.effect import Effect
from fuin.store.engine.leases.membership import ExactEpoch
from fuin.store.errors import NotInMemory, RightsMoved
from fuin.store.s3 import buckets
from fuin.store.store import Store
from fuin.testing.kit.leasing import LeaseThread
from tests.store.leases.nodes import Node, Nodes
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_until

BOUND = 1.0
SLACK = 3.0  # seconds that a busy machine may add

NodesFactory = Callable[..., Nodes]


@pytest.fixture
def make_nodes(tmp_path: Path, postgres: PostgresServer, postgres_template: str) -> Iterator[NodesFactory]:
    """Give a maker of three nodes with a bound in seconds."""
    made: list[tuple[Nodes, str]] = []

    def make(bound: float = BOUND) -> Nodes:
        database = postgres.create(postgres_template)
        made.append((Nodes(tmp_path / database, postgres, database, bound), database))
        return made[-1][0]

    yield make
    for nodes, database in made:
        nodes.close()
        postgres.drop(database)


async def _duration(node: Node, number: int) -> float:
    began = time.monotonic()
    await node.set_policy(number)
    return time.monotonic() - began


async def _policies(nodes: Nodes) -> list[int]:
    return [await node.policy() for node in nodes.all]


async def _answers(node: Node) -> bool:
    try:
        await node.policy()
    except StoreUnavailable:
        return False
    return True


def test_healthy_nodes_acknowledge_in_milliseconds(make_nodes: NodesFactory) -> None:
    """A change waits for the acknowledgements, and for no lease to end; then every node answers from after it."""
    nodes = make_nodes(5.0)

    async def story() -> list[float]:
        durations = []
        for number in range(1, 31):
            durations.append(await _duration(nodes[number % 3], number))
            assert await _policies(nodes) == [number] * 3
        return durations

    assert statistics.median(asyncio.run(story())) < 0.25  # a renewal without a notification comes after 1.7 s
    assert min(nodes.rows().values()) == nodes[0].page.epoch()


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_silent_node_delays_a_change_by_the_bound_only(make_nodes: NodesFactory, number: signal.Signals) -> None:
    """Its lease has ended when the change returns, so it refuses; the others answer. Later it joins again."""
    nodes = make_nodes()
    silent = nodes[1]

    async def story() -> None:
        await nodes[0].set_policy(1)
        assert await _policies(nodes) == [1, 1, 1]
        silent.signal(number)
        duration = await _duration(nodes[0], 2)
        assert 0.2 < duration < BOUND + SLACK
        assert [await nodes[0].policy(), await nodes[2].policy()] == [2, 2]
        with pytest.raises(StoreUnavailable, match="no lease"):
            await silent.policy()
        # The list of nodes loses its row, and changes are fast again.
        await asyncio.to_thread(wait_until, lambda: len(nodes.rows()) == 2, 20, "its row is removed")
        assert await _duration(nodes[2], 3) < BOUND
        if number == signal.SIGKILL:
            await asyncio.to_thread(silent.start)
        else:
            silent.signal(signal.SIGCONT)
        await asyncio.to_thread(nodes.wait_for_leases)
        assert await _policies(nodes) == [3, 3, 3]

    asyncio.run(story())


def test_a_name_that_is_in_use_is_refused(make_nodes: NodesFactory, tmp_path: Path, postgres: PostgresServer) -> None:
    """A second process of a name does not take the lease of the first one, which goes on; an ended one is replaced."""
    nodes = make_nodes()
    first = nodes[1]
    second = Node(tmp_path / "copied", postgres.url(nodes.database), first.name, BOUND)
    try:
        second.launch()
        with pytest.raises(AssertionError, match="another process runs as the node n1"):
            second.wait_until_ready()
        second.signal(signal.SIGKILL)
        assert first.has_lease()
        first.signal(signal.SIGKILL)
        second.start()
        wait_until(second.has_lease, 20, "the second one has a lease")
    finally:
        second.close()


def test_a_refused_commit_teaches_the_epoch_that_has_refused_it(make_nodes: NodesFactory) -> None:
    """A node whose keeper has not heard of a change decides again by the new state, and does not try in vain."""
    nodes = make_nodes(5.0)
    node = nodes[1]

    async def story() -> None:
        assert await node.policy() == 0
        since = node.store.rights_epoch
        node.signal(signal.SIGSTOP)
        changing = asyncio.ensure_future(nodes[0].set_policy(1))
        await asyncio.to_thread(wait_until, lambda: nodes[0].page.epoch() > node.page.epoch(), 3, "it is committed")
        with pytest.raises(RightsMoved):
            await node.store.commit(lambda conn: buckets.set_policy(conn, "bucket", "2"), Effect.MAY_REVOKE, since)
        await node.store.refresh()
        assert node.store.rights_epoch > since
        node.signal(signal.SIGCONT)
        await changing

    asyncio.run(story())


def test_an_answer_serves_its_task_and_no_other_one_of_the_turn(make_nodes: NodesFactory) -> None:
    """A request that came after the question was sent asks itself; the one that asked decides twice by one answer."""
    node = make_nodes(0.0)[0]
    store = node.store

    async def story() -> None:
        freshness = store._freshness
        assert isinstance(freshness, ExactEpoch)
        questions = freshness._questions
        await node.policy()
        late = asyncio.get_running_loop().create_future()
        read, asked = questions._read, []

        def receive() -> None:
            read()
            if not questions._asked and not late.done():
                late.set_result(None)  # wakes in the turn of those who have the answer

        asyncio.get_running_loop().add_reader(questions._socket, receive)

        async def other() -> None:
            await late
            assert freshness._answer is not None, "another turn"
            with pytest.raises(NotInMemory):
                store.catalog()
            asked.append(True)

        task = asyncio.create_task(other())
        await asyncio.sleep(0)
        await store.ask_epoch()
        assert store.catalog() is store.catalog()
        await store.consult(store.catalog)
        store.catalog()
        await task
        assert asked
        with pytest.raises(NotInMemory):
            store.catalog()

    asyncio.run(story())


def test_a_node_that_ends_takes_its_row_along(make_nodes: NodesFactory) -> None:
    """SIGTERM: the page shows no lease, then the row goes; nobody waits for it."""
    nodes = make_nodes(5.0)
    nodes[2].signal(signal.SIGTERM)
    assert set(nodes.rows()) == {"n0", "n1"}

    async def story() -> None:
        assert not await _answers(nodes[2])
        assert await _duration(nodes[0], 1) < 2.5

    asyncio.run(story())


def test_nodes_that_hear_nothing_learn_of_a_change_by_their_renewals(make_nodes: NodesFactory) -> None:
    """Notifications may be lost, and connections: a renewal brings the epoch too."""
    nodes = make_nodes()

    async def story() -> None:
        await nodes[0].set_policy(1)
        assert await _policies(nodes) == [1, 1, 1]
        nodes.postgres.execute("UPDATE buckets SET policy = '2'", nodes.database)
        nodes.postgres.execute("UPDATE epoch SET value = value + 1", nodes.database)  # and no notification
        await asyncio.sleep(BOUND * 1.002)
        assert await _policies(nodes) == [2, 2, 2]
        nodes.postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%UPDATE nodes%' "
            "AND pid <> pg_backend_pid()",
            nodes.database,
        )
        assert await _duration(nodes[1], 3) < BOUND + SLACK
        await asyncio.to_thread(nodes.wait_for_leases)
        assert await _policies(nodes) == [3, 3, 3]

    asyncio.run(story())


def test_another_bound_is_refused(make_nodes: NodesFactory, tmp_path: Path) -> None:
    """A node with longer leases would honour a right longer than the others wait."""
    nodes = make_nodes(0.3)
    other = Node(tmp_path / "other", nodes.postgres.url(nodes.database), "n9", 0.6)
    with pytest.raises(AssertionError, match="all nodes need the same"):
        other.start()
    other.close()
    assert set(nodes.rows()) == {"n0", "n1", "n2"}


@pytest.mark.parametrize("bound", [0.6, 0.0], ids=["leased", "exact"])
def test_no_node_answers_from_before_a_change_that_has_returned(make_nodes: NodesFactory, bound: float) -> None:
    """Readers on three nodes, changes on all of them, keepers that are stopped and go on."""
    nodes = make_nodes(bound)
    returned, answers, refusals = [0], [0], [0]

    async def read(node: Node, end: asyncio.Event) -> None:
        while not end.is_set():
            needed = returned[0]
            try:
                found = await node.policy()
            except StoreUnavailable:
                refusals[0] += 1
                await asyncio.sleep(0.01)
            else:
                assert found >= needed, f"{node.name} has answered {found}, and {needed} had returned"
                answers[0] += 1
                await asyncio.sleep(0)

    async def write(end: asyncio.Event) -> None:
        for number in range(1, 1_000_000):
            if end.is_set():
                return
            try:
                await nodes[number % 3].set_policy(number)
            except StoreUnavailable:
                await asyncio.sleep(0.02)
            else:
                returned[0] = number

    async def story() -> None:
        end = asyncio.Event()
        tasks = [asyncio.create_task(read(node, end)) for node in nodes.all for _ in range(2)]
        tasks.append(asyncio.create_task(write(end)))
        for step in range(4):
            stopped = nodes[step % 3]
            await asyncio.sleep(0.4)
            stopped.signal(signal.SIGSTOP)
            await asyncio.sleep(1.2)
            stopped.signal(signal.SIGCONT)
        end.set()
        await asyncio.gather(*tasks)

    asyncio.run(story())
    assert answers[0] > 100
    assert returned[0] > 10
    assert refusals[0]


def test_a_node_that_is_ready_writes_at_once(tmp_path: Path, postgres: PostgresServer, postgres_template: str) -> None:
    """Thirty quick starts, each with one change right after the node has its lease: none is refused."""
    with postgres.database(postgres_template) as database:
        for number in range(30):
            settings = replace(
                Settings(data=tmp_path), node="a", database_url=postgres.url(database), revocation_bound=BOUND
            )
            settings.prepare()
            lease = LeaseThread(settings)
            lease.start()
            store = Store.open(settings, has_lease=True)
            try:
                store.change_sync(buckets.set_policy, "bucket", str(number))
            finally:
                store.close()
                lease.close()
