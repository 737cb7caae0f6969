"""What depends on a KMS key: exact numbers, in pages, from an index."""

import os
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, text

from fuin import ids
from fuin.formats import blob
from fuin.store.s3 import buckets, deletions, dependents, listing, objects, uploads, version_listing, versions
from fuin.store.s3.dependents import DependentUpload, Totals
from fuin.store.s3.object_name import ObjectName
from fuin.store.store import Store
from tests.store import values

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = ids.key_arn(values.ACCOUNT, values.REGION, KEY_ID)
OTHER = ids.key_arn(values.ACCOUNT, "eu-west-1", KEY_ID)
MATERIAL = bytes(range(32))
WRAPPED = blob.encode(blob.ParsedBlob(KEY_ID, MATERIAL, os.urandom(32), os.urandom(32), b"sealed", os.urandom(16)))


def encryption(arn: str, data_key: bytes = WRAPPED, algorithm: str = "aws:kms") -> str:
    """Return the JSON of an object's encryption, as the object store writes it."""
    return msgspec.json.encode({"algorithm": algorithm, "key": arn, "context": {}, "blob": data_key}).decode()


def put(store: Store, key: str, arn: str) -> None:
    """Put an object of ten bytes that depends on a key."""
    store.write_sync(versions.publish, replace(values.obj(key), encryption=encryption(arn)))


def test_objects_of_a_key_are_counted_and_listed_in_pages(store: Store) -> None:
    """Those of the same key in another Region do not count; pages are in the order of writing."""
    for number in range(5):
        put(store, f"key-{number}", ARN)
    put(store, "elsewhere", OTHER)
    assert store.read_sync(dependents.count, ARN) == Totals(5, 50, 0, 0)
    assert store.read_sync(dependents.count, OTHER) == Totals(1, 10, 0, 0)
    first = store.read_sync(dependents.list_objects, ARN, limit=3)
    rest = store.read_sync(dependents.list_objects, ARN, first[-1].number, 3)
    assert [one.name for one in (*first, *rest)] == [ObjectName("bucket", f"key-{n}", "null") for n in range(5)]
    assert {(one.size, one.material_id) for one in first} == {(10, MATERIAL)}


def test_what_is_replaced_or_removed_no_longer_depends(store: Store) -> None:
    """An object under another key takes the place of one; a removed one is gone at once."""
    put(store, "a", ARN)
    put(store, "b", ARN)
    put(store, "a", OTHER)
    store.write_sync(deletions.delete_object, ObjectName("bucket", "b"), None, 6.5)
    assert store.read_sync(dependents.count, ARN) == Totals(0, 0, 0, 0)
    assert store.read_sync(dependents.list_objects, ARN) == []
    assert store.read_sync(dependents.count, OTHER).objects == 1


def test_an_upload_depends_until_it_ends(store: Store) -> None:
    """While parts come, it counts with their bytes; completed, it is an object with the same key."""
    upload = replace(values.upload(), encryption=encryption(ARN))
    store.write_sync(uploads.insert_upload, upload)
    assert store.read_sync(dependents.count, ARN) == Totals(0, 0, 1, 0)
    parts = [values.part(number) for number in (1, 2)]
    for part in parts:
        store.write_sync(uploads.put_part, "upload", part)
    assert store.read_sync(dependents.count, ARN) == Totals(0, 0, 1, 20)
    assert store.read_sync(dependents.list_uploads, ARN) == [DependentUpload("upload", ObjectName("bucket", "key"))]
    obj = replace(values.obj("key", *parts), encryption=upload.encryption)
    store.write_sync(uploads.complete_upload, "upload", obj)
    assert store.read_sync(dependents.count, ARN) == Totals(1, 20, 0, 0)


@pytest.mark.parametrize("data_key", [b"", b"not a ciphertext blob"])
def test_an_unknown_envelope_names_no_material(store: Store, data_key: bytes) -> None:
    """The key itself is known all the same."""
    store.write_sync(versions.publish, replace(values.obj(), encryption=encryption(ARN, data_key)))
    assert [(one.name.key, one.material_id) for one in store.read_sync(dependents.list_objects, ARN)] == [("key", None)]


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
    assert store.read_sync(dependents.list_buckets, arn) == ["born", "bucket"]
    store.write_sync(buckets.set_encryption, "bucket", None)
    assert store.read_sync(dependents.list_buckets, arn) == ["born"]


def _plan(conn: Connection, statement: Any) -> str:
    keys: list[object] = [("x", 1)] if statement is deletions._WITH_IDS else ["x"]
    given = {name: keys if name == "p_keys" else "x" for name in statement.compile().params}
    compiled = statement.params(given).compile(dialect=conn.dialect, compile_kwargs={"render_postcompile": True})
    written = str(compiled).replace("?", "'x'")
    return " ".join(row[3] for row in conn.execute(text(f"EXPLAIN QUERY PLAN {written}")))


@pytest.mark.sqlite_only("the plan of a query is its text")
@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (dependents._OBJECTS, "COVERING INDEX objects_by_kms_key (kms_key_arn=?)"),
        (dependents._PAGE, "INDEX objects_by_kms_key (kms_key_arn=? AND id>?)"),
        (dependents._UPLOADS, "INDEX uploads_by_kms_key (kms_key_arn=?)"),
        (dependents._UPLOADED, "INDEX uploads_by_kms_key (kms_key_arn=?)"),
        (dependents._UPLOAD_PAGE, "INDEX uploads_by_kms_key (kms_key_arn=? AND upload_id>?)"),
        (dependents._BUCKETS, "INDEX buckets_by_kms_key (kms_key_arn=?)"),
        (objects._FIND._newest, "INDEX objects_by_key (bucket=? AND key=?)"),
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
        (version_listing._FROM_KEY, "INDEX sqlite_autoindex_objects_1 (bucket=? AND key>? AND key<?)"),
        (version_listing._OLDER, "INDEX sqlite_autoindex_objects_1 (bucket=? AND key=? AND version_order>?)"),
    ],
)
def test_every_question_has_its_index(store: Store, statement: Any, index: str) -> None:
    """The database seeks in the index, and neither scans a table nor sorts."""
    plan = store.read_sync(_plan, statement)
    assert index in plan
    if "p_keys" not in statement.compile().params:  # a list has at most 500 keys, whose rows are sorted
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan
