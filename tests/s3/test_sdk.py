"""The official AWS Encryption SDK opens raw stored objects through the same server's KMS."""

import os

import aws_encryption_sdk
import pytest
from aws_encryption_sdk.identifiers import CommitmentPolicy
from botocore.session import Session
from cryptography.exceptions import InvalidTag

from tests.support.place import REGION, Place

MIB = 1024 * 1024


@pytest.fixture
def sdk(place: Place, key: str, monkeypatch: pytest.MonkeyPatch) -> aws_encryption_sdk.StrictAwsKmsMasterKeyProvider:
    """Give the SDK's way to the key, with nothing but AWS's own settings."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", place.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for name, value in place.root.variables.items():
        monkeypatch.setenv(name, value)
    return aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[key], botocore_session=Session())


def opened(raw: bytes, provider: aws_encryption_sdk.StrictAwsKmsMasterKeyProvider) -> tuple[bytes, dict[str, str]]:
    """Return the plaintext and context of a message."""
    policy = CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
    client = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=policy)
    plaintext, header = client.decrypt(source=raw, key_provider=provider)
    return plaintext, header.encryption_context


def test_sdk_opens_a_raw_object(
    place: Place, bucket: str, key: str, sdk: aws_encryption_sdk.StrictAwsKmsMasterKeyProvider
) -> None:
    """The file of an object is a message, bound to the object's ARN; one flipped bit and it does not open."""
    data = os.urandom(700_000)
    before = set(place.blobs())
    place.s3().put_object(Bucket=bucket, Key="k", Body=data, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    (blob,) = set(place.blobs()) - before
    raw = blob.read_bytes()
    assert opened(raw, sdk) == (data, {"aws:s3:arn": f"arn:aws:s3:::{bucket}/k"})
    damaged = bytearray(raw)
    damaged[500_000] ^= 1
    with pytest.raises(InvalidTag):
        opened(bytes(damaged), sdk)


def test_sdk_opens_each_part(
    place: Place, bucket: str, key: str, sdk: aws_encryption_sdk.StrictAwsKmsMasterKeyProvider
) -> None:
    """A multipart object is one message a part, all under the upload's one data key."""
    s3 = place.s3()
    before = set(place.blobs())
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    pieces = [os.urandom(5 * MIB), b"end"]
    parts = [
        s3.upload_part(Bucket=bucket, Key="k", UploadId=upload["UploadId"], PartNumber=number, Body=piece)["ETag"]
        for number, piece in enumerate(pieces, 1)
    ]
    s3.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=upload["UploadId"],
        MultipartUpload={"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(parts, 1)]},
    )  # fmt: skip
    found = sorted((opened(blob.read_bytes(), sdk)[0] for blob in set(place.blobs()) - before), key=len)
    assert found == sorted(pieces, key=len)
