"""The ledger of real objects: whatever the object store writes, the index agrees with the stored messages."""

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from fuin.ledger.check import Difference, LedgerCheck
from fuin.settings import SMALL_OBJECT
from fuin.store.s3 import dependents
from fuin.store.s3.dependents import Totals
from tests.support.place import Place

BODY = b"content" * 100


async def _differences(place: Place, bucket: str) -> list[Difference]:
    checked = LedgerCheck(place.services.store, place.services.blobs)
    return [found async for found in checked.run() if found.bucket == bucket]


def test_every_way_to_write_agrees_with_the_messages(place: Place, s3: Any, bucket: str) -> None:
    """Each scheme, a copy to another scheme, parts, an upload under way; and the key's numbers are exact."""
    key = place.new_key()
    kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    s3.put_object(Bucket=bucket, Key="kms", Body=BODY, **kms)
    s3.put_object(Bucket=bucket, Key="empty", **kms)
    s3.put_object(Bucket=bucket, Key="s3", Body=BODY)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "s3"}, **kms)
    for name in ("whole", "begun"):
        upload = s3.create_multipart_upload(Bucket=bucket, Key=name, **kms)["UploadId"]
        given = {"Bucket": bucket, "Key": name, "UploadId": upload}
        tag = s3.upload_part(**given, PartNumber=1, Body=BODY)["ETag"]
        if name == "whole":
            s3.complete_multipart_upload(**given, MultipartUpload={"Parts": [{"ETag": tag, "PartNumber": 1}]})
    rules = {"Rules": [{"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    secret = os.urandom(32)
    customer = {
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": base64.b64encode(secret).decode(),
        "x-amz-server-side-encryption-customer-key-md5": base64.b64encode(hashlib.md5(secret).digest()).decode(),
    }
    assert place.send("PUT", f"/{bucket}/customer", customer, BODY).status == 200
    assert place.run(_differences(place, bucket)) == []
    count = place.run(place.services.store.read(dependents.count, key))
    assert count == Totals(4, 3 * len(BODY), uploads=1, upload_bytes=len(BODY))


def _exchange_files(place: Place, before: set[Path]) -> None:
    one, other = set(place.blobs()) - before
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def _exchange_rows(place: Place, bucket: str) -> None:
    def exchange(conn: Connection) -> None:
        of_bucket = "object IN (SELECT id FROM objects WHERE bucket = :bucket)"
        found = conn.execute(text(f"SELECT object, content FROM object_parts WHERE {of_bucket}"), {"bucket": bucket})
        (one, content), (other, other_content) = found.all()
        change = text("UPDATE object_parts SET content = :content WHERE object = :object")
        conn.execute(change, [{"object": one, "content": other_content}, {"object": other, "content": content}])

    place.run(place.services.store.change(exchange))


@pytest.mark.parametrize("size", [len(BODY), SMALL_OBJECT + 1], ids=["in rows", "blobs"])
def test_a_message_under_another_name_is_found(place: Place, s3: Any, bucket: str, size: int) -> None:
    """Exchanged messages of two keys are four differences: of each object the key and its material."""
    first, second = place.new_key(), place.new_key()
    before = set(place.blobs())
    for name, key in (("a", first), ("b", second)):
        s3.put_object(Bucket=bucket, Key=name, Body=bytes(size), ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    if size > SMALL_OBJECT:
        _exchange_files(place, before)
    else:
        _exchange_rows(place, bucket)
    found = place.run(_differences(place, bucket))
    assert sorted((each.key, each.column) for each in found) == [
        ("a", "kms_key_arn"), ("a", "kms_material_id"), ("b", "kms_key_arn"), ("b", "kms_material_id"),
    ]  # fmt: skip
    kind = "blob" if size > SMALL_OBJECT else "message"
    assert all(each.witness.startswith(f"the header of {kind} ") for each in found)
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
