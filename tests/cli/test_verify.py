"""`fuin verify`: its report, its exit statuses, and that it works beside a server and without one."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from fuin.audit import reader
from fuin.cli.whole import app
from tests.cli.test_ledger import Folder, folder, ids_of_blob  # noqa: F401 - a fixture
from tests.conftest import ServerFactory
from tests.support.server import Server

BODY = b"plaintext that nobody is shown " * 700


def verify(data: Path, *words: str, status: int = 0) -> Result:
    """Run the command about a folder."""
    done = CliRunner().invoke(app, ["verify", *words, "--data", str(data)])
    assert done.exit_code == status, done.output
    assert "plaintext" not in done.output
    return done


def blob_of(server: Server, key: str) -> Path:
    """Return the file of an object, which the record of its PUT names."""
    facts = [entry.draft.get("facts", {}) for entry in reader.entries(server.data / "audit")]
    name: str = next(one["blob"] for one in facts if one.get("key") == key and "blob" in one)
    return server.data / "blobs" / name[0] / name[1:3] / name


def test_beside_a_server_and_without_one(new_server: ServerFactory) -> None:
    """The statuses are 0, 1 for what is wrong, and 3 for what could not be looked at; the report has the numbers."""
    server = new_server(workers=1).start()
    s3, kms = server.client("s3"), server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket="plain")
    s3.put_object(Bucket="plain", Key="a", Body=BODY)
    s3.put_object(Bucket="plain", Key="b", Body=BODY, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    first, second, last = verify(server.data).stdout.splitlines()
    assert first == "the whole store: 2 versions and 0 uploads under way"
    assert second.startswith("2 messages read (0.0 MB), 2 of them opened")
    assert last == "0 faults, 0 orphans, 0 could not be looked at"
    found = json.loads(verify(server.data, "s3://plain/a", "--json", "--rate", "1000").stdout)
    size = blob_of(server, "a").stat().st_size
    assert found == {
        "scope": "s3://plain/a", "structureOnly": False, "versions": 1, "uploads": 0, "messages": 1,
        "storedBytes": size, "opened": 1, "underCustomerKeys": 0, "changedMeanwhile": 0, "orphansMoved": 0,
        "faults": 0, "orphans": 0, "unproven": 0, "named": [],
    }  # fmt: skip

    kms.disable_key(KeyId=key)
    lines = verify(server.data, status=3).stdout.splitlines()
    assert lines[0].startswith("unproven: object s3://plain/b, version null, part 1, blob ")
    assert lines[0].endswith(f"KMS does not open its data key: DisabledException: {key} is disabled.")
    kms.enable_key(KeyId=key)
    file = blob_of(server, "b")
    raw = file.read_bytes()
    file.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    server.stop()

    reason = "frame 1 of the message does not hold"
    lines = verify(server.data, status=1).stdout.splitlines()
    assert lines[0] == f"fault: object s3://plain/b, version null, part 1, blob {file.name}: {reason}"
    assert lines[-1] == "1 faults, 0 orphans, 0 could not be looked at"
    assert "structure only" in verify(server.data, "--structure-only").stdout


def test_what_cannot_be_looked_at(folder: Folder, tmp_path: Path) -> None:  # noqa: F811
    """No server's folder, no such bucket, nothing that names objects, blobs of another server: one line, status 3."""
    for data, words, says in (
        (tmp_path / "none", [], "holds no Fuin server's data"),
        (folder.settings.data, ["s3://nobodys", "--structure-only"], "there is no bucket nobodys"),
        (folder.settings.data, ["bucket"], "bucket is not s3://bucket or s3://bucket/prefix"),
    ):
        assert says in verify(data, *words, status=3).stderr
    (folder.settings.blobs / "installation.json").unlink()
    assert "are these the blobs of this server?" in verify(folder.settings.data, "--structure-only", status=3).stderr


def test_findings_without_a_key(folder: Folder) -> None:  # noqa: F811
    """In JSON as in text; names that a terminal could take for a command are escaped."""
    lines = verify(folder.settings.data, "--structure-only", status=1).stdout.splitlines()
    size = _file(folder, "a").stat().st_size
    reason = f"the blob has {size} bytes, and 200 in the index"
    assert f"fault: object s3://bucket/a, version null, part 1, blob {ids_of_blob('a')}: {reason}" in lines
    assert any(line.startswith("fault: object s3://bucket/old\\x1b, version null") for line in lines)
    found = json.loads(verify(folder.settings.data, "--structure-only", "--json", "--limit", "1", status=1).stdout)
    assert (found["faults"], len(found["named"])) == (len([line for line in lines if line.startswith("fault")]), 1)
    found = json.loads(verify(folder.settings.data, "--structure-only", "--json", status=1).stdout)
    named: list[dict[str, Any]] = found["named"]
    assert {
        "kind": "fault", "reason": reason, "bucket": "bucket", "key": "a", "version": "null", "upload": "", "part": 1,
        "blob": ids_of_blob("a"),
    } in named  # fmt: skip
    assert (found["structureOnly"], found["uploads"]) == (True, 1)


def _file(folder: Folder, key: str) -> Path:  # noqa: F811
    name = ids_of_blob(key)
    return folder.settings.blobs / name[0] / name[1:3] / name
