"""CopyObject: metadata kept or replaced, encryption chosen anew, conditions, rights to both sides."""

import hashlib
import os
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.envelope.stream import parse_header
from tests.support.place import Place, error_of
from tests.support.policies import allow

DATA = os.urandom(600_000)


def copy(s3: Any, bucket: str, **members: Any) -> dict[str, Any]:
    """Copy `k` to `copy` in one bucket."""
    chosen = {"Key": "copy", "CopySource": {"Bucket": bucket, "Key": "k"}} | members
    done: dict[str, Any] = s3.copy_object(Bucket=bucket, **chosen)
    return done


@pytest.fixture
def source(place: Place, bucket: str, key: str) -> str:
    """Put the object `k`, under SSE-KMS and with metadata, and return its bucket."""
    place.s3().put_object(
        Bucket=bucket, Key="k", Body=DATA, Metadata={"a": "1"}, ContentType="x/y", ChecksumAlgorithm="SHA256",
        ServerSideEncryption="aws:kms", SSEKMSKeyId=key,
    )  # fmt: skip
    return bucket


def test_copy_keeps_metadata_and_takes_the_buckets_encryption(place: Place, source: str) -> None:
    """A copy keeps type, metadata and checksum, and is encrypted as the target's bucket says."""
    s3 = place.s3()
    done = copy(s3, source)
    assert done["ServerSideEncryption"] == "AES256"
    assert done["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(DATA).hexdigest()}"'
    got = s3.get_object(Bucket=source, Key="copy", ChecksumMode="ENABLED")
    assert got["Body"].read() == DATA
    assert (got["ContentType"], got["Metadata"]) == ("x/y", {"a": "1"})
    assert got["ChecksumSHA256"] == done["CopyObjectResult"]["ChecksumSHA256"]


def test_copy_is_encrypted_anew(place: Place, source: str, key: str) -> None:
    """The copy has another data key, bound to its own name: no ciphertext is shared."""
    before = set(place.blobs())
    copy(place.s3(), source, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    (blob,) = set(place.blobs()) - before
    header = parse_header(blob.read_bytes())
    assert header.context == {"aws:s3:arn": f"arn:aws:s3:::{source}/copy"}


def test_metadata_can_be_replaced(place: Place, source: str) -> None:
    """With REPLACE the request's metadata counts."""
    copy(place.s3(), source, MetadataDirective="REPLACE", Metadata={"b": "2"}, ContentType="new/type")
    got = place.s3().head_object(Bucket=source, Key="copy")
    assert (got["ContentType"], got["Metadata"]) == ("new/type", {"b": "2"})


def put_default(s3: Any, bucket: str, **members: str) -> None:
    """Put a default encryption of a bucket."""
    rule = {"ApplyServerSideEncryptionByDefault": members}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def test_copy_to_itself(place: Place, source: str, key: str) -> None:
    """With new metadata or encryption, also that of the bucket, it is the usual way to change those."""
    s3 = place.s3()
    copy(s3, source, Key="k", MetadataDirective="REPLACE", Metadata={"c": "3"})
    head = s3.head_object(Bucket=source, Key="k")
    assert (head["Metadata"], head["ServerSideEncryption"]) == ({"c": "3"}, "AES256")
    copy(s3, source, Key="k", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    got = s3.get_object(Bucket=source, Key="k")
    assert (got["Body"].read(), got["SSEKMSKeyId"], got["Metadata"]) == (DATA, key, {"c": "3"})
    assert copy(s3, source, Key="k")["ServerSideEncryption"] == "AES256"  # the bucket's, which is another


def test_copy_to_itself_under_a_new_default(place: Place, bucket: str, key: str) -> None:
    """So old objects come under a new default key: `aws s3 cp s3://b/ s3://b/ --recursive`; nothing else changes."""
    s3 = place.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=DATA, Metadata={"a": "1"}, ContentType="x/y")
    put_default(s3, bucket, SSEAlgorithm="aws:kms", KMSMasterKeyID=key)
    assert copy(s3, bucket, Key="k")["SSEKMSKeyId"] == key
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (DATA, {"a": "1"}, "x/y")
    put_default(s3, bucket, SSEAlgorithm="AES256")  # the service's own default counts when it was put
    for _ in range(2):
        assert copy(s3, bucket, Key="k")["ServerSideEncryption"] == "AES256"
    s3.delete_bucket_encryption(Bucket=bucket)
    with pytest.raises(ClientError) as error:
        copy(s3, bucket, Key="k")
    assert error_of(error.value)[:2] == (400, "InvalidRequest")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"x-amz-checksum-algorithm": "SHA256"}, 400),
        ({"x-amz-acl": "private"}, 400),
        ({"x-amz-storage-class": ""}, 400),
        ({"x-amz-metadata-directive": "COPY"}, 400),
        ({"x-amz-metadata-directive": ""}, 400),
        ({"x-amz-metadata-directive": "REPLACE"}, 200),
        ({"x-amz-storage-class": "STANDARD"}, 200),
        ({"x-amz-server-side-encryption": "AES256"}, 200),
    ],
)
def test_what_changes_an_object(place: Place, bucket: str, headers: dict[str, str], status: int) -> None:
    """A copy onto itself needs what AWS takes for a change, also if it is the same as before; else it is refused."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = place.send("PUT", f"/{bucket}/k", {"x-amz-copy-source": f"{bucket}/k"} | headers)
    assert (reply.status, reply.code) == (status, "InvalidRequest" if status == 400 else "")
    assert place.s3().get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_conditions_on_the_source(place: Place, source: str) -> None:
    """x-amz-copy-source-if-* are 412 when they do not hold; the target's own conditions count as well."""
    s3 = place.s3()
    head = s3.head_object(Bucket=source, Key="k")
    old = head["LastModified"].replace(year=2001)
    for members in (
        {"CopySourceIfMatch": '"0"'}, {"CopySourceIfNoneMatch": head["ETag"]}, {"CopySourceIfUnmodifiedSince": old},
        {"CopySourceIfModifiedSince": head["LastModified"]},
    ):  # fmt: skip
        with pytest.raises(ClientError) as error:
            copy(s3, source, **members)
        assert error_of(error.value)[:2] == (412, "PreconditionFailed")
    copy(s3, source, CopySourceIfMatch=head["ETag"], CopySourceIfUnmodifiedSince=old)
    with pytest.raises(ClientError) as error:
        copy(s3, source, IfNoneMatch="*")
    assert error_of(error.value)[:2] == (412, "PreconditionFailed")


