"""`fuin key dependents` and `fuin ledger check`, on a data folder whose objects depend on made-up keys."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from typer.testing import CliRunner, Result

from fuin import ids
from fuin.blobs.files import marker
from fuin.blobs.files.names import blob_path
from fuin.blobs.interface import Marker
from fuin.cli import serve
from fuin.cli.whole import app
from fuin.settings import Settings
from fuin.store.engine import installation
from fuin.store.identity import accounts
from fuin.store.kms import aliases, keys
from fuin.store.kms.aliases import Alias
from fuin.store.s3 import buckets, uploads, versions
from fuin.store.store import Store
from fuin.store.volumes import volumes
from tests.store import values
from tests.support import envelopes

OLD_MATERIAL = bytes(range(32))
VOLUME = values.volume()


@dataclass
class Folder:
    """A data folder; `arn` is the key that objects depend on, `material` its current material."""

    settings: Settings
    arn: str
    material: bytes

    def run(self, *words: str, status: int = 0) -> Result:
        """Run a command about this folder."""
        place = ["--data", str(self.settings.data)]
        if self.settings.database_url:
            place += ["--database", self.settings.database_url]
        done = CliRunner().invoke(app, [*words, *place])
        assert done.exit_code == status, done.output
        return done

    def change(self, statement: str, **given: Any) -> None:
        """Change rows behind the store's back."""
        store = Store.open(self.settings)
        store.change_sync(_execute, statement, given)
        store.close()

    def put(self, store: Store, key: str, material: bytes) -> None:
        """Put an object with its message."""
        part = values.part(blob=ids_of_blob(key))
        encrypted = envelopes.data_key(self.arn.rpartition("/")[2], material)
        path = blob_path(self.settings.blobs, part.blob)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(envelopes.header(self.arn, encrypted))
        obj = replace(values.obj(key, part), encryption=envelopes.encryption(self.arn, encrypted))
        store.write_sync(versions.publish, obj)


def _execute(conn: Connection, statement: str, given: dict[str, Any]) -> None:
    conn.execute(text(statement), given)


