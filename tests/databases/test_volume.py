"""PostgreSQL on an encrypted volume: crashes of the database and of the block server, a disabled key, another key."""

import contextlib
import ctypes
import json
import os
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.conftest import ServerFactory
from tests.databases.place import Service, let_pass, missing
from tests.databases.test_pages import is_refusal
from tests.support import pages
from tests.support.processes import descendants, end_all, wait_until
from tests.support.server import FUIN, REGION, Server, run

needs = pytest.importorskip("tests.host.needs", reason="fuin volume is not there")


def lack() -> str | None:
    """Return why no volume can be opened here, or None."""
    return missing() or (f"no encrypted volume can be opened: {reason}" if (reason := needs.obstacle("qemu")) else None)


pytestmark = [
    pytest.mark.real,
    pytest.mark.databases,
    pytest.mark.skipif((lacking := lack()) is not None, reason=str(lacking)),
]
_SAFE = "fsync = on\nfull_page_writes = on\n"  # as in the default: what is committed must be on the disk


# prctl(2): this process waits for orphans. Where nobody does, a dead process keeps its number, and PostgreSQL takes it
# for a running one.
_SUBREAPER = 36


class Host:
    """A host with a volume, and a PostgreSQL whose data folder is on it."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        said = server.fuin("host", "add", "db1", "--data", str(server.data), "--endpoint-url", server.url).stdout
        place = {"folder": str(folder / "volumes"), "run_folder": str(folder / "run")}
        self.file = folder / "host.json"
        self.file.write_text(json.dumps(json.loads(said) | place))
        self.file.chmod(0o600)
        self.key_arn: str = server.client("kms").create_key()["KeyMetadata"]["Arn"]
        ec2 = server.client("ec2")
        made = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1, Encrypted=True, KmsKeyId=self.key_arn)
        self.volume: str = made["VolumeId"]
        self.mount = folder / "mount"
        self.attach("--mkfs", "ext4")
        self.database = Service(_SAFE)
        moved = self.mount / "main"
        shutil.copytree(self.database.data, moved)
        subprocess.run(["chown", "-R", "postgres:", str(moved)], check=True)
        shutil.rmtree(self.database.data)
        self.database.data.symlink_to(moved)
        let_pass(folder)

    def fuin(self, *words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of `fuin volume`."""
        variables = self.server.client_environment() | {"FUIN_HOST_FILE": str(self.file)}
        return run([str(FUIN), "volume", *map(str, words)], variables, check=check)

    def attach(self, *words: object, volume: str = "", mount: Path | None = None) -> None:
        """Attach a volume, by default the database's."""
        self.fuin("attach", volume or self.volume, "--mount", mount or self.mount, *words)

    @property
    def disk(self) -> Path:
        """Return the file that has the volume's ciphertext."""
        return self.folder / "volumes" / f"{self.volume}.disk"

    def query(self, statement: str) -> list[Any]:
        """Run one statement; return its rows."""
        return self.database.execute(statement)

    def read_pid(self) -> int:
        """Return the process id of the database's first process."""
        return int((self.database.data / "postmaster.pid").read_text().split()[0])

    def kill_block_server(self) -> None:
        """Kill the process that has the data key."""
        pid = int((self.folder / "run" / f"fuin-{self.volume}" / "pid").read_text())
        os.kill(pid, signal.SIGKILL)

    def remove(self) -> None:
        """Stop the database, and close what is open."""
        with contextlib.suppress(OSError):
            self.database.remove()
        for line in self.fuin("list", "--json", check=False).stdout.splitlines():
            self.fuin("close", json.loads(line)["volume"], "--force", check=False)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Give a running PostgreSQL on a volume."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)
    folder = tmp_path_factory.mktemp("volume")
    server = Server(folder / "server")
    one: Host | None = None
    try:
        server.start()
        one = Host(server, folder)
        one.database.start()
        one.query("CREATE TABLE letters (id bigserial PRIMARY KEY, body text)")
        yield one
    finally:
        if one is not None:
            one.remove()
        server.kill()
        ctypes.CDLL(None).prctl(_SUBREAPER, 0)


def test_disk_has_ciphertext_only(host: Host) -> None:
    """A text is in the data folder, and after all is written nowhere in the file below the volume."""
    text = secrets.token_hex(16)
    host.query(f"INSERT INTO letters (body) VALUES ('{text}')")
    host.query("CHECKPOINT")
    os.sync()
    clear = [path for path in host.mount.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]
    assert len(clear) >= 2, "in the table and in the log"
    assert text.encode() not in host.disk.read_bytes()


