"""The work of lifecycle rules: once a day, by both clocks, on the record, and by the rules of the moment."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import Connection

from fuin import crash
from fuin.audit import reader
from fuin.clock import CLOCK
from fuin.errors import KeyholderUnavailable
from fuin.keyholder.wire.client import Keyholder
from fuin.s3.lifecycle import due, work
from fuin.s3.lifecycle.work import LifecycleWork
from fuin.store.s3 import dependents
from tests.support.clocks import DAY, counted
from tests.support.place import Place, error_of

LATER = 40 * DAY  # after which everything of these tests is due
LARGE = bytes(20_000)  # which are a blob of their own


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(autouse=True)
def alone(place: Place) -> Iterator[None]:
    """Begin and end without rules in any bucket, since a walk goes through all."""
    place.sql("DELETE FROM bucket_settings WHERE name = 'lifecycle'")
    yield
    place.sql("DELETE FROM bucket_settings WHERE name = 'lifecycle'")


def put(s3: Any, bucket: str, *rules: dict[str, Any]) -> None:
    """Put rules; each is enabled and takes all objects unless it says otherwise."""
    every = [{"ID": f"rule{number}", "Status": "Enabled", "Filter": {}, **one} for number, one in enumerate(rules)]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": every})


def walk(place: Place, now: float | None = None) -> None:
    """Walk through all buckets as a new worker does, at a pretended time."""
    place.run(LifecycleWork(place.services).run(time.time() + LATER if now is None else now))


def names(s3: Any, bucket: str) -> list[str]:
    """Return the keys of all current objects."""
    return [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def records(place: Place, bucket: str) -> list[dict[str, Any]]:
    """Return the records of the work in a bucket, oldest first."""
    every = (dict(entry.draft) for entry in reader.entries(place.settings.audit))
    mine = [one for one in every if str(one.get("operation")).startswith("s3:Expire")]
    requests = {one["request"] for one in mine if one["facts"].get("bucket") == bucket}
    return [one for one in mine if one["request"] in requests]


def test_objects_go_with_their_blobs_and_each_is_on_the_record(place: Place, s3: Any, bucket: str) -> None:
    """Each is named with its rule before it goes; the last record says how many went, and by which commit."""
    put(s3, bucket, {"Filter": {"Prefix": "a"}, "Expiration": {"Days": 1}}, {"Expiration": {"Days": 3650}})
    for key in ("a1", "a2", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=LARGE)
    place.settle()
    before = len(place.blobs())
    walk(place, time.time() + DAY - 3600)
    assert names(s3, bucket) == ["a1", "a2", "b"]
    walk(place)
    assert names(s3, bucket) == ["b"]
    place.settle()
    assert len(place.blobs()) == before - 2
    named, announced, done = records(place, bucket)
    assert {one["operation"] for one in (named, announced, done)} == {"s3:ExpireObjects"}
    assert {one["principal"] for one in (named, announced, done)} == {"s3.amazonaws.com"}
    assert named["facts"]["expired"] == [{"key": key, "id": "null", "rule": "rule0"} for key in ("a1", "a2")]
    assert (announced["about"], announced["facts"]) == ("delete", {"bucket": bucket, "objects": 2})
    assert done["facts"] == {"bucket": bucket, "objects": 2, "deleted": 2}
    assert done["commit"] > 0


def test_an_object_of_a_bucket_with_versions_is_under_a_marker(place: Place, s3: Any, bucket: str) -> None:
    """Its noncurrent version goes by another rule on the next day, and then the marker by its own."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(
        s3, bucket, {"Expiration": {"Days": 1}}, {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
        {"Expiration": {"ExpiredObjectDeleteMarker": True}},
    )  # fmt: skip
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
    walk(place)
    assert names(s3, bucket) == []
    found = s3.get_object(Bucket=bucket, Key="k", VersionId=version)
    assert found["Body"].read() == b"x"
    assert records(place, bucket)[-1]["facts"]["deleteMarkers"] == 1
    walk(place)
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=bucket, Key="k", VersionId=version)
    assert error_of(error.value)[0] == 404
    walk(place, 0.0)  # nobody knows the time: not even this rule, which asks for none, is done
    assert len(s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]) == 1
    walk(place)
    assert "DeleteMarkers" not in s3.list_object_versions(Bucket=bucket)
    s3.delete_bucket(Bucket=bucket)