@pytest.mark.parametrize(
    ("actions", "missing"),
    [
        (("s3:GetObject", "kms:*"), "s3:PutObject"),
        (("s3:PutObject", "kms:*"), "s3:GetObject"),
        (("s3:*", "kms:GenerateDataKey"), "kms:Decrypt"),
        (("s3:*", "kms:Decrypt"), "kms:GenerateDataKey"),
    ],
)
def test_rights_to_both_sides(place: Place, source: str, key: str, actions: tuple[str, ...], missing: str) -> None:
    """A copy needs the source's rights and the target's, for the objects and for both keys, as the caller."""
    user = place.add_user(allow(*actions))
    with pytest.raises(ClientError) as error:
        copy(place.s3(user), source, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    status, code, message = error_of(error.value)
    assert (status, code) == (403, "AccessDenied")
    assert missing in message
    assert place.send("GET", f"/{source}/copy").status == 404


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("no-slash", "InvalidArgument"),
        ("/", "InvalidArgument"),
        ("bucket/", "InvalidArgument"),
        ("b/k?versionId=abc", "InvalidArgument"),
        ("arn:aws:s3:us-east-1:123456789012:accesspoint/x/object/k", "NotImplemented"),
        ("no-such-bucket-here/k", "NoSuchBucket"),
        ("%ff/k", "InvalidURI"),
    ],
)
def test_wrong_sources(place: Place, bucket: str, value: str, code: str) -> None:
    """A source must be a bucket and a key that exist."""
    assert place.send("PUT", f"/{bucket}/copy", {"x-amz-copy-source": value}).code == code


def test_forms_of_the_source(place: Place, bucket: str) -> None:
    """Encoded as a form, where a plus is a space, or not; with a leading slash or not, with the null version."""
    place.s3().put_object(Bucket=bucket, Key="a b+c/é", Body=b"x")
    for value in ("/a%20b%2Bc/%C3%A9", "%2Fa+b%2Bc%2F%C3%A9", "/a b%2bc/%c3%a9", "/a+b%2Bc/%c3%a9?versionId=null"):
        for start in (bucket, f"/{bucket}"):
            reply = place.send("PUT", f"/{bucket}/copy", {"x-amz-copy-source": f"{start}{value}"})
            assert reply.status == 200, reply.body
    assert place.send("PUT", f"/{bucket}/copy", {"x-amz-copy-source": f"{bucket}/a%20b+c/%C3%A9"}).code == "NoSuchKey"


def test_a_form_encoded_source_of_a_part(place: Place, bucket: str) -> None:
    """UploadPartCopy reads its source in the same way."""
    s3 = place.s3()
    s3.put_object(Bucket=bucket, Key="a b+c", Body=b"x")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    target = f"/{bucket}/k?partNumber=1&uploadId={upload}"
    assert place.send("PUT", target, {"x-amz-copy-source": f"{bucket}/a+b%2Bc"}).status == 200


def test_copy_under_kms_has_a_random_etag(place: Place, source: str) -> None:
    """Two copies under SSE-KMS differ in their ETags, and neither is the MD5."""
    tags = {copy(place.s3(), source, ServerSideEncryption="aws:kms")["CopyObjectResult"]["ETag"] for _ in range(2)}
    assert len(tags) == 2
    assert f'"{hashlib.md5(DATA).hexdigest()}"' not in tags
