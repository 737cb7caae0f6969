"""Re-wraps in the index, and what the ledger says below a prefix, on both engines."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from fuin import ids
from fuin.store.errors import ObjectLocked, ObjectReplaced
from fuin.store.s3 import dependents, key_scopes, object_lock, objects, rewraps, uploads, versions
from fuin.store.s3.key_scopes import Count, StoredVersion
from fuin.store.s3.key_use import KeyUse, rewrapped_header
from fuin.store.s3.object_lock import ObjectLock
from fuin.store.s3.object_name import ObjectName
from fuin.store.store import Store
from tests.store import values
from tests.support import envelopes

KEY_ID, OTHER_ID = "1234abcd-12ab-34cd-56ef-1234567890ab", "9999abcd-12ab-34cd-56ef-1234567890ab"
ARN, OTHER = (ids.key_arn(values.ACCOUNT, values.REGION, key_id) for key_id in (KEY_ID, OTHER_ID))
MATERIAL, OTHER_MATERIAL = bytes(range(32)), bytes(range(32, 64))
NAME = ObjectName("bucket", "key")


def old() -> str:
    """Return an encryption under the key that objects have at first."""
    return envelopes.encryption(ARN, envelopes.data_key(KEY_ID, MATERIAL))


NEW = envelopes.encryption(OTHER, envelopes.data_key(OTHER_ID, OTHER_MATERIAL))


def put(store: Store, key: str = "key", encryption: str | None = None, versioning: str | None = None) -> str:
    """Put an object; returns its encryption."""
    chosen = encryption or old()
    obj = values.obj(key, values.part(1), values.part(2))
    store.write_sync(versions.publish, replace(obj, encryption=chosen), versioning)
    return chosen


def test_one_row_changes_and_nothing_else(store: Store) -> None:
    """The encryption and the columns of the ledger; not the ETag, dates, labels, parts, nor another object."""
    kept = put(store)
    put(store, "other")
    before = store.read_sync(objects.get_object, NAME)
    assert store.write_sync(rewraps.rewrap, NAME, kept, NEW, 100.0) == "null"
    after = store.read_sync(objects.get_object, NAME)
    assert before is not None
    assert after == replace(before, encryption=NEW)
    assert store.read_sync(dependents.count, ARN).objects == 1
    by_material = store.read_sync(dependents.count_by_material, OTHER)
    assert [(material, totals.objects) for material, totals in by_material.items()] == [(OTHER_MATERIAL, 1)]
    assert [one.name.key for one in store.read_sync(dependents.list_objects, OTHER, OTHER_MATERIAL)] == ["key"]


@pytest.mark.parametrize("version", [None, "null", "0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
def test_what_was_replaced_is_left_alone(store: Store, version: str | None) -> None:
    """Another object under the name, a delete marker, none, or a version that never was."""
    name = NAME._replace(version=version)
    with pytest.raises(ObjectReplaced):
        store.write_sync(rewraps.rewrap, name, old(), NEW, 100.0)
    kept = put(store)
    put(store)
    with pytest.raises(ObjectReplaced):
        store.write_sync(rewraps.rewrap, name, kept, NEW, 100.0)
    assert store.read_sync(dependents.count, ARN).objects == 1


def test_a_version_is_changed_by_its_id(store: Store) -> None:
    """The older one, while the newest one stays."""
    first, second = (put(store, versioning=versions.ENABLED) for _ in range(2))
    listed = store.read_sync(key_scopes.list_versions, "bucket", "", None, 10, all_versions=True)
    newest, older = (one.name for one in listed)
    assert store.write_sync(rewraps.rewrap, older, first, NEW, 100.0) == older.version
    found = [store.read_sync(objects.head_object, name) for name in (newest, older)]
    assert [one and one.encryption for one in found] == [second, NEW]


@pytest.mark.parametrize(
    ("lock", "refused"),
    [
        (ObjectLock(hold="ON"), True), (ObjectLock(hold="OFF"), False),
        (ObjectLock(mode="GOVERNANCE", until=101.0), True), (ObjectLock(mode="COMPLIANCE", until=101.0), True),
        (ObjectLock(mode="COMPLIANCE", until=99.0), False),
    ],
)  # fmt: skip
def test_locked_versions(store: Store, lock: ObjectLock, refused: bool) -> None:
    """They stay as they are; None as the time means that locks do not matter."""
    kept = put(store)
    store.write_sync(objects.set_lock, NAME, lambda _: lock)
    if refused:
        with pytest.raises(ObjectLocked):
            store.write_sync(rewraps.rewrap, NAME, kept, NEW, 100.0)
        store.write_sync(rewraps.rewrap, NAME, kept, NEW, None)
    else:
        store.write_sync(rewraps.rewrap, NAME, kept, NEW, 100.0)
    found = store.read_sync(objects.head_object, NAME)
    assert found is not None
    assert (found.encryption, object_lock.parse_column(found.labels.object_lock)) == (NEW, lock)


def test_ledger_below_a_prefix(store: Store) -> None:
    """Counts by key, material and whether it is current; pages in the order of keys; uploads; no delete markers."""
    for key in ("a/1", "a/2", "b/1"):
        put(store, key)
    put(store, "a/2", NEW, versions.ENABLED)
    store.write_sync(_mark, "a/3")
    begun = replace(values.upload("up", "a/u"), encryption=old())
    store.write_sync(uploads.insert_upload, begun)
    use, new = KeyUse("aws:kms", ARN, MATERIAL), KeyUse("aws:kms", OTHER, OTHER_MATERIAL)
    assert set(store.read_sync(key_scopes.count_versions, "bucket", "a/")) == {
        Count(use, True, 1, 20), Count(use, False, 1, 20), Count(new, True, 1, 20),
    }  # fmt: skip
    assert store.read_sync(key_scopes.count_uploads, "bucket", "a/") == [(use, 1)]
    assert store.read_sync(key_scopes.count_uploads, "bucket", "b") == []
    found: list[StoredVersion] = []
    while page := store.read_sync(
        key_scopes.list_versions, "bucket", "a/", found[-1].place if found else None, 1, all_versions=True
    ):
        found += page
    assert [(one.name.key, one.is_current, one.use) for one in found] == [
        ("a/1", True, use), ("a/2", True, new), ("a/2", False, use),
    ]  # fmt: skip
    current = store.read_sync(key_scopes.list_versions, "bucket", "", None, 10, all_versions=False)
    assert [one.name.key for one in current] == ["a/1", "a/2", "b/1"]
    assert store.read_sync(key_scopes.list_buckets) == ["bucket"]
    assert store.read_sync(key_scopes.list_keys_of_material, MATERIAL) == []


def _mark(conn: Connection, key: str) -> None:
    """Make a delete marker's row of an object."""
    conn.execute(
        text(
            "INSERT INTO objects (bucket, key, version_id, version_order, is_current, is_delete_marker, etag, size, "
            "modified, headers, metadata, encryption, part_count) "
            "VALUES ('bucket', :key, 'null', 0, 1, 1, '', 0, 1.0, '', '', '', 0)"
        ),
        {"key": key.encode()},
    )


def test_digest_of_a_header_that_stays() -> None:
    """None unless the object was re-wrapped."""
    assert rewrapped_header(old()) is None
    assert rewrapped_header(old().replace("{", '{"header":"YWJj",', 1)) == b"abc"