def test_an_upload_is_aborted(place: Place, s3: Any, bucket: str) -> None:
    """With its parts' blobs, on a record that names it."""
    put(s3, bucket, {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}})
    upload = {"Bucket": bucket, "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    s3.upload_part(**upload, PartNumber=1, Body=b"x")
    place.settle()
    before = len(place.blobs())
    walk(place)
    place.settle()
    assert len(place.blobs()) == before - 1
    with pytest.raises(ClientError) as error:
        s3.list_parts(**upload)
    assert error_of(error.value)[:2] == (404, "NoSuchUpload")
    named, _, done = records(place, bucket)
    assert named["facts"]["expired"] == [{"key": "k", "id": upload["UploadId"], "rule": "rule0"}]
    assert done["facts"] == {"bucket": bucket, "uploads": 1, "deleted": 1}


def test_nothing_goes_by_the_wall_clock_alone(place: Place, s3: Any, bucket: str) -> None:
    """A clock that is set forward ends nothing, one that is behind neither; what both clocks say is done."""
    put(s3, bucket, {"Expiration": {"Days": 1}})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    place.sql("UPDATE objects SET modified = :past WHERE bucket = :bucket", past=time.time() - 3 * DAY, bucket=bucket)
    for days in (-8, 8):
        with counted(days):
            walk(place, CLOCK.certain_time())
        assert names(s3, bucket) == ["k"], days
    assert records(place, bucket) == []
    walk(place, CLOCK.certain_time())
    assert names(s3, bucket) == []


def test_a_locked_version_stays(place: Place, s3: Any) -> None:
    """Whatever a rule says; it is not announced either, day after day."""
    bucket = f"{place.bucket()}-locked"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    put(s3, bucket, {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}})
    held = s3.put_object(Bucket=bucket, Key="k", Body=b"x", ObjectLockLegalHoldStatus="ON")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"y")
    walk(place)
    assert records(place, bucket) == []
    assert s3.head_object(Bucket=bucket, Key="k", VersionId=held)["ContentLength"] == 1
    s3.put_object_legal_hold(Bucket=bucket, Key="k", VersionId=held, LegalHold={"Status": "OFF"})
    walk(place)
    assert [one["VersionId"] != held for one in s3.list_object_versions(Bucket=bucket)["Versions"]] == [True]


