"""The labels of objects and uploads: each field is stored, and read, by its own name."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Column, Connection, select

from fuin.store.engine import schema
from fuin.store.s3 import objects, uploads, versions
from fuin.store.s3.labels import Labels
from fuin.store.s3.listing import list_objects
from fuin.store.s3.object_name import ObjectName
from fuin.store.store import Store
from tests.store import values

NAME = ObjectName("bucket", "key")
FILLED = Labels(*(f"the value of {field}" for field in Labels._fields))  # each field has a value of its own


def test_every_label_of_an_object_is_stored(store: Store) -> None:
    """Whether it is read with its parts or without them; a later object has labels of its own."""
    store.write_sync(versions.publish, replace(values.obj(), labels=FILLED), versions.ENABLED)
    for read in (objects.get_object, objects.head_object):
        found = store.read_sync(read, NAME)
        assert found is not None
        assert found.labels == FILLED
    later = FILLED._replace(**{field: f"another value of {field}" for field in Labels._fields})
    store.write_sync(versions.publish, replace(values.obj(), labels=later), versions.ENABLED)
    found = store.read_sync(objects.head_object, NAME)
    assert found is not None
    assert found.labels == later


def test_every_label_of_an_upload_is_stored(store: Store) -> None:
    """Whether the upload is found by its id or in the list."""
    upload = replace(values.upload(), labels=FILLED)
    store.write_sync(uploads.insert_upload, upload)
    assert store.read_sync(uploads.find_upload, "upload", NAME) == upload
    assert store.read_sync(uploads.list_uploads, "bucket", "", "", "", 10) == [upload]


def test_every_label_reaches_the_object_of_an_upload(store: Store) -> None:
    """The completion and its repetition give the object with the labels that are in the index."""
    store.write_sync(uploads.insert_upload, replace(values.upload(), labels=FILLED))
    part = values.part()
    store.write_sync(uploads.put_part, "upload", part)
    whole = replace(values.obj("key", part), labels=FILLED)
    for _ in range(2):
        assert store.write_sync(uploads.complete_upload, "upload", whole).object.labels == FILLED
    found = store.read_sync(objects.get_object, NAME)
    assert found is not None
    assert found.labels == FILLED


def _column(conn: Connection, column: Column[Any]) -> list[Any]:
    return list(conn.execute(select(column)).scalars())


@pytest.mark.parametrize("field", Labels._fields)
def test_a_label_is_in_the_column_of_its_name(store: Store, field: str) -> None:
    """So a row of an earlier Fuin, and one of a later Fuin, has the same labels."""
    store.write_sync(versions.publish, replace(values.obj(), labels=FILLED), versions.ENABLED)
    store.write_sync(uploads.insert_upload, replace(values.upload(), labels=FILLED))
    for table in (schema.objects, schema.uploads):
        assert store.read_sync(_column, table.c[field]) == [f"the value of {field}"]


def test_the_list_has_the_storage_class(store: Store) -> None:
    """None is STANDARD, in the list and in the object."""
    for key, storage_class in (("cold", "GLACIER"), ("plain", None)):
        store.write_sync(
            versions.publish, replace(values.obj(key), labels=FILLED._replace(storage_class=storage_class))
        )
        found = store.read_sync(objects.head_object, ObjectName("bucket", key))
        assert found is not None
        assert found.labels.storage_class == storage_class
    listed = store.read_sync(list_objects, "bucket").objects
    assert [(item.key, item.storage_class) for item in listed] == [("cold", "GLACIER"), ("plain", None)]
