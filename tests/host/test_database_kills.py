"""PostgreSQL on a volume whose block server is killed while rows are committed: none of them is lost."""

import os
import select
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from demo.stage import Unexpected
from demo.volume.machine import Database, find_obstacle

from fuin.host import disks
from fuin.host.volumes import Wish
from tests.host.fakes import FakeHost, kill
from tests.host.needs import needs_qemu

pytestmark = [needs_qemu, pytest.mark.skipif(bool(find_obstacle()), reason=find_obstacle())]
VOLUME = "vol-0aaaaaaa"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    """Return a host in a folder that the database's user can reach; a GiB is 160 MiB here."""
    monkeypatch.setattr(disks, "GIB", 160 * 1024 * 1024)
    folder = Path(tempfile.mkdtemp(prefix="fuin-database-"))
    folder.chmod(0o711)
    found = FakeHost(folder)
    yield found
    found.close_all()
    shutil.rmtree(folder)


def _commit_rows(database: Database) -> int:
    """Insert rows one by one until the block server is gone, and return how many were committed."""
    committed = 0
    try:
        while True:
            database.ask(f"insert into t values ({committed})")
            committed += 1
            if committed == 5:
                kill(database.folder.parent / "run" / f"fuin-{VOLUME}" / "pid", signal.SIGKILL)
    except (Unexpected, OSError):
        return committed


def _end_server(pid: int) -> None:
    """End the server that this test has started, and its processes, without its last words on the disk (SIGQUIT)."""
    assert pid > 1
    with suppress(ProcessLookupError):  # it may have ended by itself, for want of its disk
        ended = os.pidfd_open(pid)
        if b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes():  # one that has ended has no command line
            signal.pidfd_send_signal(ended, signal.SIGQUIT)
        assert select.select([ended], [], [], 30)[0]
        os.close(ended)


def test_committed_rows_survive(host: FakeHost) -> None:
    """The storage daemon is killed; opened again, PostgreSQL recovers and has each committed row."""
    mount = host.folder / "db"
    host.volumes.attach(host.server, host.add_attachment(VOLUME), Wish(None, "qemu", mount, "ext4"))
    database = Database(mount)
    database.make()
    database.start()
    server = int((mount / "data" / "postmaster.pid").read_text().split()[0])
    database.ask("create table t (n int)")
    committed = _commit_rows(database)
    assert committed >= 5
    _end_server(server)
    host.volumes.open(host.kms, VOLUME)
    for lock in (mount / "data" / "postmaster.pid", *mount.glob(".s.PGSQL.*")):  # they name a process that is gone
        lock.unlink(missing_ok=True)
    database.start()
    try:
        rows = database.ask("select string_agg(n::text, ',' order by n) from t").split(",")
    finally:
        database.stop()
    assert rows[:committed] == [str(number) for number in range(committed)]