class Writer(threading.Thread):
    """Writes one letter after another, and knows which of them the database has committed."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self.committed: list[str] = []

    def run(self) -> None:
        """Write until the database is gone."""
        with contextlib.suppress(psycopg.Error), self._host.database.connect() as db:
            while True:
                text = secrets.token_hex(16)
                db.execute("INSERT INTO letters (body) VALUES (%s)", [text])
                self.committed.append(text)


@pytest.mark.parametrize("victim", ["database", "block server"])
def test_crash_loses_nothing_that_was_committed(host: Host, victim: str) -> None:
    """After kill -9 in the middle of writes the volume opens again, and PostgreSQL recovers each committed row."""
    writer = Writer(host)
    writer.start()
    wait_until(lambda: len(writer.committed) > 50, 60, "rows are written")
    processes = [psutil.Process(host.read_pid()), *descendants(host.read_pid())]
    if victim == "block server":
        host.kill_block_server()
        wait_until(lambda: not writer.is_alive(), 60, "the writer gets an error")
    end_all(processes)
    for process in processes:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, 0)
    if victim == "block server":
        host.fuin("close", host.volume, "--force")
        host.fuin("open", host.volume)
    writer.join(60)
    host.database.start()
    found = {body for (body,) in host.query("SELECT body FROM letters")}
    assert set(writer.committed) <= found
    assert host.query("SELECT count(*) FROM letters") == [(len(found),)]


def test_disabled_key(host: Host) -> None:
    """The database goes on, also after a restart; once detached, the volume attaches only when the key is enabled."""
    kms = host.server.client("kms")
    before = host.query("SELECT count(*) FROM letters")[0][0]
    kms.disable_key(KeyId=host.key_arn)
    try:
        host.query("INSERT INTO letters (body) VALUES ('while the key is disabled')")
        host.database.stop()
        host.database.start()
        host.query("INSERT INTO letters (body) VALUES ('after a restart')")
        host.database.stop()
        host.fuin("detach", host.volume)
        done = host.fuin("attach", host.volume, check=False)
        assert done.returncode == 1
        assert "CustomerKeyHasBeenRevoked" in done.stderr
        assert not (host.mount / "main").exists()
    finally:
        kms.enable_key(KeyId=host.key_arn)
    host.attach()
    host.database.start()
    assert host.query("SELECT count(*) FROM letters") == [(before + 2,)]


def test_kms_is_asked_by_the_host(host: Host) -> None:
    """The data key is made for the caller and opened for the host, each with the volume's id as context."""
    shown = host.server.fuin("audit", "show", "--data", str(host.server.data), "--tail", "5000", "--json").stdout
    uses = [record for record in map(json.loads, shown.splitlines()) if record.get("key") == host.key_arn]
    made = [use for use in uses if use.get("use") == "kms:GenerateDataKeyWithoutPlaintext"]
    assert [use["context"] for use in made] == [{"aws:ebs:id": host.volume}]
    opened = [use for use in uses if use.get("operation") == "kms:Decrypt"]
    assert opened
    assert {use["context"]["aws:ebs:id"] for use in opened} == {host.volume}
    assert all(":assumed-role/aws:ec2-infrastructure/i-" in use["principal"] for use in opened)


def test_snapshot_under_another_key(host: Host) -> None:
    """A snapshot of the running database gives, under another key, a volume on which PostgreSQL recovers."""
    ec2, kms = host.server.client("ec2"), host.server.client("kms")
    text = secrets.token_hex(16)
    host.query(f"INSERT INTO letters (body) VALUES ('{text}')")
    snapshot = host.fuin("snapshot", host.volume).stdout.split(":")[0]
    wait_until(lambda: state(ec2, snapshot) == "completed", 60, "the snapshot is complete")
    other = kms.create_key()["KeyMetadata"]["Arn"]
    made = ec2.create_volume(AvailabilityZone=f"{REGION}a", SnapshotId=snapshot, Encrypted=True, KmsKeyId=other)
    copy, mount = made["VolumeId"], host.folder / "copy"
    host.attach(volume=copy, mount=mount)
    host.database.stop()
    host.fuin("detach", host.volume)
    kms.disable_key(KeyId=host.key_arn)
    host.database.data.unlink()
    host.database.data.symlink_to(mount / "main")
    (mount / "main" / "postmaster.pid").unlink()
    host.database.start()
    assert host.query(f"SELECT count(*) FROM letters WHERE body = '{text}'") == [(1,)]
    host.database.stop()
    host.fuin("detach", copy)


def state(ec2: Any, snapshot: str) -> str:
    """Return the state of a snapshot."""
    (found,) = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    return str(found["State"])


def test_page(new_server: ServerFactory, tmp_path: Path) -> None:
    """Each command of the page on volumes does what the page shows, on a host that is added for it."""
    server = new_server().start()
    let_pass(tmp_path)
    said = server.fuin("host", "add", "db1", "--data", str(server.data), "--endpoint-url", server.url).stdout
    place = {"folder": str(tmp_path / "volumes"), "run_folder": str(tmp_path / "run")}
    host_file = tmp_path / "host.json"
    host_file.write_text(json.dumps(json.loads(said) | place))
    host_file.chmod(0o600)
    database = Service()
    variables = database.variables | server.client_environment()
    variables |= {"FUIN_DATA": str(server.data), "FUIN_HOST_FILE": str(host_file)}
    replacements = {
        "/srv/postgresql": str(tmp_path / "mount"),
        "/srv/copy": str(tmp_path / "copy"),
        "/var/lib/postgresql/15/main": str(database.data),
        "/var/lib/postgresql/15/before": str(database.folder / "before"),
        "/var/lib/fuin-volumes": place["folder"],
    }
    try:
        database.start()
        page = pages.page("postgresql-volume")
        pages.run_page(page, tmp_path, variables, is_refusal, replacements=replacements, shims=database.bin)
    finally:
        database.remove()
        close_volumes(variables)
        server.kill()


def close_volumes(variables: dict[str, str]) -> None:
    """Close each volume that is open on the host."""
    volume = [str(FUIN), "volume"]
    for line in run([*volume, "list", "--json"], variables, check=False).stdout.splitlines():
        run([*volume, "close", json.loads(line)["volume"], "--force"], variables, check=False)
