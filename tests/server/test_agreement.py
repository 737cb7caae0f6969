"""Database, log and blobs at a start: what is missing, empty, older, cut or somebody else's is refused, and says so."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from fuin.audit import reader, segments, witness
from fuin.blobs.files import marker, names, orphans
from fuin.blobs.interface import Marker, SweepNote
from fuin.errors import FuinError
from fuin.server import agreement
from fuin.server.agreement import Refused, Witnesses
from fuin.settings import SMALL_OBJECT, Settings
from fuin.store.engine import glance
from tests.conftest import ServerFactory
from tests.support.processes import wait_until
from tests.support.server import Server

BUCKET = "witnessed"


class Past:
    """The data folder of a server at two moments, each as a `kill -9` leaves it; `older` lacks acknowledged changes."""

    def __init__(self, folder: Path) -> None:
        server = Server(folder / "past", workers=1, options=["--small-objects", "0"])  # each object is a blob
        try:
            server.start()
            server.client("s3").create_bucket(Bucket=BUCKET)
            server.client("s3").put_object(Bucket=BUCKET, Key="first", Body=b"first")
            server.kill()
            self.older = _copied(server.data, folder / "older")
            server.start()
            server.client("s3").put_object(Bucket=BUCKET, Key="second", Body=b"second")
            server.kill()
            self.newer = _copied(server.data, folder / "newer")
        finally:
            server.kill()
        self.root = server.root


def _copied(data: Path, to: Path) -> Path:
    return Path(shutil.copytree(data, to, ignore=shutil.ignore_patterns("run")))


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """Give the two moments, made once."""
    return Past(tmp_path_factory.mktemp("agreement"))


@pytest.fixture
def now(tmp_path: Path, past: Past) -> Settings:
    """Give the settings of a copy of the newer moment."""
    return Settings(data=_copied(past.newer, tmp_path / "data"))


def check(settings: Settings, *, new_log: bool = False) -> tuple[Witnesses, list[Refused]]:
    """Ask database, log and blobs as a start does."""
    return asyncio.run(agreement.check(settings, new_log=new_log))


def refusal(settings: Settings) -> str:
    """Return why a start is refused; asserts that asking has changed no file but SQLite's shared memory."""
    before = _files(settings.data)
    with pytest.raises(FuinError) as caught:
        check(settings)
    assert _files(settings.data) == before, "the question changed what it asked about"
    return str(caught.value)


def _files(data: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if content and not name.endswith("-shm")}


def _wal(settings: Settings) -> Path:
    return settings.data / "fuin.db-wal"


def test_what_a_kill_leaves_agrees(now: Settings, past: Past) -> None:
    """What `kill -9` leaves starts, newer and older; so does a consistent backup: all three of one moment."""
    assert check(now)[1] == []
    assert check(Settings(data=past.older))[1] == []
    assert _wal(now).stat().st_size > 0, "this is no test of a lost write-ahead log"


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("left", ["nothing", "empty", "only the log", "empty and the log"])
def test_database_is_missing_or_empty(now: Settings, left: str, log: bool) -> None:
    """Blobs or a log without a database are no first start, with and without what SQLite keeps beside it."""
    if "empty" in left:
        now.database.write_bytes(b"")
    else:
        now.database.unlink()
    if "log" not in left:
        _wal(now).unlink()
        (now.data / "fuin.db-shm").unlink()
    if not log:
        shutil.rmtree(now.audit)
    why = refusal(now)
    assert "this is not a first start. Restore the database" in why
    assert ("the audit log has records" in why) is log
    assert "there are blobs" in why


def test_database_without_an_account(now: Settings, tmp_path: Path) -> None:
    """A database that has tables but nothing in them is none either."""
    for path in now.data.glob("fuin.db*"):
        path.unlink()
    with closing(sqlite3.connect(now.database)) as made:
        made.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT)")
    assert "this is not a first start" in refusal(now)


