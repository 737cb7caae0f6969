"""Buckets and the index of objects."""

import sqlite3
from dataclasses import replace

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from fuin.errors import StoreUnavailable
from fuin.store.errors import AlreadyExists, BucketNotEmpty, NoSuchBucket, NotFound, PreconditionFailed, RightsMoved
from fuin.store.s3 import buckets, deletions, objects, parts, uploads, versions
from fuin.store.s3.deletions import Deletion, Wanted
from fuin.store.s3.object_name import ObjectName
from fuin.store.store import Store
from tests.store import values

NAME = ObjectName("bucket", "key")


def test_bucket_is_found_changed_and_removed(store: Store) -> None:
    """Encryption and policy are set and taken back; the name is free again after the end."""
    store.change_sync(buckets.set_encryption, "bucket", '{"algorithm":"aws:kms"}')
    store.change_sync(buckets.set_policy, "bucket", "{}")
    changed = replace(values.bucket(), encryption='{"algorithm":"aws:kms"}', policy="{}")
    assert store.read_sync(buckets.find_bucket, "bucket") == changed
    store.change_sync(buckets.set_encryption, "bucket", None)
    store.change_sync(buckets.set_policy, "bucket", None)
    assert store.read_sync(buckets.list_buckets, values.ACCOUNT) == [values.bucket()]
    store.change_sync(buckets.delete_bucket, "bucket")
    store.change_sync(buckets.insert_bucket, values.bucket())


def test_bucket_name_is_taken_over_the_whole_server(store: Store) -> None:
    """Neither the owner nor anybody else can make it again."""
    with pytest.raises(AlreadyExists):
        store.change_sync(buckets.insert_bucket, replace(values.bucket(), region="eu-west-1"))
    with pytest.raises(NotFound):
        store.change_sync(buckets.insert_bucket, replace(values.bucket("other"), account="9" * 12))


def test_absent_bucket(store: Store) -> None:
    """Every change of a bucket that is not there says so."""
    for change in (
        lambda c: buckets.set_policy(c, "none", None),
        lambda c: buckets.set_encryption(c, "none", None),
        lambda c: buckets.delete_bucket(c, "none"),
        lambda c: versions.publish(c, values.obj(bucket="none")),
        lambda c: versions.publish(c, values.obj(bucket="none"), if_match="any"),
        lambda c: versions.publish(c, values.obj(bucket="none"), if_none_match="*"),
        lambda c: uploads.insert_upload(c, values.upload(bucket="none")),
    ):
        with pytest.raises(NoSuchBucket):
            store.change_sync(change)


def test_bucket_with_objects_or_uploads_stays(store: Store) -> None:
    """A bucket ends only when nothing is in it, uploads in progress included."""
    store.write_sync(versions.publish, values.obj())
    with pytest.raises(BucketNotEmpty):
        store.change_sync(buckets.delete_bucket, "bucket")
    store.write_sync(deletions.delete_object, NAME, None, 6.5)
    store.write_sync(uploads.insert_upload, values.upload())
    with pytest.raises(BucketNotEmpty):
        store.change_sync(buckets.delete_bucket, "bucket")
    store.write_sync(uploads.abort_upload, "upload", ObjectName("bucket", "key"))
    store.change_sync(buckets.delete_bucket, "bucket")


@pytest.mark.parametrize("key", ["a", "ü/鍵", "\U0010ffff", "a\x00b", " ", "a" * 1024, "../x", "\r\n"])
def test_object_is_found_as_it_was_put(store: Store, key: str) -> None:
    """Any key of UTF-8 text, with all fields and parts in order."""
    obj = values.obj(key, *(values.part(number, checksum='{"CRC32":"x"}') for number in (1, 2, 10)))
    assert store.write_sync(versions.publish, obj) == ("null", [])
    assert store.read_sync(objects.get_object, ObjectName("bucket", key)) == obj
    assert store.read_sync(objects.head_object, ObjectName("bucket", key)) == replace(obj, parts=())
    assert store.read_sync(objects.get_object, ObjectName("bucket", key + "x")) is None
    assert store.read_sync(objects.head_object, ObjectName("other", key)) is None


def test_key_that_is_not_utf_8_is_refused(store: Store) -> None:
    """A lone surrogate has no UTF-8 form; nothing is stored for it."""
    with pytest.raises(UnicodeEncodeError):
        store.write_sync(versions.publish, values.obj("\ud800"))


def test_replaced_object_gives_its_blobs_back(store: Store) -> None:
    """The second put returns the first one's blobs, and only the second is there."""
    first, second = values.obj("key", values.part(1), values.part(2)), values.obj("key", etag="second")
    store.write_sync(versions.publish, first)
    assert store.write_sync(versions.publish, second).blobs == [part.blob for part in first.parts]
    assert store.read_sync(objects.get_object, ObjectName("bucket", "key")) == second
    wanted = [part.blob for part in first.parts + second.parts]
    assert store.read_sync(parts.known_blobs, wanted) == {second.parts[0].blob}


