"""kill -9 of a writing process: what was acknowledged is there, what was not is there whole or not at all."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from fuin.settings import Settings
from fuin.store.s3 import buckets, objects, parts, versions
from fuin.store.s3.object_name import ObjectName
from fuin.store.store import Store
from tests.store import values

pytestmark = pytest.mark.sqlite_only("PostgreSQL recovers by itself")

_ROUNDS = 60 if os.environ.get("FUIN_LONG") else 6

_START = textwrap.dedent("""
    import asyncio, os, signal, sys
    from pathlib import Path
    from fuin.settings import Settings
    from fuin.store.engine import sqlite
    from fuin.store.s3 import buckets, objects, versions
    from fuin.store.store import Store
    from tests.store import values

    store = Store.open(Settings(data=Path(sys.argv[1])), create=False)
""")

# Each object of the log below has three parts and replaces the one before; the bucket's policy moves along with it.
_WRITES = _START + textwrap.dedent("""
    def both(conn, number):
        versions.publish(conn, values.obj("key", *(values.part(n) for n in (1, 2, 3)), etag=str(number)))
        buckets.set_policy(conn, "bucket", str(number))

    async def main(number):
        while True:
            jobs = [store.change(both, number + step) for step in range(5)]
            await asyncio.gather(*jobs)
            number += 5
            print(number - 1, flush=True)

    asyncio.run(main(int(sys.argv[2])))
""")

_DIES_IN_TRANSACTION = _START + textwrap.dedent("""
    def half(conn):
        versions.publish(conn, values.obj("half"))
        sqlite.raw_of(conn).execute("PRAGMA cache_spill = 1")
        sqlite.raw_of(conn).execute("PRAGMA cache_size = 1")
        for number in range(2000):  # more than the cache holds: pages reach the log before the commit
            versions.publish(conn, values.obj(f"half-{number}"))
        os.kill(os.getpid(), signal.SIGKILL)

    store.write_sync(versions.publish, values.obj("whole"))
    print("acknowledged", flush=True)
    store.change_sync(half)
""")


def _check(data: Path) -> Store:
    """Open the database after the crash and let SQLite check it."""
    with sqlite3.connect(data / "fuin.db") as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    raw.close()
    return Store.open(Settings(data=data), create=False)


def test_death_between_savepoint_and_commit(store: Store, settings: Settings) -> None:
    """A transaction whose pages are in the log already, but not its commit, is not visible at all."""
    died = subprocess.run(
        [sys.executable, "-c", _DIES_IN_TRANSACTION, str(settings.data)], stdout=subprocess.PIPE, text=True, check=False
    )
    assert (died.returncode, died.stdout) == (-signal.SIGKILL, "acknowledged\n")
    assert (
        store.read_sync(objects.get_object, ObjectName("bucket", "whole")) is not None
    )  # a process that was open all the time
    assert store.read_sync(objects.get_object, ObjectName("bucket", "half")) is None
    store.write_sync(versions.publish, values.obj("after"))
    again = _check(settings.data)
    found = again.read_sync(
        lambda conn: conn.execute(text("SELECT CAST(key AS TEXT) FROM objects ORDER BY 1")).scalars().all()
    )
    assert found == ["after", "whole"]
    again.close()


def test_death_at_any_time(store: Store, settings: Settings) -> None:
    """Killed at random moments, the writer leaves a last state that is whole and not older than what it told."""
    store.close()
    number = 0
    for _ in range(_ROUNDS):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITES, str(settings.data), str(number)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        told = int(writer.stdout.readline())
        time.sleep(random.uniform(0, 0.2))
        writer.kill()
        told = max([told, *map(int, writer.communicate()[0].split())])
        opened = _check(settings.data)
        obj = opened.read_sync(objects.get_object, ObjectName("bucket", "key"))
        bucket = opened.read_sync(buckets.find_bucket, "bucket")
        assert obj is not None
        assert bucket is not None
        assert obj.etag == bucket.policy
        assert int(obj.etag) >= told
        assert [part.number for part in obj.parts] == [1, 2, 3]
        blobs = [part.blob for part in obj.parts]
        assert opened.read_sync(parts.known_blobs, blobs) == set(blobs)
        opened.close()
        number = int(obj.etag) + 1


def test_death_while_another_process_writes(store: Store, settings: Settings) -> None:
    """The lock of a killed process is gone with it; the others go on at once."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITES, str(settings.data), "0"], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    for number in range(20):
        store.write_sync(versions.publish, values.obj(f"mine-{number}"))
    writer.kill()
    writer.communicate()
    started = time.monotonic()
    store.write_sync(versions.publish, values.obj("mine-after"))
    assert time.monotonic() - started < 20
    for number in range(20):
        assert store.read_sync(objects.head_object, ObjectName("bucket", f"mine-{number}")) is not None


@pytest.mark.parametrize("name", ["fuin.db-wal"])
def test_torn_log_loses_only_its_tail(store: Store, settings: Settings, name: str) -> None:
    """A log whose last bytes never reached the disk opens with the commits before it."""
    for number in range(3):
        store.write_sync(versions.publish, values.obj(f"key-{number}"))
    copy = settings.data.parent / "copy"
    copy.mkdir()
    for path in settings.data.glob("fuin.db*"):
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "fuin.db-shm").unlink()
    log = (copy / name).read_bytes()
    (copy / name).write_bytes(log[:-100])
    opened = _check(copy)
    found = [
        opened.read_sync(objects.head_object, ObjectName("bucket", f"key-{number}")) is not None for number in range(3)
    ]
    assert found == [True, True, False]
    opened.close()