def test_rules_that_go_before_the_commit_delete_nothing(
    place: Place, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read again in the transaction; the record says what stays."""
    put(s3, bucket, {"Expiration": {"Days": 1}})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    carry_out = due.carry_out

    def late(conn: Connection, *arguments: Any) -> Any:
        conn.exec_driver_sql("DELETE FROM bucket_settings WHERE name = 'lifecycle'")
        return carry_out(conn, *arguments)

    monkeypatch.setattr(due, "carry_out", late)
    walk(place)
    assert names(s3, bucket) == ["k"]
    facts = records(place, bucket)[-1]["facts"]
    assert (facts["deleted"], facts["kept"]) == (0, [{"key": "k", "id": "null", "rule": "rule0"}])


@pytest.mark.parametrize(
    ("point", "objects", "blobs"),
    [("before_commit", 1, 1), ("after_commit", 0, 1), ("after_record", 0, 1), ("none", 0, 0)],
)
def test_a_walk_that_ends_anywhere_leaves_a_whole_state(
    place: Place, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch, point: str, objects: int, blobs: int
) -> None:
    """The object is there with its blob, or gone; the next walk does what is left, and blobs are the sweep's."""
    put(s3, bucket, {"Expiration": {"Days": 1}})
    place.settle()
    before = len(place.blobs())
    s3.put_object(Bucket=bucket, Key="k", Body=LARGE)

    def end(name: str) -> None:
        if name == f"lifecycle.{point}":
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(crash, "point", end)
        if point == "none":
            walk(place)
        else:
            with pytest.raises(Killed):
                walk(place)
    place.settle()
    assert len(names(s3, bucket)) == objects
    assert len(place.blobs()) == before + blobs
    walk(place)
    assert names(s3, bucket) == []
    s3.delete_bucket(Bucket=bucket)


def test_nothing_goes_without_a_record(place: Place, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the keyholder nothing is deleted; afterwards the same walk goes on."""
    put(s3, bucket, {"Expiration": {"Days": 1}})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    mine = LifecycleWork(place.services)

    async def fail(*_: object) -> None:
        raise KeyholderUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Keyholder, "record", fail)
        with pytest.raises(KeyholderUnavailable):
            place.run(mine.run(time.time() + LATER))
    assert names(s3, bucket) == ["k"]
    place.run(mine.run(time.time() + LATER))
    assert names(s3, bucket) == []


def test_a_walk_goes_on_in_turns(place: Place, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other timed work has its turn in between; a node that has lost its turn does nothing more."""
    monkeypatch.setattr(due, "PAGE", 2)
    one, other = place.bucket("turns"), place.bucket("turns")
    for bucket in (one, other):
        put(s3, bucket, {"Expiration": {"Days": 1}})
        for number in range(5):
            s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")
    now, ticks = time.time() + LATER, itertools.count(0, work._LONGEST_TURN)  # each turn has room for one step
    mine = LifecycleWork(place.services, lambda: float(next(ticks)) / 2)
    for _ in range(10):
        place.run(mine.run(now, lambda: False))
    assert len(names(s3, one)) == 5
    left = []
    for _ in range(20):
        place.run(mine.run(now))
        left.append(len(names(s3, one)) + len(names(s3, other)))
    assert sorted(left, reverse=True) == left
    assert len(set(left)) > 4
    assert left[-1] == 0


def test_there_is_one_walk_a_day(place: Place, s3: Any, bucket: str) -> None:
    """What comes due after a walk waits for the next midnight; a time that goes back begins no walk."""
    put(s3, bucket, {"Expiration": {"Days": 1}})
    mine, midnight = LifecycleWork(place.services), (time.time() // DAY + 10) * DAY
    place.run(mine.run(midnight))
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for now in (midnight + DAY - 1, midnight - DAY, 0.0):
        place.run(mine.run(now))
        assert names(s3, bucket) == ["k"]
    place.run(mine.run(midnight + DAY))
    assert names(s3, bucket) == []


def test_a_damaged_bucket_does_not_stop_the_others(
    place: Place, s3: Any, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Rules that cannot be read, and tags that cannot: the walk says so and goes on."""
    rules, tags = place.bucket("a-damaged"), place.bucket("a-damaged")
    for name in (rules, tags, bucket):
        put(s3, name, {"Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Expiration": {"Days": 1}})
        s3.put_object(Bucket=name, Key="k", Body=b"x", Tagging="a=b")
    place.sql("UPDATE bucket_settings SET document = '{' WHERE name = 'lifecycle' AND bucket = :name", name=rules)
    place.sql("UPDATE objects SET tags = '{' WHERE bucket = :name", name=tags)
    walk(place)
    assert [name for name in (rules, tags) if f"the lifecycle rules of {name} failed" in caplog.text] == [rules, tags]
    assert names(s3, bucket) == []


def test_a_key_has_no_dependents_after_its_objects_have_ended(place: Place, s3: Any, bucket: str) -> None:
    """The ledger counts what is left: nothing."""
    key = place.new_key()
    put(s3, bucket, {"Expiration": {"Days": 1}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}})
    sealed = {"Bucket": bucket, "Key": "k", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    s3.put_object(**sealed, Body=b"x")
    s3.create_multipart_upload(**sealed)
    assert place.run(place.services.store.read(dependents.has_any, key, ()))
    walk(place)
    assert not place.run(place.services.store.read(dependents.has_any, key, ()))
