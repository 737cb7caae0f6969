"""What depends on a KMS key: exact numbers, in pages, from an index."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, text

from fuin import ids
from fuin.store.engine.prepared import PreparedSelect
from fuin.store.s3 import (
    buckets,
    deletions,
    dependents,
    key_scopes,
    listing,
    objects,
    uploads,
    version_listing,
    versions,
)
from fuin.store.s3.dependents import DependentUpload, Totals
from fuin.store.s3.object_name import ObjectName
from fuin.store.store import Store
from tests.store import values
from tests.support import envelopes

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = ids.key_arn(values.ACCOUNT, values.REGION, KEY_ID)
OTHER = ids.key_arn(values.ACCOUNT, "eu-west-1", KEY_ID)
MATERIAL, OLD_MATERIAL = bytes(range(32)), bytes(range(32, 64))


WRAPPED, OLD_WRAPPED = envelopes.data_key(KEY_ID, MATERIAL), envelopes.data_key(KEY_ID, OLD_MATERIAL)


def encryption(arn: str, data_key: bytes = WRAPPED) -> str:
    """Return the JSON of an object's encryption, as the object store writes it."""
    return envelopes.encryption(arn, data_key)


def put(store: Store, key: str, arn: str, data_key: bytes = WRAPPED) -> None:
    """Put an object of ten bytes that depends on a key."""
    store.write_sync(versions.publish, replace(values.obj(key), encryption=encryption(arn, data_key)))


def keys_in_pages(store: Store, material_id: bytes | None, limit: int) -> Iterator[list[str]]:
    """Yield the keys of the objects that depend on a material, page by page."""
    after = 0
    while page := store.read_sync(dependents.list_objects, ARN, material_id, after, limit):
        yield [one.name.key for one in page]
        after = page[-1].number


def test_objects_of_a_key_are_counted_and_listed_in_pages(store: Store) -> None:
    """Those of the same key in another Region do not count; pages are in the order of writing."""
    for number in range(5):
        put(store, f"key-{number}", ARN)
    put(store, "elsewhere", OTHER)
    assert store.read_sync(dependents.count, ARN) == Totals(5, 50)
    assert store.read_sync(dependents.count, OTHER) == Totals(1, 10)
    assert list(keys_in_pages(store, MATERIAL, 3)) == [["key-0", "key-1", "key-2"], ["key-3", "key-4"]]
    [first, *_] = store.read_sync(dependents.list_objects, ARN, MATERIAL)
    assert (first.name, first.is_current, first.size) == (ObjectName("bucket", "key-0", "null"), True, 10)


def test_each_key_material_has_its_own_numbers(store: Store) -> None:
    """Objects of an older material, and those whose data key names none, are counted and listed apart."""
    put(store, "new", ARN)
    put(store, "old", ARN, OLD_WRAPPED)
    put(store, "older", ARN, OLD_WRAPPED)
    put(store, "foreign", ARN, b"not a ciphertext blob")
    upload = replace(values.upload(), encryption=encryption(ARN, OLD_WRAPPED))
    store.write_sync(uploads.insert_upload, upload)
    store.write_sync(uploads.put_part, "upload", values.part())
    assert store.read_sync(dependents.count_by_material, ARN) == {
        MATERIAL: Totals(1, 10), OLD_MATERIAL: Totals(2, 20, uploads=1, upload_bytes=10), None: Totals(1, 10),
    }  # fmt: skip
    total = store.read_sync(dependents.count, ARN)
    assert (total, total.bytes) == (Totals(4, 40, uploads=1, upload_bytes=10), 50)
    assert [list(keys_in_pages(store, one, 1)) for one in (MATERIAL, OLD_MATERIAL, None)] == [
        [["new"]], [["old"], ["older"]], [["foreign"]],
    ]  # fmt: skip


def test_older_versions_are_counted_apart(store: Store) -> None:
    """A version that is not the current one depends on the key all the same."""
    put(store, "a", ARN)
    put(store, "b", ARN)
    store.write_sync(deletions.delete_object, ObjectName("bucket", "a"), versions.ENABLED, 6.5)
    total = store.read_sync(dependents.count, ARN)
    assert (total, total.bytes) == (Totals(1, 10, 1, 10), 20)
    found = store.read_sync(dependents.list_objects, ARN, MATERIAL)
    assert [(one.name.key, one.is_current) for one in found] == [("a", False), ("b", True)]


