"""An older database is put back under nodes whose blobs are on S3: what it names again is still there."""

from __future__ import annotations

import psycopg
import pytest

from fuin.settings import SMALL_OBJECT
from tests.nodes.conftest import Installation
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_until

pytestmark = pytest.mark.long  # six starts

HOUR = 3600.0


def test_removed_blob_outlives_its_hour(empty: Installation, postgres: PostgresServer) -> None:
    """An object is deleted, an older database names it again, and the removal that was written down ends nothing."""
    empty.init()
    a = empty.start("a")
    s3 = a.client("s3")
    s3.create_bucket(Bucket="again")
    s3.put_object(Bucket="again", Key="back", Body=_body("back"))
    s3.put_object(Bucket="again", Key="gone", Body=_body("gone"))
    a.stop()
    with psycopg.connect(empty.url) as conn:
        row = conn.execute("SELECT current_database()").fetchone()
    assert row is not None
    name = row[0]
    with postgres.database(name) as older:
        s3 = a.start(empty.variables()).client("s3")
        s3.delete_object(Bucket="again", Key="back")
        wait_until(lambda: _removals(empty) == 1, 10, "the removal is written down")
        a.stop()
        postgres.drop(name)
        postgres.execute(f"CREATE DATABASE {name} TEMPLATE {older}")
    for key, (content, moment) in list(empty.bucket.objects.items()):
        empty.bucket.objects[key] = (content, moment - 2 * HOUR)
    assert "is older than the audit log" in empty.refused_start("a")
    s3 = a.start(empty.variables(), ["--accept-older-database"]).client("s3")
    wait_until(lambda: _removals(empty) == 0, 60, "the removal is void")
    for key in ("back", "gone"):
        assert s3.get_object(Bucket="again", Key=key)["Body"].read() == _body(key)


def _body(key: str) -> bytes:
    return key.encode() * SMALL_OBJECT  # too large for its row


def _removals(installation: Installation) -> int:
    return sum("/removed/" in key for key in installation.bucket.objects)
