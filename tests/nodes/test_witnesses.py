"""Database, log and blobs of a node at a start: what is older or gone is refused, and can be accepted on the record."""

from __future__ import annotations

import psycopg

from fuin.audit import reader
from tests.nodes.conftest import Installation


def _execute(installation: Installation, statement: str) -> None:
    with psycopg.connect(installation.url, autocommit=True) as conn:
        conn.execute(statement.encode())


def test_older_witnesses_are_refused(empty: Installation) -> None:
    """Each node compares its own log with its own commits; the blobs' mark is compared with the commits of all."""
    empty.init()
    a = empty.start("a")
    a.client("s3").create_bucket(Bucket="witnessed")
    a.client("s3").put_object(Bucket="witnessed", Key="one", Body=b"one")
    a.stop()
    # The mark of the blobs is gone, and with it perhaps the blobs.
    mark = next(name for name in empty.bucket.objects if name.endswith("installation.json"))
    kept = empty.bucket.objects.pop(mark)
    assert "--accept-older-blobs" in empty.refused_start("a")
    assert "--accept-older-blobs" in empty.refused_start("b")
    empty.bucket.objects[mark] = kept
    # The database has seen a record of a's log that the log does not hold.
    _execute(empty, "UPDATE meta SET value = '1:00' WHERE name = 'log/a'")
    assert "--accept-older-log" in empty.refused_start("a")
    # The log of a has commits that the database does not have.
    _execute(empty, "DELETE FROM meta WHERE name = 'log/a'")
    _execute(empty, "UPDATE gates SET serial = 3 WHERE node = 'a'")
    said = empty.refused_start("a")
    assert "is older than the audit log" in said
    assert "at change 3 instead of" in said
    assert "--accept-older-database" in said
    empty.start("b")  # has lost nothing that its own log knows of
    a.start(empty.variables(), ["--accept-older-database"])
    assert a.client("s3").get_object(Bucket="witnessed", Key="one")["Body"].read() == b"one"
    a.stop()
    a.start(empty.variables())
    operations = [entry.draft.get("operation") for entry in reader.entries(a.data / "audit")]
    assert operations.count("fuin:AcceptOlderDatabase") == 2
