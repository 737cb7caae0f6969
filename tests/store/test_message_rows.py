"""The rows of stored messages, page by page, on both engines."""

from dataclasses import replace

import pytest

from fuin.store.s3 import buckets, message_rows, uploads, versions
from fuin.store.s3.message_rows import Mark, Owner
from fuin.store.s3.object_name import ObjectName
from fuin.store.store import Store
from tests.store import values

KEYS = ["a", "a/b", "b", "ä", "b", "b"]


@pytest.fixture
def filled(store: Store) -> Store:
    """Give a store with versions of one and of three parts, a delete marker, and uploads."""
    for key in KEYS:
        parts = [values.part(number) for number in ((1, 2, 3) if key == "a" else (1,))]
        store.write_sync(versions.publish, replace(values.obj(key, *parts), modified=len(key)), "Enabled")
    store.write_sync(versions.publish, values.obj("other", bucket=_other(store)))
    for number, key in enumerate(["b", "b", "a"]):
        store.write_sync(uploads.insert_upload, values.upload(f"up-{number}", key))
        for part in range(number):
            store.write_sync(uploads.put_part, f"up-{number}", values.part(part + 1))
    return store


def _other(store: Store) -> str:
    store.write_sync(buckets.insert_bucket, values.bucket("another"))
    return "another"


def walk(store: Store, prefix: str = "", *, of_uploads: bool = False) -> list[Owner]:
    """Return all owners of the bucket, over all pages."""
    read = message_rows.page_of_uploads if of_uploads else message_rows.page_of_versions
    found, after = list[Owner](), Mark()
    while True:
        page = store.read_sync(read, "bucket", prefix, after)
        found += page.owners
        if page.after is None:
            return found
        assert page.owners, "a page has an owner"
        *others, last = [len(one.parts) for one in page.owners]
        at_once = sum(others) if of_uploads else sum(others) + last
        assert at_once <= message_rows._PARTS or not others, "the memory of a page is bounded"
        after = page.after


@pytest.mark.parametrize(("owners", "parts"), [(500, 2000), (1, 2000), (2, 1), (500, 1), (500, 4)])
def test_each_owner_once_in_order(filled: Store, owners: int, parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the pages are; each with all its parts, in their order."""
    monkeypatch.setattr(message_rows, "_OWNERS", owners)
    monkeypatch.setattr(message_rows, "_PARTS", parts)
    found = walk(filled)
    assert [one.name.key for one in found] == ["a", "a/b", "b", "b", "b", "ä"]
    assert len({one.name for one in found}) == len(KEYS)
    assert [[part.number for part in one.parts] for one in found] == [[1, 2, 3], [1], [1], [1], [1], [1]]
    assert [one.whole.part_count if one.whole else 0 for one in found] == [3, 1, 1, 1, 1, 1]
    assert [one.name.key for one in walk(filled, "a")] == ["a", "a/b"]
    begun = walk(filled, of_uploads=True)
    assert [(one.name.key, one.upload_id, len(one.parts)) for one in begun] == [
        ("a", "up-2", 2), ("b", "up-0", 0), ("b", "up-1", 1),
    ]  # fmt: skip
    assert [one.upload_id for one in walk(filled, "b", of_uploads=True)] == ["up-0", "up-1"]


def test_an_owner_as_it_is_now(filled: Store) -> None:
    """The same rows are found by its name; None for one that is gone, and for a name with a delete marker."""
    for owner in (*walk(filled), *walk(filled, of_uploads=True)):
        assert filled.read_sync(message_rows.find_owner, owner) == owner
    first = walk(filled)[0]
    gone = replace(first, name=ObjectName("bucket", "a", values.obj().name.version))
    assert filled.read_sync(message_rows.find_owner, gone) is None
    upload = walk(filled, of_uploads=True)[0]
    assert filled.read_sync(message_rows.find_owner, replace(upload, upload_id="up-9")) is None


def test_the_bytes_of_a_scope(filled: Store) -> None:
    """Those of versions and of uploads together, for a progress bar."""
    assert filled.read_sync(message_rows.stored_bytes, "bucket", "") == 200 * (8 + 3)
    assert filled.read_sync(message_rows.stored_bytes, "bucket", "a") == 200 * (4 + 2)
    assert filled.read_sync(message_rows.stored_bytes, "nobodys", "") == 0