def test_anything_that_depends_is_found(store: Store) -> None:
    """An object, an upload, or a bucket whose default names the key or an alias; nothing else."""
    alias = f"arn:aws:kms:{values.REGION}:{values.ACCOUNT}:alias/mine"

    def is_found() -> bool:
        return store.read_sync(dependents.has_any, ARN, [ARN, alias])

    put(store, "elsewhere", OTHER)
    assert not is_found()
    put(store, "a", ARN)
    assert is_found()
    store.write_sync(deletions.delete_object, ObjectName("bucket", "a"), None, 6.5)
    assert not is_found()
    store.write_sync(uploads.insert_upload, replace(values.upload(), encryption=encryption(ARN)))
    assert is_found()
    store.write_sync(uploads.abort_upload, "upload", ObjectName("bucket", "key"))
    assert not is_found()
    for key in (KEY_ID, "alias/mine"):
        default = msgspec.json.encode({"algorithm": "aws:kms", "key": key}).decode()
        store.write_sync(buckets.set_encryption, "bucket", default)
        assert is_found()
        store.write_sync(buckets.set_encryption, "bucket", None)
        assert not is_found()


def test_what_is_replaced_or_removed_no_longer_depends(store: Store) -> None:
    """An object under another key takes the place of one; a removed one is gone at once."""
    put(store, "a", ARN)
    put(store, "b", ARN)
    put(store, "a", OTHER)
    store.write_sync(deletions.delete_object, ObjectName("bucket", "b"), None, 6.5)
    assert store.read_sync(dependents.count, ARN) == Totals()
    assert store.read_sync(dependents.list_objects, ARN, MATERIAL) == []
    assert store.read_sync(dependents.count, OTHER).objects == 1


def test_an_upload_depends_until_it_ends(store: Store) -> None:
    """While parts come, it counts with their bytes; completed, it is an object with the same key."""
    upload = replace(values.upload(), encryption=encryption(ARN))
    store.write_sync(uploads.insert_upload, upload)
    assert store.read_sync(dependents.count, ARN) == Totals(uploads=1)
    parts = [values.part(number) for number in (1, 2)]
    for part in parts:
        store.write_sync(uploads.put_part, "upload", part)
    assert store.read_sync(dependents.count, ARN) == Totals(uploads=1, upload_bytes=20)
    found = store.read_sync(dependents.list_uploads, ARN)
    assert found == [DependentUpload("upload", ObjectName("bucket", "key"), MATERIAL)]
    obj = replace(values.obj("key", *parts), encryption=upload.encryption)
    store.write_sync(uploads.complete_upload, "upload", obj)
    assert store.read_sync(dependents.count, ARN) == Totals(1, 20)


@pytest.mark.parametrize("data_key", [b"", b"not a ciphertext blob"])
def test_an_unknown_envelope_names_no_material(store: Store, data_key: bytes) -> None:
    """The key itself is known all the same."""
    store.write_sync(versions.publish, replace(values.obj(), encryption=encryption(ARN, data_key)))
    assert [one.name.key for one in store.read_sync(dependents.list_objects, ARN, None)] == ["key"]


@pytest.mark.parametrize(
    ("key", "arn"),
    [
        (KEY_ID, ARN),
        (ARN, ARN),
        ("alias/mine", f"arn:aws:kms:{values.REGION}:{values.ACCOUNT}:alias/mine"),
        (None, f"arn:aws:kms:{values.REGION}:{values.ACCOUNT}:alias/aws/s3"),
    ],
)
def test_a_bucket_depends_on_the_key_of_its_default(store: Store, key: str | None, arn: str) -> None:
    """Put with the bucket or later, by id, ARN or alias; without the default it depends on nothing."""
    default = msgspec.json.encode({"algorithm": "aws:kms", "key": key, "bucket_key": False}).decode()
    store.write_sync(buckets.insert_bucket, replace(values.bucket("born"), encryption=default))
    store.write_sync(buckets.set_encryption, "bucket", default)
    assert store.read_sync(dependents.list_buckets, [OTHER, arn]) == ["born", "bucket"]
    assert store.read_sync(dependents.count_buckets, [OTHER, arn]) == 2
    store.write_sync(buckets.set_encryption, "bucket", None)
    assert store.read_sync(dependents.list_buckets, [arn]) == ["born"]
    assert store.read_sync(dependents.count_buckets, [OTHER]) == 0