def test_deleted_object_gives_its_blobs_back(store: Store) -> None:
    """Deletion is idempotent: the second one finds nothing and is no error."""
    obj = values.obj()
    store.write_sync(versions.publish, obj)
    assert store.write_sync(deletions.delete_object, NAME, None, 6.5).blobs == [obj.parts[0].blob]
    assert store.write_sync(deletions.delete_object, NAME, None, 6.5).blobs == []
    assert store.read_sync(objects.head_object, ObjectName("bucket", "key")) is None


def test_small_object_is_its_row(store: Store) -> None:
    """Its message is found as it was put, by a GET and not by a HEAD; replaced and deleted, it gives no blob back."""
    small = values.obj("key", values.part(content=bytes(range(256)) * 64))
    large = values.obj("key", values.part(), etag="large")
    assert store.write_sync(versions.publish, small) == ("null", [])
    assert store.read_sync(objects.get_object, NAME) == small
    assert store.read_sync(objects.get_object, NAME, 1) == small
    assert store.read_sync(objects.head_object, NAME) == replace(small, parts=())
    assert store.write_sync(versions.publish, large).blobs == []
    assert store.read_sync(objects.get_object, NAME) == large
    assert store.write_sync(versions.publish, small).blobs == [large.parts[0].blob]
    assert store.write_sync(deletions.delete_object, NAME, None, 6.5).blobs == []
    assert store.read_sync(objects.get_object, NAME) is None
    store.write_sync(versions.publish, small)
    assert store.write_sync(deletions.delete_objects, "bucket", None, 6.5, [Wanted("key", None)]).blobs == []
    assert store.read_sync(objects.get_object, NAME) is None


def test_empty_message_is_no_blob(store: Store) -> None:
    """A message without bytes is damage, but not a blob: both engines tell it from NULL."""
    obj = values.obj("key", values.part(content=b""))
    store.write_sync(versions.publish, obj)
    found = store.read_sync(objects.get_object, NAME)
    assert found is not None
    assert found.parts[0].content == b""
    assert store.write_sync(deletions.delete_object, NAME, None, 6.5).blobs == []


def test_row_is_looked_up_as_any_read_finds_it(store: Store) -> None:
    """A question of one statement has the same answer, the newest, and the same refusals."""
    obj = values.obj("key", values.part(content=b"message"))
    assert store.look_up_row(objects.get_object, NAME, 1) is None
    store.write_sync(versions.publish, obj)
    assert store.look_up_row(objects.get_object, NAME, 1) == store.look_up(objects.get_object, NAME, 1) == obj
    store.write_sync(deletions.delete_object, NAME, None, 6.5)
    assert store.look_up_row(objects.head_object, NAME) is None
    with pytest.raises(NotFound):
        store.look_up_row(_refuse)


def _refuse(_conn: Connection) -> None:
    raise NotFound("nothing")


@pytest.mark.sqlite_only("the error is SQLite's")
def test_row_of_a_database_that_cannot_be_read(store: Store) -> None:
    """A disk that fails is StoreUnavailable, as for every other read."""
    with pytest.raises(StoreUnavailable):
        store.look_up_row(_fail)


def _fail(_conn: Connection) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    raise error


@pytest.mark.parametrize(
    ("there", "none_match", "match", "error"),
    [
        (False, "*", None, None),
        (True, "*", None, PreconditionFailed),
        (True, "etag", None, PreconditionFailed),
        (True, "other", None, None),
        (True, None, "etag", None),
        (True, None, "*", None),
        (True, None, "other", PreconditionFailed),
        (False, None, "etag", NotFound),
        (False, None, "*", NotFound),
    ],
)
def test_conditions_of_a_put(
    store: Store, there: bool, none_match: str | None, match: str | None, error: type[Exception] | None
) -> None:
    """If-None-Match and If-Match are judged by the object that stands there at the commit."""
    before = values.obj()
    if there:
        store.write_sync(versions.publish, before)
    after = values.obj(etag="after")
    if error is None:
        store.write_sync(versions.publish, after, if_none_match=none_match, if_match=match)
        assert store.read_sync(objects.get_object, ObjectName("bucket", "key")) == after
        return
    with pytest.raises(error):
        store.write_sync(versions.publish, after, if_none_match=none_match, if_match=match)
    assert store.read_sync(objects.get_object, ObjectName("bucket", "key")) == (before if there else None)


def test_delete_may_ask_for_the_etag(store: Store) -> None:
    """A conditional delete of another version leaves the object."""
    store.write_sync(versions.publish, values.obj())
    with pytest.raises(PreconditionFailed):
        store.write_sync(deletions.delete_object, NAME, None, 6.5, if_match="other")
    assert store.write_sync(deletions.delete_object, NAME, None, 6.5, if_match="etag").blobs != []


