"""boto3 with its transfer manager, unchanged; over TLS it sends chunked bodies with checksum trailers."""

import io
from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.interop.place import EncryptedBucket, payload, write

pytestmark = pytest.mark.real
MIB = 1024 * 1024


def test_file_is_uploaded_and_downloaded(place: EncryptedBucket, tmp_path: Path) -> None:
    """`upload_file` and `download_file` of 20 MiB: parallel parts up, parallel ranges down."""
    s3 = place.server.client("s3")
    content = write(tmp_path / "large.bin", 20 * MIB)
    transfer = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=4)
    s3.upload_file(str(tmp_path / "large.bin"), place.bucket, "large.bin", Config=transfer)
    place.assert_sealed("large.bin", content, parts=3)
    s3.download_file(place.bucket, "large.bin", str(tmp_path / "back.bin"), Config=transfer)
    assert (tmp_path / "back.bin").read_bytes() == content


@pytest.mark.parametrize("size", [0, 1, 65_536, 3 * MIB])
def test_stream_of_any_size_comes_back(place: EncryptedBucket, size: int) -> None:
    """`upload_fileobj` and GetObject return the same bytes, with metadata and content type."""
    s3 = place.server.client("s3")
    content = payload(size)
    extra = {"ContentType": "text/x-test", "Metadata": {"colour": "green"}}
    s3.upload_fileobj(io.BytesIO(content), place.bucket, f"s-{size}", ExtraArgs=extra)
    answer = s3.get_object(Bucket=place.bucket, Key=f"s-{size}")
    with answer["Body"] as body:
        assert body.read() == content
    assert (answer["ContentType"], answer["Metadata"]) == ("text/x-test", {"colour": "green"})
    assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", place.key_arn)
    if size > 32:
        place.assert_sealed(f"s-{size}", content)


@pytest.mark.parametrize(  # boto3 computes no MD5
    "algorithm",
    ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "XXHASH64", "XXHASH3", "XXHASH128"],
)
def test_checksum_is_verified_and_returned(place: EncryptedBucket, algorithm: str) -> None:
    """Each checksum algorithm is taken (over TLS in a trailer) and given back on reading."""
    s3 = place.server.client("s3")
    content = payload(300_000)
    put = s3.put_object(Bucket=place.bucket, Key=algorithm, Body=content, ChecksumAlgorithm=algorithm)
    answer = s3.get_object(Bucket=place.bucket, Key=algorithm, ChecksumMode="ENABLED")
    with answer["Body"] as body:
        assert body.read() == content
    assert answer[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]


def test_range_is_read(place: EncryptedBucket) -> None:
    """A range read opens the frames it needs and returns plaintext offsets."""
    s3 = place.server.client("s3")
    content = bytes(range(256)) * 4096
    s3.put_object(Bucket=place.bucket, Key="range", Body=content)
    for start, end in [(0, 0), (1000, 1999), (262_143, 262_144), (len(content) - 5, len(content) - 1)]:
        answer = s3.get_object(Bucket=place.bucket, Key="range", Range=f"bytes={start}-{end}")
        with answer["Body"] as body:
            assert body.read() == content[start : end + 1]
        assert answer["ContentRange"] == f"bytes {start}-{end}/{len(content)}"


def test_copy_is_sealed_anew(place: EncryptedBucket) -> None:
    """CopyObject gives the copy a message of its own: the context names the new object."""
    s3 = place.server.client("s3")
    content = payload(100_000)
    s3.put_object(Bucket=place.bucket, Key="source", Body=content)
    s3.copy_object(Bucket=place.bucket, Key="target", CopySource={"Bucket": place.bucket, "Key": "source"})
    place.assert_sealed("target", content)
    assert place.stored("target") != place.stored("source")
    with s3.get_object(Bucket=place.bucket, Key="target")["Body"] as body:
        assert body.read() == content


def test_disabled_key_stops_reading_at_once(place: EncryptedBucket) -> None:
    """DisableKey refuses the very next read, and EnableKey allows it again."""
    s3, kms = place.server.client("s3"), place.server.client("kms")
    s3.put_object(Bucket=place.bucket, Key="thing", Body=b"content")
    kms.disable_key(KeyId=place.key_arn)
    for _ in range(4):  # whichever worker answers
        with pytest.raises(ClientError) as refused:
            s3.get_object(Bucket=place.bucket, Key="thing")
        assert refused.value.response["Error"]["Code"] == "KMS.DisabledException"
    kms.enable_key(KeyId=place.key_arn)
    with s3.get_object(Bucket=place.bucket, Key="thing")["Body"] as body:
        assert body.read() == b"content"
