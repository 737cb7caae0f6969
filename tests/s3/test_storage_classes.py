"""Storage classes: labels that are kept with an object and given back."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.s3.request import storage_classes
from tests.support.place import Place, error_of


def _class_in_list(s3: Any, bucket: str, key: str) -> str:
    (found,) = [item for item in s3.list_objects_v2(Bucket=bucket)["Contents"] if item["Key"] == key]
    old = s3.list_objects(Bucket=bucket, Prefix=key)["Contents"][0]
    assert old["StorageClass"] == found["StorageClass"]
    return str(found["StorageClass"])


@pytest.mark.parametrize("name", sorted(storage_classes._OTHERS))
def test_a_class_is_kept_and_given_back(s3: Any, bucket: str, name: str) -> None:
    """GET, HEAD, both lists and GetObjectAttributes tell it; the bytes are read at once, whatever it is."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass=name)
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["StorageClass"]) == (b"x", name)
    assert s3.head_object(Bucket=bucket, Key="k")["StorageClass"] == name
    assert _class_in_list(s3, bucket, "k") == name
    found = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["StorageClass"])
    assert found["StorageClass"] == name


@pytest.mark.parametrize("members", [{}, {"StorageClass": "STANDARD"}])
def test_standard_has_no_header(s3: Any, bucket: str, members: dict[str, str]) -> None:
    """S3 tells STANDARD in lists only, also after another class was there."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **members)
    assert "StorageClass" not in s3.get_object(Bucket=bucket, Key="k")
    assert "StorageClass" not in s3.head_object(Bucket=bucket, Key="k")
    assert _class_in_list(s3, bucket, "k") == "STANDARD"
    found = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["StorageClass"])
    assert found["StorageClass"] == "STANDARD"


@pytest.mark.parametrize("name", ["glacier", "NO_SUCH", "OUTPOSTS", "EXPRESS_ONEZONE", "SNOW", "FSX_ONTAP"])
def test_what_is_no_class_of_such_buckets(s3: Any, bucket: str, name: str) -> None:
    """400 InvalidStorageClass for each kind of write, and nothing is written."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    source = {"Bucket": bucket, "Key": "k"}
    for operation, members in (
        ("put_object", {"Body": b"x"}), ("copy_object", {"CopySource": source}), ("create_multipart_upload", {}),
    ):  # fmt: skip
        with pytest.raises(ClientError) as error:
            getattr(s3, operation)(Bucket=bucket, Key="new", StorageClass=name, **members)
        assert error_of(error.value)[:2] == (400, "InvalidStorageClass")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_copy_has_the_class_that_is_asked_for(s3: Any, bucket: str) -> None:
    """STANDARD unless one is named, whatever the source has; and it is a reason to copy an object onto itself."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="STANDARD_IA", Metadata={"a": "b"})
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="plain", CopySource=source)
    s3.copy_object(Bucket=bucket, Key="cold", CopySource=source, StorageClass="DEEP_ARCHIVE")
    assert [_class_in_list(s3, bucket, key) for key in ("plain", "cold")] == ["STANDARD", "DEEP_ARCHIVE"]
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, StorageClass="GLACIER_IR")
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["StorageClass"], head["Metadata"]) == ("GLACIER_IR", {"a": "b"})
    with pytest.raises(ClientError, match="illegal"):
        s3.copy_object(Bucket=bucket, Key="k", CopySource=source)


def test_an_upload_hands_its_class_on(s3: Any, bucket: str) -> None:
    """Settled when it is created, told by both lists of uploads, and the object's in the end."""
    for name, members in (("GLACIER", {"StorageClass": "GLACIER"}), ("STANDARD", {})):
        upload = s3.create_multipart_upload(Bucket=bucket, Key=name, **members)["UploadId"]
        etag = s3.upload_part(Bucket=bucket, Key=name, UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
        assert s3.list_parts(Bucket=bucket, Key=name, UploadId=upload)["StorageClass"] == name
        assert s3.list_multipart_uploads(Bucket=bucket, Prefix=name)["Uploads"][0]["StorageClass"] == name
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        s3.complete_multipart_upload(Bucket=bucket, Key=name, UploadId=upload, MultipartUpload=parts)
        assert _class_in_list(s3, bucket, name) == name
    assert s3.head_object(Bucket=bucket, Key="GLACIER")["StorageClass"] == "GLACIER"


def test_policies_may_ask_for_the_class(place: Place, bucket: str) -> None:
    """A bucket policy that denies all but one class is kept to."""
    place.put_policy(bucket, {
        "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringNotEquals": {"s3:x-amz-storage-class": "STANDARD_IA"}},
    })  # fmt: skip
    for name, status in (("STANDARD_IA", 200), ("GLACIER", 403), (None, 403)):
        headers = {} if name is None else {"x-amz-storage-class": name}
        assert place.send("PUT", f"/{bucket}/k", headers, b"x").status == status
