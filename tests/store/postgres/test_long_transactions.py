"""A transaction holds its node's gate, and so every revocation: many slow jobs must not share one."""

import asyncio
import time

from sqlalchemy import Connection, Engine, event, text

from fuin.store.s3 import deletions, versions
from fuin.store.s3.deletions import Wanted
from fuin.store.store import Store
from tests.store import values
from tests.store.postgres.conftest import NewNode

JOB = 0.15  # seconds of a slow write, such as DeleteObjects with a thousand keys
JOBS = 40  # 6 seconds together, longer than a lock is waited for
SHORT = 2.0  # seconds


def _write_slowly(conn: Connection) -> None:
    conn.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": JOB})


def _change(_conn: Connection) -> None:
    pass


async def _revoke_beside_slow_writes(writer: Store, revoker: Store) -> float:
    slow = [asyncio.ensure_future(writer.write(_write_slowly)) for _ in range(JOBS)]
    await asyncio.sleep(2 * JOB)
    began = time.monotonic()
    await revoker.change(_change)
    seconds = time.monotonic() - began
    await asyncio.gather(*slow)
    return seconds


def test_a_revocation_does_not_wait_for_all_slow_writes_of_another_node(new_node: NewNode) -> None:
    """PutKeyPolicy on one node returns soon, though somebody keeps another node's writer busy for seconds."""
    writer, revoker = new_node("a"), new_node("b")
    assert asyncio.run(_revoke_beside_slow_writes(writer, revoker)) < SHORT


def test_a_thousand_objects_are_removed_by_a_few_statements(new_node: NewNode) -> None:
    """DeleteObjects costs no round trip for each key, whether there is such an object or not."""
    seen: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    node = new_node("a")
    stored = [values.obj(f"key-{number}") for number in range(0, 1000, 50)]
    node.write_sync(lambda conn: [versions.publish(conn, obj) for obj in stored])
    event.listen(Engine, "before_cursor_execute", note)
    try:
        wanted = [Wanted(f"key-{number}") for number in range(1000)]
        blobs = node.write_sync(deletions.delete_objects, "bucket", None, 6.5, wanted).blobs
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert sorted(blobs) == sorted(obj.parts[0].blob for obj in stored)
    assert len(seen) < 10
