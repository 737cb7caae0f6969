"""Two nodes write the same objects at the same time: a condition that held when it was checked holds at the commit."""

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor

from psycopg import errors
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from fuin.store.engine import writer
from fuin.store.errors import InvalidPart, NoSuchUpload, PreconditionFailed
from fuin.store.s3 import deletions, objects, uploads, version_listing, versions
from fuin.store.s3.deletions import Wanted
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.parts import Part
from fuin.store.store import Store
from tests.store import values
from tests.store.holding import held_writer
from tests.store.postgres.conftest import NewNode

NAME = ObjectName("bucket", "key")
ROUNDS = 60


def _put(store: Store, etag: str, **conditions: str) -> bool:
    """Return whether the object was put."""
    obj = values.obj(etag=etag)
    try:
        store.write_sync(lambda conn: versions.publish(conn, obj, **conditions))
    except PreconditionFailed:
        return False
    return True


def test_one_of_two_makes_an_object(new_node: NewNode) -> None:
    """If-None-Match: * lets one node of two succeed, each time."""
    nodes = [new_node("a"), new_node("b")]
    with ThreadPoolExecutor(2) as threads:
        for number in range(ROUNDS):
            made = list(threads.map(lambda node: _put(node, f"e{number}", if_none_match="*"), nodes))  # noqa: B023 - waits
            assert sorted(made) == [False, True]
            nodes[0].write_sync(deletions.delete_object, NAME, None, 6.5)


def test_no_replacement_is_lost(new_node: NewNode) -> None:
    """Each If-Match replaces what it has seen: the successes of both nodes form one chain."""
    nodes = [new_node("a"), new_node("b")]
    assert _put(nodes[0], "0")

    def replace(node: Store) -> int:
        won = 0
        while won < ROUNDS:
            found = node.read_sync(objects.head_object, NAME)
            assert found is not None
            won += _put(node, str(int(found.etag) + 1), if_match=found.etag)
        return won

    with ThreadPoolExecutor(2) as threads:
        total = sum(threads.map(replace, nodes))
    found = nodes[0].read_sync(objects.head_object, NAME)
    assert found is not None
    assert int(found.etag) == total


def test_writes_of_one_name_meet(new_node: NewNode) -> None:
    """Unconditional writes of two nodes all succeed, and every blob but the last one's is given to be removed."""
    nodes = [new_node("a"), new_node("b")]
    written, removed = [], []

    def put(node: Store) -> None:
        for _ in range(ROUNDS):
            obj = values.obj()
            written.append(obj.parts[0].blob)
            removed.extend(node.write_sync(versions.publish, obj).blobs)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(put, nodes))
    found = nodes[0].read_sync(objects.get_object, NAME)
    assert found is not None
    assert sorted([*removed, found.parts[0].blob]) == sorted(written)


def test_versions_of_two_nodes_are_one_stack(new_node: NewNode) -> None:
    """Puts, deletions and deletions of versions meet on two keys: one version of each is current, and it is the newest.

    No blob is lost, and none that a version has is given to be removed.
    """
    nodes = [new_node("a"), new_node("b")]
    written, removed = [], []

    def play(node: Store, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(ROUNDS):
            key = chance.choice(("key", "other"))
            obj, state = values.obj(key), chance.choice((versions.ENABLED, versions.ENABLED, versions.SUSPENDED))
            match chance.randrange(4):
                case 0 | 1:
                    written.append(obj.parts[0].blob)
                    removed.extend(node.write_sync(versions.publish, obj, state).blobs)
                case 2:
                    removed.extend(node.write_sync(deletions.delete_object, NAME._replace(key=key), state, 6.5).blobs)
                case _:
                    stack = node.read_sync(version_listing.list_versions, "bucket", key, "", ("", None), 1000).versions
                    chosen = [Wanted(one.key, one.version) for one in stack[:3]]
                    removed.extend(node.write_sync(deletions.delete_objects, "bucket", state, 6.5, chosen).blobs)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(play, [*nodes, *nodes], range(4)))
    left = nodes[0].read_sync(version_listing.list_versions, "bucket", "", "", ("", None), 1000).versions
    assert [one.is_current for one in left] == [
        number == 0 or left[number - 1].key != one.key for number, one in enumerate(left)
    ]
    kept = []
    for one in left:
        found = nodes[0].read_sync(objects.get_object, ObjectName("bucket", one.key, one.version))
        kept += [] if found is None else [found.parts[0].blob]
    assert sorted([*removed, *kept]) == sorted(written)


def test_part_is_not_replaced_while_its_upload_ends(new_node: NewNode) -> None:
    """A completion uses the part that it has named, or is refused; no blob of the object is given to be removed."""
    nodes = [new_node("a"), new_node("b")]
    outcomes = set()
    for number in range(ROUNDS):
        upload = values.upload(f"upload-{number}")
        first, second = values.part(), values.part()
        nodes[0].write_sync(uploads.insert_upload, upload)
        nodes[0].write_sync(uploads.put_part, upload.upload_id, first)
        start = threading.Barrier(2)
        with ThreadPoolExecutor(1) as thread:
            putting = thread.submit(_part, nodes[1], upload.upload_id, second, start)
            start.wait(60)
            obj = values.obj("key", first)
            try:
                nodes[0].write_sync(uploads.complete_upload, upload.upload_id, obj)
            except InvalidPart:
                outcomes.add("refused")
                assert putting.result(60) == [first.blob]
                nodes[0].write_sync(uploads.abort_upload, upload.upload_id, upload.name)
            else:
                outcomes.add("completed")
                assert putting.result(60) == []
    assert outcomes


def _part(store: Store, upload_id: str, part: Part, start: threading.Barrier) -> list[str]:
    start.wait(60)
    try:
        return store.write_sync(uploads.put_part, upload_id, part)
    except NoSuchUpload:
        return []


def test_race_that_never_ends_is_its_job_s_error(new_node: NewNode) -> None:
    """A row that is refused at each attempt is an error of its own job, and the others of the batch are committed."""
    store = new_node("a")
    runs: list[int] = []

    def twice(conn: Connection) -> None:
        runs.append(1)
        for _ in range(2):
            conn.execute(text("INSERT INTO meta (name, value) VALUES ('twice', '')"))

    async def story() -> list[object]:
        async with held_writer(store):
            jobs = [store.write(twice), store.write(uploads.insert_upload, values.upload())]
            waiting = [asyncio.ensure_future(job) for job in jobs]
            await asyncio.sleep(0)
        return await asyncio.gather(*waiting, return_exceptions=True)

    outcomes = asyncio.run(story())
    assert [type(outcome) for outcome in outcomes] == [IntegrityError, type(None)]
    assert len(runs) == writer._TRIES
    assert store.read_sync(uploads.find_upload, "upload", NAME) is not None


def test_jobs_that_cannot_run_together_run_one_by_one(new_node: NewNode) -> None:
    """A batch that meets a deadlock each time is tried with fewer jobs, so none of them fails."""
    store, seen = new_node("a"), set[int]()

    def write_alone(conn: Connection, number: int) -> int:
        transaction = conn.execute(text("SELECT txid_current()")).scalar_one()
        if transaction in seen:
            raise errors.DeadlockDetected
        seen.add(transaction)
        return number

    async def story() -> list[int]:
        async with held_writer(store):
            jobs = [asyncio.ensure_future(store.write(write_alone, number)) for number in range(40)]
            await asyncio.sleep(0)  # they wait for the writer
        return await asyncio.gather(*jobs)

    assert asyncio.run(story()) == list(range(40))