def _plan(conn: Connection, statement: Any) -> str:
    compiled = str(statement.compile(dialect=conn.dialect))
    some = "(VALUES ('x', 1))" if statement is deletions._WITH_IDS else "('x', 'y')"
    written = re.sub(r"\(__\[POSTCOMPILE_\w+\]\)", some, compiled).replace("?", "'x'")
    return " ".join(row[3] for row in conn.execute(text(f"EXPLAIN QUERY PLAN {written}")))


@pytest.mark.sqlite_only("the plan of a query is its text")
@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (dependents._OBJECTS, "COVERING INDEX objects_by_kms_key (kms_key_arn=?)"),
        (dependents._ANY, "COVERING INDEX objects_by_kms_key (kms_key_arn=?)"),
        (dependents._PAGE, "INDEX objects_by_kms_key (kms_key_arn=? AND kms_material_id=? AND id>?)"),
        (dependents._PAGE_WITHOUT_MATERIAL, "objects_by_kms_key (kms_key_arn=? AND kms_material_id=? AND id>?)"),
        (dependents._UPLOADS, "INDEX uploads_by_kms_key (kms_key_arn=?)"),
        (dependents._UPLOADED, "INDEX uploads_by_kms_key (kms_key_arn=?)"),
        (dependents._UPLOAD_PAGE, "INDEX uploads_by_kms_key (kms_key_arn=? AND upload_id>?)"),
        (dependents._BUCKETS, "INDEX buckets_by_kms_key (kms_key_arn=?)"),
        (dependents._BUCKET_COUNT, "INDEX buckets_by_kms_key (kms_key_arn=?)"),
        (objects._FIND._newest, "INDEX objects_by_key (bucket=? AND key=?)"),
        (objects._FIND_WITH_PART._newest, "INDEX objects_by_key (bucket=? AND key=?)"),
        (objects._FIND_WITH_PART._newest, "SEARCH object_parts USING PRIMARY KEY (object=?)"),
        (objects._PARTS, "SEARCH object_parts USING PRIMARY KEY (object=?)"),
        (objects._FIND._with_id, "INDEX sqlite_autoindex_objects_1 (bucket=? AND key=? AND version_order=?)"),
        (objects._FIND._null[0], "INDEX sqlite_autoindex_objects_1 (bucket=? AND key=? AND version_order=?)"),
        (objects._FIND._null[1], "INDEX objects_of_suspended (bucket=? AND key=?)"),
        (versions._LOCK._newest, "INDEX objects_by_key (bucket=? AND key=?)"),
        (deletions._NEWEST, "INDEX objects_by_key (bucket=? AND key=?)"),
        (deletions._WITH_IDS, "INDEX sqlite_autoindex_objects_1 (bucket=? AND key=? AND version_order=?)"),
        (deletions._NULL[0], "INDEX sqlite_autoindex_objects_1 (bucket=? AND key=? AND version_order=?)"),
        (deletions._NULL[1], "INDEX objects_of_suspended (bucket=? AND key=?)"),
        (deletions._FIRST, "INDEX sqlite_autoindex_objects_1 (bucket=? AND key=?)"),
        (listing._ROWS, "INDEX objects_by_key (bucket=? AND key>? AND key<?)"),
        (key_scopes._ALL, "INDEX sqlite_autoindex_objects_1 (bucket=? AND (key,version_order)>(?,?) AND key<?)"),
        (key_scopes._CURRENT, "INDEX objects_by_key (bucket=? AND key>? AND key<?)"),
        (version_listing._ROWS, "INDEX sqlite_autoindex_objects_1 (bucket=? AND (key,version_order)>(?,?) AND key<?)"),
    ],
)
def test_every_question_has_its_index(store: Store, statement: Any, index: str) -> None:
    """The database seeks in the index, and neither scans a table nor sorts, but for the uploads under way: few."""
    statement = statement._statement if isinstance(statement, PreparedSelect) else statement
    plan = store.read_sync(_plan, statement)
    assert index in plan
    if "p_keys" not in statement.compile().params:  # a list has at most 500 keys, whose rows are sorted
        assert "SCAN" not in plan.removeprefix("SCAN CONSTANT ROW")  # of a question without a table of its own
        assert "TEMP B-TREE" not in plan or statement in (dependents._UPLOADS, dependents._UPLOADED)