@pytest.mark.parametrize("where", ["in place", "out of the way"])
def test_blobs_alone_are_no_first_start(now: Settings, where: str) -> None:
    """Blobs that were restored without database and log are refused, also those that a sweep has moved."""
    shutil.rmtree(now.audit)
    for path in now.data.glob("fuin.db*"):
        path.unlink()
    (now.blobs / marker.NAME).unlink()
    if where == "out of the way":
        paths = [path for path in now.blobs.glob("[0-9a-f]/*/*") if path.is_file()]
        group = orphans.begin_group(now.blobs, SweepNote("i", 1, 1, 0.0, 0.0))
        orphans.move(now.blobs, group, [names.stored_blob(path.name) for path in paths])
    assert "but there are blobs" in refusal(now)


def test_write_ahead_log_is_lost(now: Settings) -> None:
    """`fuin.db` copied alone, or its -wal lost, lacks changes that the audit log knows of."""
    _wal(now).unlink()
    why = refusal(now)
    assert "is older than the audit log" in why or "was never finished" in why


@pytest.mark.parametrize("damage", ["cut", "zeros", "a bit"])
def test_write_ahead_log_is_damaged(now: Settings, damage: str) -> None:
    """A -wal that is cut or damaged near its end has lost the last changes, which the audit log knows of."""
    content = bytearray(_wal(now).read_bytes())
    frame = 4096 + 24
    at = len(content) - 2 * frame
    if damage == "cut":
        content = content[:at]
    elif damage == "zeros":
        content[at:] = bytes(len(content) - at)
    else:
        content[at + 100] ^= 1
    _wal(now).write_bytes(content)
    assert "is older than the audit log" in refusal(now)


