"""Multipart uploads."""

from dataclasses import replace

import pytest

from fuin.store.errors import InvalidPart, NoSuchUpload, PreconditionFailed
from fuin.store.s3 import objects, parts, uploads, versions
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.objects import Object
from fuin.store.s3.parts import Part
from fuin.store.store import Store
from tests.store import values


@pytest.fixture
def started(store: Store) -> Store:
    """Return a store with one upload in progress."""
    store.write_sync(uploads.insert_upload, values.upload())
    return store


def _put(store: Store, *numbers: int) -> list[Part]:
    made = [values.part(number) for number in numbers]
    for part in made:
        store.write_sync(uploads.put_part, "upload", part)
    return made


def _whole(chosen: list[Part]) -> Object:
    return values.obj("key", *chosen, etag="whole-2")


def test_upload_is_found_under_its_own_name_only(started: Store) -> None:
    """An upload id with another key or bucket is no upload."""
    assert started.read_sync(uploads.find_upload, "upload", ObjectName("bucket", "key")) == values.upload()
    assert started.read_sync(uploads.find_upload, "upload", ObjectName("bucket", "other")) is None
    assert started.read_sync(uploads.find_upload, "upload", ObjectName("other", "key")) is None


def test_parts_are_listed_in_order_and_replaced(started: Store) -> None:
    """Parts may come in any order; a part sent again takes the place of the first, whose blob is given back."""
    third, first, second = _put(started, 3, 1, 2)
    assert started.read_sync(uploads.list_parts, "upload") == [first, second, third]
    assert started.read_sync(uploads.list_parts, "upload", 1, 1) == [second]
    again = values.part(2)
    assert started.write_sync(uploads.put_part, "upload", again) == [second.blob]
    assert started.read_sync(uploads.list_parts, "upload") == [first, again, third]


def test_part_of_an_absent_upload_is_refused(started: Store) -> None:
    """A part that arrives after the upload has ended is not kept."""
    started.write_sync(uploads.abort_upload, "upload", ObjectName("bucket", "key"))
    with pytest.raises(NoSuchUpload):
        started.write_sync(uploads.put_part, "upload", values.part(1))


def test_complete_makes_the_object_of_the_chosen_parts(started: Store) -> None:
    """Parts that were not chosen and the object that stood there are given back; the upload has ended."""
    old = values.obj()
    started.write_sync(versions.publish, old)
    first, second, third = _put(started, 1, 2, 3)
    done = started.write_sync(uploads.complete_upload, "upload", _whole([first, third]))
    assert set(done.blobs) == {second.blob, old.parts[0].blob}
    assert started.read_sync(objects.get_object, ObjectName("bucket", "key")) == done.object
    assert done.object == replace(_whole([first, third]), upload_id="upload", part_count=2)
    assert started.read_sync(uploads.find_upload, "upload", ObjectName("bucket", "key")) is None
    assert started.read_sync(uploads.list_parts, "upload") == []
    wanted = [part.blob for part in (first, second, third)]
    assert started.read_sync(parts.known_blobs, wanted) == {first.blob, third.blob}


def test_completing_again_loses_nothing(started: Store) -> None:
    """A client that lost the answer and asks again gets the same object, and no blob of it is given back."""
    chosen = _put(started, 1, 2)
    done = started.write_sync(uploads.complete_upload, "upload", _whole(chosen))
    again = started.write_sync(uploads.complete_upload, "upload", replace(_whole(chosen), etag="another-2"))
    assert again == uploads.Completion(done.object, ())
    assert started.read_sync(objects.get_object, ObjectName("bucket", "key")) == done.object
    assert started.read_sync(uploads.find_completed, "upload", ObjectName("bucket", "key")) == done.object


def test_completing_again_after_an_overwrite_is_refused(started: Store) -> None:
    """The retry does not bring the old object back."""
    chosen = _put(started, 1, 2)
    started.write_sync(uploads.complete_upload, "upload", _whole(chosen))
    newer = values.obj("key", etag="newer")
    started.write_sync(versions.publish, newer)
    with pytest.raises(NoSuchUpload):
        started.write_sync(uploads.complete_upload, "upload", _whole(chosen))
    assert started.read_sync(objects.get_object, ObjectName("bucket", "key")) == newer


def test_complete_with_a_replaced_part_is_refused(started: Store) -> None:
    """A part that was sent again between the look and the commit is not mixed in; the upload goes on."""
    first, second = _put(started, 1, 2)
    newer = values.part(2)
    started.write_sync(uploads.put_part, "upload", newer)
    with pytest.raises(InvalidPart) as refused:
        started.write_sync(uploads.complete_upload, "upload", _whole([first, second]))
    assert refused.value.number == 2
    with pytest.raises(InvalidPart):
        started.write_sync(uploads.complete_upload, "upload", _whole([first, values.part(3)]))
    assert started.read_sync(uploads.list_parts, "upload") == [first, newer]


def test_complete_with_a_condition_that_fails_keeps_the_upload(started: Store) -> None:
    """If-None-Match on an object that stands there: nothing changes, parts stay, abort frees them."""
    started.write_sync(versions.publish, values.obj())
    chosen = _put(started, 1, 2)
    with pytest.raises(PreconditionFailed):
        started.write_sync(uploads.complete_upload, "upload", _whole(chosen), if_none_match="*")
    assert started.read_sync(uploads.list_parts, "upload") == chosen
    freed = started.write_sync(uploads.abort_upload, "upload", ObjectName("bucket", "key"))
    assert sorted(freed) == sorted(part.blob for part in chosen)


def test_abort_of_an_absent_upload_is_refused(started: Store) -> None:
    """Aborting twice, or under another key, is NoSuchUpload."""
    with pytest.raises(NoSuchUpload):
        started.write_sync(uploads.abort_upload, "upload", ObjectName("bucket", "other"))
    started.write_sync(uploads.abort_upload, "upload", ObjectName("bucket", "key"))
    with pytest.raises(NoSuchUpload):
        started.write_sync(uploads.abort_upload, "upload", ObjectName("bucket", "key"))


def test_uploads_are_listed_by_key_and_id(store: Store) -> None:
    """Pages by key and upload id, within a prefix."""
    made = [values.upload(f"id-{n}", key) for n, key in enumerate(("a", "b/1", "b/1", "b/2", "c"))]
    for upload in reversed(made):
        store.write_sync(uploads.insert_upload, upload)
    assert store.read_sync(uploads.list_uploads, "bucket", "", "", "", 10) == made
    assert store.read_sync(uploads.list_uploads, "bucket", "b/", "", "", 10) == made[1:4]
    assert store.read_sync(uploads.list_uploads, "bucket", "", "b/1", "id-1", 2) == made[2:4]
    assert store.read_sync(uploads.list_uploads, "bucket", "", "b/1", "\U0010ffff", 10) == made[3:]
