"""Objects under a KMS key of an external key store: whoever has the external key can end all reading."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuin.testing.xks_proxy.manager import DISABLED
from tests.kms.asking import refusal
from tests.kms.key_stores import KeyStores, key_stores
from tests.support.place import Place
from tests.support.proofs import reasons

BODY = b"object " * 1000


@pytest.fixture
def stores(place: Place, tmp_path: Path) -> Iterator[KeyStores]:
    """Give a proxy that the service may ask."""
    with key_stores(place, tmp_path) as made:
        yield made


def test_object_under_an_external_key(place: Place, stores: KeyStores) -> None:
    """The data key of an object is wrapped and unwrapped outside, for S3, and not without the external key."""
    s3, bucket = place.s3(), place.bucket()
    key = stores.key(stores.create())
    stores.proxy.asked.clear()
    s3.put_object(Bucket=bucket, Key="o", Body=BODY, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    answer = s3.get_object(Bucket=bucket, Key="o")
    assert answer["Body"].read() == BODY
    assert answer["SSEKMSKeyId"].endswith(key)
    told = [asked.document["requestMetadata"] for asked in stores.proxy.asked]
    assert [(one["kmsOperation"], one["kmsViaService"]) for one in told] == [
        ("GenerateDataKey", "s3.us-east-1.amazonaws.com"), ("Decrypt", "s3.us-east-1.amazonaws.com"),
    ]  # fmt: skip
    for external in stores.proxy.manager.keys.values():
        external.status = DISABLED
    assert refusal(s3.get_object, Bucket=bucket, Key="o")[0] == "KMS.KMSInvalidStateException"
    assert refusal(
        s3.put_object, Bucket=bucket, Key="p", Body=BODY, ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )[0] == "KMS.KMSInvalidStateException"  # fmt: skip
    for external in stores.proxy.manager.keys.values():
        external.status = "ENABLED"
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == BODY


def test_the_proof_at_rest_asks_the_external_key(place: Place, stores: KeyStores) -> None:
    """As the operator; without the external key the object is unproven, and no fault."""
    bucket, key = place.bucket(), stores.key(stores.create())
    place.s3().put_object(Bucket=bucket, Key="o", Body=BODY, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    stores.proxy.asked.clear()
    assert reasons(place, bucket) == []
    (asked,) = [one.document["requestMetadata"] for one in stores.proxy.asked]
    assert (asked["kmsOperation"], asked["awsPrincipalArn"]) == ("Decrypt", f"operator:uid/{os.getuid()}")
    for external in stores.proxy.manager.keys.values():
        external.status = DISABLED
    (reason,) = reasons(place, bucket)
    assert reason.startswith("unproven: KMS does not open its data key: KMSInvalidStateException: ")


def test_multipart_upload_under_an_external_key(place: Place, stores: KeyStores) -> None:
    """An upload's data key is opened for its parts, which needs the proxy each time."""
    s3, bucket = place.s3(), place.bucket()
    key = stores.key(stores.create())
    upload = s3.create_multipart_upload(Bucket=bucket, Key="o", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    given = {"Bucket": bucket, "Key": "o", "UploadId": upload["UploadId"]}
    tag = s3.upload_part(**given, PartNumber=1, Body=BODY)["ETag"]
    s3.complete_multipart_upload(**given, MultipartUpload={"Parts": [{"ETag": tag, "PartNumber": 1}]})
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == BODY


def test_disconnecting_says_what_depends_on_the_key_store(place: Place, stores: KeyStores) -> None:
    """The record counts the objects under all of its keys."""
    s3, bucket, store = place.s3(), place.bucket(), stores.create()
    for number in range(2):
        s3.put_object(
            Bucket=bucket, Key=str(number), Body=BODY, ServerSideEncryption="aws:kms", SSEKMSKeyId=stores.key(store)
        )
    stores.kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert place.last_record().draft["facts"]["dependents"] == {
        "objects": 2, "versions": 0, "uploads": 0, "buckets": 0, "bytes": 2 * len(BODY),
    }  # fmt: skip


def test_bucket_key_under_an_external_key(place: Place, stores: KeyStores) -> None:
    """The proxy is asked once to write and once to read; a store that is disconnected ends both at once."""
    s3, bucket = place.s3(), place.bucket()
    store = stores.create()
    key = stores.key(store)
    given = {"Bucket": bucket, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, "BucketKeyEnabled": True}
    stores.proxy.asked.clear()
    for name in "abc":
        s3.put_object(Key=name, Body=BODY, **given)
    for name in "abc":
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == BODY
    told = [asked.document["requestMetadata"]["kmsOperation"] for asked in stores.proxy.asked]
    assert told == ["GenerateDataKey", "Decrypt"]
    place.kms().disconnect_custom_key_store(CustomKeyStoreId=store)
    assert refusal(s3.get_object, Bucket=bucket, Key="a")[0] == "KMS.KMSInvalidStateException"
    assert refusal(s3.put_object, Key="d", Body=BODY, **given)[0] == "KMS.KMSInvalidStateException"