def _put(source: Path, now: Settings, *names: str) -> None:
    """Put parts of another moment's data in the place of this one's."""
    for name in names:
        for path in now.data.glob(f"{name}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in source.glob(f"{name}*"):
            shutil.copytree(path, now.data / path.name) if path.is_dir() else shutil.copy(path, now.data)


def test_older_database_is_refused(now: Settings, past: Past) -> None:
    """An older database, whole in itself, is refused beside the newer log, with both serials and what to do."""
    _put(past.older, now, "fuin.db")
    serial = glance.look(now.database).serial  # type: ignore[union-attr]
    why = refusal(now)
    assert f"(at change {serial} instead of {witness.highest_commit(now.audit)})" in why
    assert "--accept-older-database" in why
    [accepted] = check(replace(now, accept_older_database=True))[1]
    assert accepted.finding is agreement.Finding.OLDER_DATABASE


def test_older_database_is_refused_by_the_blobs_alone(now: Settings, past: Past) -> None:
    """The blobs' mark is newer than an older database, also when the log is as old as that."""
    _put(past.older, now, "fuin.db", "audit")
    assert "is older than the blobs' mark" in refusal(now)


def test_older_log_is_refused(now: Settings, past: Past) -> None:
    """A log that lacks a record that the database has seen was cut off, or is an older copy."""
    _put(past.older, now, "audit")
    assert "does not hold record" in refusal(now)
    [accepted] = check(replace(now, accept_older_log=True))[1]
    assert accepted.finding is agreement.Finding.OLDER_LOG
    [accepted] = check(now, new_log=True)[1]  # --new-audit-log: there was none
    assert accepted.finding is agreement.Finding.OLDER_LOG


def test_log_that_went_another_way_is_refused(now: Settings) -> None:
    """A log with a record of that number, but another one, is refused as well."""
    noted = glance.look(now.database).log  # type: ignore[union-attr]
    assert noted is not None
    [segment] = segments.segments(now.audit)
    [entry] = [raw for raw in segments.entries(segments.read(segment.path)) if raw.hash == noted.head]
    content = bytearray(segment.path.read_bytes())
    content[entry.end - 1] ^= 1
    segment.path.write_bytes(content)
    assert "does not hold record" in refusal(now)


def test_older_blobs_are_refused(now: Settings, past: Past) -> None:
    """Blobs of an earlier start, beside a newer database, are refused; and accepted knowingly."""
    _put(past.older, now, "blobs")
    assert "is older than" in refusal(now)
    assert len(check(replace(now, accept_older_blobs=True))[1]) == 1


@pytest.mark.parametrize("left", ["nothing", "files without the mark"])
def test_blobs_without_their_mark_are_refused(now: Settings, left: str) -> None:
    """A disk that is not mounted leaves an empty folder where objects should be."""
    (now.blobs / marker.NAME).unlink()
    if left == "nothing":
        shutil.rmtree(now.blobs)
        now.blobs.mkdir()
    assert "Is a disk not mounted?" in refusal(now)
    assert len(check(replace(now, accept_older_blobs=True))[1]) == 1


def test_blobs_of_another_installation_are_refused(now: Settings) -> None:
    """Nothing accepts another server's blobs."""
    own = marker.read(now.blobs)
    assert own is not None
    for serial in (own.serial, own.serial + 1000):  # a busier server's mark is no witness that the database is older
        marker.write(now.blobs, Marker("another", serial))
        assert "belongs to another installation" in refusal(now)
        assert "belongs to another" in refusal(replace(now, accept_older_blobs=True, accept_older_database=True))


def test_upgrade_of_an_older_database_may_be_killed(now: Settings) -> None:
    """A database from before there were marks, upgraded by an accepting start that was killed, is accepted again."""
    with closing(sqlite3.connect(now.database)) as database, database:
        database.execute("UPDATE epoch SET serial = 1")
        database.execute("UPDATE meta SET value = 'by the upgrade' WHERE name = 'installation'")
        database.execute("DELETE FROM meta WHERE name IN ('blobs', 'log')")
    assert "--accept-older-database" in refusal(now)
    [accepted] = check(replace(now, accept_older_database=True))[1]
    assert accepted.finding is agreement.Finding.OLDER_DATABASE


@pytest.mark.parametrize("damage", ["garbage", "half", "a text"])
def test_damaged_database_is_refused(now: Settings, damage: str) -> None:
    """A file that is no database, or a part of one, is refused with what to do, not with a traceback."""
    with closing(sqlite3.connect(now.database)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = now.database.read_bytes()
    now.database.write_bytes(
        {"garbage": b"\xa5" * len(content), "half": content[: len(content) // 2], "a text": b"hello"}[damage]
    )
    assert "restore it, with log and blobs of one moment" in refusal(now)


@pytest.mark.parametrize("content", [b"", b"{", b"null", b'{"installation": "x", "serial": 9223372036854775807}'])
def test_damaged_mark_is_refused(now: Settings, content: bytes) -> None:
    """A mark that cannot be read, or that no server can have written, is no mark that is missing."""
    (now.blobs / marker.NAME).write_bytes(content)
    assert "cannot be read" in refusal(now)


def test_no_blobs_are_needed_where_no_object_is(now: Settings) -> None:
    """A key service without objects may be restored without blobs."""
    with closing(sqlite3.connect(now.database)) as database, database:
        database.execute("DELETE FROM object_parts")
    shutil.rmtree(now.blobs)
    now.blobs.mkdir()
    assert check(now)[1] == []


@pytest.fixture
def started(past: Past, tmp_path: Path, new_server: ServerFactory) -> Callable[[Path], Server]:
    """Return a maker of a server, not started, on a copy of a moment's data."""

    def make(data: Path) -> Server:
        server = new_server(data.name, workers=1)
        server.root = past.root
        _copied(data, server.data)
        return server

    return make


def serve(server: Server, *options: str) -> str:
    """Try to serve and return why that is refused."""
    data = ["--data", str(server.data), "--port", str(server.port)]
    done = server.fuin("serve", *data, *options, check=False)
    assert done.returncode == 1, done.stderr
    return done.stderr


def read(server: Server, key: str) -> bytes:
    """Return an object's content."""
    with server.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"] as body:
        content: bytes = body.read()
        return content


def records(server: Server, operation: str) -> list[dict[str, object]]:
    """Return the drafts of an operation's records."""
    return [entry.draft for entry in reader.entries(server.data / "audit") if entry.draft.get("operation") == operation]


@pytest.mark.real
def test_server_without_its_database_destroys_nothing(past: Past, started: Callable[[Path], Server]) -> None:
    """`fuin serve` and `fuin user` refuse; with the database put back all is as it was."""
    server = started(past.newer)
    blobs = set(server.blobs())
    away = server.data.parent / "away"
    away.mkdir()
    for path in server.data.glob("fuin.db*"):
        shutil.move(path, away)
    assert "this is not a first start" in serve(server)
    (server.data / "fuin.db").touch()
    assert "this is not a first start" in serve(server, "--accept-older-database")
    assert (
        "this is not a first start" in server.fuin("user", "add", "u", "--data", str(server.data), check=False).stderr
    )
    assert set(server.blobs()) == blobs
    for path in server.data.glob("fuin.db*"):
        path.unlink()
    for path in away.iterdir():
        shutil.move(path, server.data)
    server.start()
    assert (read(server, "first"), read(server, "second")) == (b"first", b"second")
    server.stop()


@pytest.mark.real
def test_older_database_is_accepted_knowingly(past: Past, started: Callable[[Path], Server]) -> None:
    """It is on the record with both serials, later starts need no option, and what it does not name can come back."""
    server = started(past.newer)
    settings = Settings(data=server.data)
    known = witness.highest_commit(settings.audit)
    _put(past.older, settings, "fuin.db")
    assert "--accept-older-database" in serve(server)
    server.start(options=["--accept-older-database"])
    assert read(server, "first") == b"first"
    wait_until(lambda: len(server.orphans()) == 1, 60, "the sweep moves what the older database does not name")
    server.stop()
    before, after = records(server, "fuin:AcceptOlderDatabase")
    assert (before["about"], before["facts"]["known"]) == ("change", known)  # type: ignore[index]
    assert after["commit"] > known  # type: ignore[operator]
    [group] = orphans.list_groups(settings.blobs)
    assert group.note is not None
    assert group.note.serial < after["commit"], "what the newer database names would be deleted"  # type: ignore[operator]
    server.start()
    server.stop()
    server.verify_audit()
    # The right database, put back knowingly: its objects are whole again.
    # It may be far ahead by commits that no record tells of: a server that nobody uses makes some each minute.
    _put(past.newer, settings, "fuin.db")
    with closing(sqlite3.connect(settings.database)) as database, database:
        database.execute("UPDATE epoch SET serial = serial + 100000")
    assert "--accept-older-database" in serve(server)
    server.start(options=["--accept-older-database"])
    assert read(server, "second") == b"second"
    wait_until(lambda: not server.orphans(), 60, "the file is in its place")
    server.stop()


# What later versions have added to tables of version 0007.
_KEY_COLUMNS = {
    "buckets": ("scheme", "kms_key_arn", "versioning"),
    "object_parts": ("content",),
    "uploads": ("scheme", "kms_key_arn", "kms_material_id", "tags", "object_lock"),
}
# Each before those that it refers to.
_VOLUME_TABLES = (
    "snapshot_blocks", "snapshot_uses", "snapshot_blobs", "snapshot_shares", "snapshots", "ec2_tags",
    "ebs_defaults", "modifications", "volume_attachments", "volumes", "hosts",
)  # fmt: skip


@pytest.mark.real
def test_data_of_the_version_before_starts(past: Past, started: Callable[[Path], Server]) -> None:
    """A folder that knows no serial, no installation and no mark gets them, and all is there."""
    server = started(past.newer)
    (server.data / "blobs" / marker.NAME).unlink()
    with closing(sqlite3.connect(server.data / "fuin.db")) as database, database:
        database.execute("DELETE FROM meta WHERE name IN ('installation', 'blobs', 'log', 'log_next')")
        database.execute("ALTER TABLE epoch DROP COLUMN serial")
        for name in ("objects_by_key", "objects_by_kms_key", "uploads_by_kms_key", "buckets_by_kms_key"):
            database.execute(f"DROP INDEX {name}")
        for table, columns in _KEY_COLUMNS.items():
            for column in columns:
                database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        for table in ("nodes", "gates", "commits", "jobs", "blob_intents", *_VOLUME_TABLES):
            database.execute(f"DROP TABLE {table}")
        database.execute("UPDATE alembic_version SET version_num = '0007'")
    _forget_commits(server.data / "audit", server)
    server.start(options=["--new-audit-log"])
    assert read(server, "second") == b"second"
    server.stop()
    found = glance.look(server.data / "fuin.db")
    mark = marker.read(server.data / "blobs")
    assert found is not None
    assert mark is not None
    assert mark.installation == found.installation != ""
    server.start()
    server.stop()


def _forget_commits(audit: Path, server: Server) -> None:
    """Take away the log, which of that version had no commits; the server begins a new one."""
    shutil.rmtree(audit)
    assert "holds no audit log" in serve(server)


@pytest.mark.real
def test_backup_of_a_running_server_starts(past: Past, started: Callable[[Path], Server], tmp_path: Path) -> None:
    """The documented order of copies, made under load, gives a set that starts and has all that was acknowledged."""
    server = started(past.newer)
    server.start()
    s3 = server.client("s3")
    backup = tmp_path / "backup"
    backup.mkdir()

    acknowledged: list[int] = []

    def body_of(number: int) -> bytes:
        return b"%d" % number * (1 if number % 2 else SMALL_OBJECT + 1)  # in its row, and a blob

    def put() -> None:
        number = len(acknowledged)
        s3.put_object(Bucket=BUCKET, Key=f"o{number}", Body=body_of(number))
        acknowledged.append(number)

    for step in (
        lambda: shutil.copytree(server.data / "blobs", backup / "blobs"),
        lambda: shutil.copytree(server.data / "audit", backup / "audit"),
        lambda: _backed_up(server.data / "fuin.db", backup / "fuin.db"),
        lambda: shutil.copytree(server.data / "blobs", backup / "blobs", dirs_exist_ok=True),
    ):
        before = len(acknowledged)
        for _ in range(5):
            put()
        step()
    put()
    shutil.copy(server.data / "root.key", backup)
    server.stop()
    restored = started(backup)
    restored.start()
    copied = acknowledged[:before]  # before the database was
    assert [read(restored, f"o{number}") for number in copied] == [body_of(number) for number in copied]
    restored.stop()
    restored.verify_audit()


def _backed_up(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as database, closing(sqlite3.connect(target)) as copy:
        database.backup(copy)


def test_every_sentence_has_its_places(now: Settings) -> None:
    """Each finding has a sentence that says what to do."""
    assert set(agreement._SENTENCES) == set(agreement.Finding)
    assert json.loads((now.blobs / marker.NAME).read_text())["installation"]


def test_a_database_without_its_root_key_gets_no_new_one(now: Settings) -> None:
    """Somebody has copied `fuin.db` alone and begins a new log: a new root key would open nothing of it."""
    shutil.rmtree(now.audit)
    shutil.rmtree(now.blobs)
    now.root_key.unlink()
    with pytest.raises(FuinError, match=r"root\.key is missing, but .* has keys that only it opens"):
        check(replace(now, accept_older_blobs=True, accept_older_log=True), new_log=True)
    assert not now.root_key.exists()