def test_known_blobs_of_many(store: Store) -> None:
    """More ids than one statement takes; those of objects and of uploads are known, others are not."""
    store.write_sync(versions.publish, values.obj("key", *(values.part(n) for n in range(1, 1200))))
    store.write_sync(uploads.insert_upload, values.upload())
    extra = values.part(5)
    store.write_sync(uploads.put_part, "upload", extra)
    found = store.read_sync(objects.get_object, ObjectName("bucket", "key"))
    assert found is not None
    known = {part.blob for part in found.parts} | {extra.blob}
    assert store.read_sync(parts.known_blobs, [*known, *(f"orphan-{n}" for n in range(700))]) == known
    assert store.read_sync(parts.known_blobs, []) == set()


def test_settings_of_a_bucket_are_kept_and_end_with_it(store: Store) -> None:
    """Each has a row of its own: set, set anew, removed; a bucket that is made again has none of the old."""
    store.change_sync(buckets.set_setting, "bucket", "tagging", '{"Status":"Suspended"}')
    store.change_sync(buckets.set_setting, "bucket", "accelerate", "{}")
    store.change_sync(buckets.set_setting, "bucket", "accelerate", '{"Status":"Suspended"}')
    found = store.catalog().bucket("bucket")
    assert found is not None
    assert [name for name, _ in found.settings] == ["accelerate", "tagging"]
    assert found.setting("accelerate") == found.setting("tagging") == '{"Status":"Suspended"}'
    store.change_sync(buckets.set_setting, "bucket", "accelerate", None)
    found = store.catalog().bucket("bucket")
    assert found is not None
    assert found.setting("accelerate") is None
    store.change_sync(buckets.delete_bucket, "bucket")
    store.change_sync(buckets.insert_bucket, replace(values.bucket(), settings=(("tagging", "[]"),)))
    assert store.read_sync(buckets.find_bucket, "bucket") == replace(values.bucket(), settings=(("tagging", "[]"),))
    with pytest.raises(IntegrityError):
        store.change_sync(buckets.set_setting, "none", "tagging", "{}")


def test_deletion_of_many_removes_the_named_objects_of_one_bucket(store: Store) -> None:
    """Other keys and other buckets keep theirs, a key without an object does not matter, and all blobs come back."""
    store.change_sync(buckets.insert_bucket, values.bucket("other"))
    gone = [values.obj("a", values.part(1), values.part(2)), values.obj("\u00fc"), values.obj("z")]
    kept = [values.obj("b"), values.obj("a", bucket="other")]
    for obj in [*gone, *kept]:
        store.write_sync(versions.publish, obj)
    wanted = [Wanted(key) for key in ("z", "a", "none", "\u00fc")]
    done = store.write_sync(deletions.delete_objects, "bucket", None, 6.5, wanted)
    assert done.deletions == {one: Deletion(removed=one.key != "none") for one in wanted}
    assert sorted(done.blobs) == sorted(part.blob for obj in gone for part in obj.parts)
    assert [store.read_sync(objects.head_object, obj.name) for obj in gone] == [None] * 3
    assert all(store.read_sync(objects.head_object, obj.name) for obj in kept)
    assert store.write_sync(deletions.delete_objects, "bucket", None, 6.5, []) == ({}, [])


def test_deletion_of_many_leaves_objects_with_another_etag(store: Store) -> None:
    """Each condition is for its own key; a condition on a missing object fails."""
    for key in "abcde":
        store.write_sync(versions.publish, values.obj(key, etag=f"etag-{key}"))
    wanted = {
        "a": ["etag-a"], "b": ["etag-a"], "c": ["*"], "d": ["etag-d", "etag-a"], "e": [], "none": ["*"], "other": [],
    }  # fmt: skip
    asked = [Wanted(key, None, frozenset(etags)) for key, etags in wanted.items()]
    done = store.write_sync(deletions.delete_objects, "bucket", None, 6.5, asked)
    missing = [one.key for one, deletion in done.deletions.items() if deletion.missing]
    changed = [one.key for one, deletion in done.deletions.items() if deletion.changed]
    assert (len(done.blobs), missing, changed) == (3, ["none"], ["b", "d"])
    left = {key for key in "abcde" if store.read_sync(objects.head_object, ObjectName("bucket", key))}
    assert left == {"b", "d"}


def test_tags_are_set_and_removed(store: Store) -> None:
    """All else of the object stays; a missing object has none to set."""
    store.write_sync(versions.publish, values.obj())
    before = store.read_sync(objects.get_object, NAME)
    assert before is not None
    for kept in ('{"a":"b"}', None):
        store.write_sync(objects.set_tags, NAME, kept)
        assert store.read_sync(objects.get_object, NAME) == replace(before, labels=before.labels._replace(tags=kept))
    with pytest.raises(NotFound):
        store.write_sync(objects.set_tags, ObjectName("bucket", "none"), None)


def test_rights_that_moved_undo_the_write(store: Store) -> None:
    """A function that finds in its transaction that its right is gone writes nothing."""
    store.write_sync(versions.publish, values.obj())

    def write(conn: Connection) -> None:
        objects.set_tags(conn, NAME, '{"a":"b"}')
        raise RightsMoved

    with pytest.raises(RightsMoved):
        store.write_sync(write)
    found = store.read_sync(objects.head_object, NAME)
    assert found is not None
    assert found.labels.tags is None