def ids_of_blob(key: str) -> str:
    """Return the id of the blob of an object."""
    return key.encode().hex().ljust(64, "0")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Give a folder with a key, three objects, an upload and a bucket that depend on it."""
    return fill(Settings(data=tmp_path / "data"))


def fill(settings: Settings) -> Folder:
    """Make a database and a folder with a key, three objects, an upload and a bucket that depend on it."""
    settings.prepare()
    store = Store.open(settings)
    store.change_sync(accounts.insert_account, values.ACCOUNT, 1.0)
    store.change_sync(installation.insert_meta, installation.Meta(values.ACCOUNT, values.REGION, 1.0))
    store.change_sync(buckets.insert_bucket, values.bucket())
    key, material = values.key()
    store.change_sync(keys.insert_key, key, material)
    store.change_sync(aliases.insert_alias, Alias(values.ACCOUNT, values.REGION, "alias/mine", key.key_id, 1.0, 1.0))
    made = Folder(settings, key.arn, key.current_material)
    for name, used in (("a", made.material), ("b", made.material), ("old\x1b", OLD_MATERIAL)):
        made.put(store, name, used)
    store.write_sync(_execute, "UPDATE objects SET is_current = 0 WHERE key = :key", {"key": b"b"})
    begun = envelopes.encryption(key.arn, envelopes.data_key(key.key_id, made.material))
    store.write_sync(uploads.insert_upload, replace(values.upload("up", "u"), encryption=begun))
    store.write_sync(buckets.set_encryption, "bucket", '{"algorithm":"aws:kms","key":"alias/mine"}')
    store.write_sync(volumes.insert_volume, replace(VOLUME, kms_key_arn=made.arn, kms_material_id=made.material))
    standing = store.read_sync(installation.find_standing)
    store.close()
    marker.write(settings.blobs, Marker(standing.installation, 1))
    return made


def test_numbers_of_a_key_and_its_materials(folder: Folder) -> None:
    """Named by id, alias or ARN, in text and in JSON."""
    for name in (folder.arn, folder.arn.rpartition("/")[2], "alias/mine"):
        lines = folder.run("key", "dependents", name).stdout.splitlines()
        assert [line.split() for line in lines] == [
            [folder.arn, "Enabled"],
            ["objects", "bytes", "older", "versions", "bytes", "uploads", "bytes"],
            ["in", "all", "2", "20", "1", "10", "1", "0"],
            ["material", folder.material.hex(), "CURRENT", "1", "10", "1", "10", "1", "0"],
            ["material", OLD_MATERIAL.hex(), "1", "10", "0", "0", "0", "0"],
            ["buckets", "whose", "default", "names", "it:", "1"],
            ["volumes:", "1", "(8", "GiB)"],
            ["snapshots", "of", "volumes:", "0", "(0", "GiB)"],
        ]
    found = json.loads(folder.run("key", "dependents", "alias/mine", "--json").stdout)
    one, none = {"number": 1, "bytes": 10}, {"number": 0, "bytes": 0}
    assert found == {
        "key": folder.arn, "state": "Enabled", "objects": {"number": 2, "bytes": 20}, "olderVersions": one,
        "uploads": {"number": 1, "bytes": 0}, "buckets": ["bucket"],
        "volumes": {"number": 1, "gibibytes": 8}, "snapshots": {"number": 0, "gibibytes": 0},
        "materials": [
            {"material": folder.material.hex(), "state": "CURRENT", "objects": one, "olderVersions": one,
             "uploads": {"number": 1, "bytes": 0}},
            {"material": OLD_MATERIAL.hex(), "state": None, "objects": one, "olderVersions": none, "uploads": none},
        ],
    }  # fmt: skip


def test_each_dependent_is_listed(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """One a line, over any number of pages; names that a terminal could take for a command are escaped."""
    monkeypatch.setattr("fuin.cli.key_dependents._PAGE", 1)
    current, old = f"material {folder.material.hex()}", f"material {OLD_MATERIAL.hex()}"
    assert folder.run("key", "dependents", "alias/mine", "--list").stdout.splitlines() == [
        f"object  s3://bucket/a  null  10 bytes  {current}",
        f"version  s3://bucket/b  null  10 bytes  {current}",
        f"object  s3://bucket/old\\x1b  null  10 bytes  {old}",
        f"upload  s3://bucket/u  up  {current}",
        f"volume  {VOLUME.volume_id}  8 GiB  {current}",
        "bucket  bucket",
    ]
    done = folder.run("key", "dependents", "alias/mine", "--list", "--json")
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    assert [entry["kind"] for entry in entries] == ["object", "object", "object", "upload", "volume", "bucket"]
    assert entries[1] == {
        "kind": "object", "bucket": "bucket", "key": "b", "version": "null", "current": False, "bytes": 10,
        "material": folder.material.hex(),
    }  # fmt: skip


def test_a_key_is_looked_for_where_it_is_said_to_be(folder: Folder) -> None:
    """An alias of another Region or account does not exist; a key that has ended is found by its ARN."""
    for option in (["--region", "eu-west-1"], ["--account", "210987654321"]):
        refused = folder.run("key", "dependents", "alias/mine", *option, status=1)
        assert "there is no key alias/mine" in str(refused.exception)
    folder.change("DELETE FROM aliases")
    folder.change("DELETE FROM keys")
    found = json.loads(folder.run("key", "dependents", folder.arn, "--json").stdout)
    assert (found["state"], found["objects"]["number"], found["buckets"]) == (None, 2, [])
    other = ids.key_arn(values.ACCOUNT, values.REGION, ids.new_key_id())
    assert "no such key" in folder.run("key", "dependents", other).stdout


def test_check_of_a_folder_that_agrees(folder: Folder) -> None:
    """The exit status is 0, and the rows are counted."""
    assert folder.run("ledger", "check").stdout == "8 rows compared, 0 differences\n"
    found = json.loads(folder.run("ledger", "check", "--json").stdout)
    assert found == {"rows": 8, "differences": 0, "named": []}


def test_check_names_each_difference(folder: Folder) -> None:
    """The exit status is 1; what is not named beyond a limit is counted."""
    folder.change("UPDATE objects SET scheme = 'AES256' WHERE key = :key", key=b"a")
    blob_path(folder.settings.blobs, ids_of_blob("b")).unlink()
    lines = folder.run("ledger", "check", status=1).stdout.splitlines()
    first = "scheme is AES256 in the index, and aws:kms in the column encryption"
    second = f"the header of blob {ids_of_blob('b')} cannot be read: the blob is missing"
    assert lines == [
        f"object s3://bucket/a, version null: {first}",
        f"object s3://bucket/b, version null, part 1: {second}",
        "8 rows compared, 2 differences",
    ]
    found = json.loads(folder.run("ledger", "check", "--limit", "1", "--json", status=1).stdout)
    assert (found["differences"], len(found["named"])) == (2, 1)
    assert found["named"][0]["indexed"] == "AES256"


def test_check_refuses_the_blobs_of_another_server(folder: Folder) -> None:
    """Instead of naming each object."""
    marker.write(folder.settings.blobs, Marker("another", 1))
    assert "another installation" in str(folder.run("ledger", "check", status=1).exception)
    (folder.settings.blobs / marker.NAME).unlink()
    assert "are these the blobs of this server?" in str(folder.run("ledger", "check", status=1).exception)


def test_the_guards_are_options_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their defaults are to refuse and to warn."""
    started: list[Settings] = []
    monkeypatch.setattr(serve, "run", lambda settings, _: started.append(settings))
    for options in ([], ["--deletion-guard", "off", "--disabling-guard", "off"]):
        done = CliRunner().invoke(app, ["serve", "--data", str(tmp_path), *options])
        assert done.exit_code == 0, done.output
    guards = [(settings.deletion_guard, settings.disabling_guard) for settings in started]
    assert guards == [("refuse", "warn"), ("off", "off")]
