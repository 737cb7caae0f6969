"""Small objects live in the database with their rows: without a blob, and as safe as one."""

import os
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import Connection, text

from fuin.settings import SMALL_OBJECT
from tests.support.place import Place
from tests.support.proofs import prove

LARGEST = os.urandom(SMALL_OBJECT)
SAMPLE = bytes(range(256)) * 16


@pytest.fixture(params=["AES256", "aws:kms", "aws:kms:dsse"])
def encryption(request: pytest.FixtureRequest, key: str) -> dict[str, str]:
    """Give the members of a put under each encryption."""
    own = {} if request.param == "AES256" else {"SSEKMSKeyId": key}
    return {"ServerSideEncryption": request.param, **own}


def contents(place: Place, bucket: str) -> list[bytes | None]:
    """Return the messages in the rows of a bucket's objects, None for those that are blobs."""

    def read(conn: Connection) -> list[bytes | None]:
        statement = text(
            "SELECT p.content FROM object_parts p JOIN objects o ON o.id = p.object WHERE o.bucket = :b ORDER BY o.id"
        )
        return [row[0] for row in conn.execute(statement, {"b": bucket})]

    found: list[bytes | None] = place.run(place.services.store.read(read))
    return found


def fetch(s3: Any, bucket: str, name: str = "k", **members: Any) -> bytes:
    """Return an object's bytes."""
    body: bytes = s3.get_object(Bucket=bucket, Key=name, **members)["Body"].read()
    return body


def set_content(place: Place, bucket: str, content: bytes | None) -> None:
    """Put another message into the row of the bucket's only object."""
    place.sql(
        "UPDATE object_parts SET content = :c WHERE object IN (SELECT id FROM objects WHERE bucket = :b)",
        c=content, b=bucket,
    )  # fmt: skip


def test_a_small_object_is_no_blob(place: Place, s3: Any, bucket: str, encryption: dict[str, str]) -> None:
    """Its message is in its row, without its plaintext, and it reads as any object does."""
    before = set(place.blobs())
    s3.put_object(Bucket=bucket, Key="k", Body=SAMPLE, **encryption)
    assert set(place.blobs()) == before
    [content] = contents(place, bucket)
    assert content is not None
    assert not any(SAMPLE[at : at + 16] in content for at in range(0, len(SAMPLE), 16))
    assert fetch(s3, bucket) == SAMPLE
    assert fetch(s3, bucket, Range="bytes=10-19") == SAMPLE[10:20]
    assert fetch(s3, bucket, Range="bytes=-3") == SAMPLE[-3:]
    assert fetch(s3, bucket, PartNumber=1) == SAMPLE
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == len(SAMPLE)


@pytest.mark.parametrize(("size", "is_small"), [(0, True), (SMALL_OBJECT, True), (SMALL_OBJECT + 1, False)])
def test_the_limit_is_exact(place: Place, s3: Any, bucket: str, size: int, is_small: bool) -> None:
    """An object of 16 KiB is small, one byte more is a blob; an empty one is small."""
    body = (LARGEST + b"x")[:size]
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    [content] = contents(place, bucket)
    assert (content is not None) == is_small
    assert fetch(s3, bucket) == body


def test_a_small_object_and_a_blob_replace_each_other(place: Place, s3: Any, bucket: str) -> None:
    """The blob goes when a small object takes its place."""
    before = set(place.blobs())
    s3.put_object(Bucket=bucket, Key="k", Body=LARGEST + b"x")
    assert len(set(place.blobs()) - before) == 1
    s3.put_object(Bucket=bucket, Key="k", Body=b"small")
    place.settle()
    assert set(place.blobs()) == before
    s3.put_object(Bucket=bucket, Key="k", Body=LARGEST + b"y")
    assert fetch(s3, bucket) == LARGEST + b"y"
    s3.delete_object(Bucket=bucket, Key="k")
    place.settle()
    assert set(place.blobs()) == before


def test_parts_of_uploads_are_blobs(place: Place, s3: Any, bucket: str) -> None:
    """A part does not know what its object will be; so a small part is a blob, and a copy of its object is none."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    done = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=SAMPLE)
    parts = [{"PartNumber": 1, "ETag": done["ETag"]}]
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    first, second = contents(place, bucket)
    assert first is None
    assert second is not None
    assert fetch(s3, bucket) == fetch(s3, bucket, "copy") == SAMPLE


def test_a_part_can_be_copied_from_a_small_object(s3: Any, bucket: str) -> None:
    """UploadPartCopy reads the row and writes a blob."""
    s3.put_object(Bucket=bucket, Key="source", Body=SAMPLE)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part_copy(
        Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, CopySource=f"{bucket}/source",
        CopySourceRange="bytes=0-99",
    )  # fmt: skip
    parts = [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    assert fetch(s3, bucket) == SAMPLE[:100]


def test_each_version_has_its_own(place: Place, s3: Any, bucket: str) -> None:
    """Versions keep their messages, and take them along when they are deleted."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=bytes([n]))["VersionId"] for n in range(3)]
    assert [fetch(s3, bucket, VersionId=each) for each in ids] == [b"\0", b"\1", b"\2"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[1])
    assert len(contents(place, bucket)) == 2


def test_every_changed_bit_is_seen(place: Place, s3: Any, bucket: str, key: str) -> None:
    """A message whose row was changed in any byte is never given out."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"sixteen bytes ..", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    [content] = contents(place, bucket)
    assert content is not None
    for at in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[at] ^= 1
        set_content(place, bucket, bytes(damaged))
        reply = place.send("GET", f"/{bucket}/k")
        assert reply.status == 500, at
        assert b"sixteen" not in reply.body
    set_content(place, bucket, content)
    assert fetch(s3, bucket) == b"sixteen bytes .."


def test_the_proof_reads_rows(place: Place, s3: Any, bucket: str, encryption: dict[str, str]) -> None:
    """`fuin verify` opens the messages in rows, and names one that was changed."""
    s3.put_object(Bucket=bucket, Key="k", Body=SAMPLE, **encryption)
    found, counts = prove(place, bucket)
    assert (found, counts.messages, counts.opened) == ([], 1, 1)
    [content] = contents(place, bucket)
    assert content is not None
    set_content(place, bucket, content[:-1] + bytes([content[-1] ^ 1]))
    [fault] = prove(place, bucket)[0]
    assert (fault.kind, fault.bucket, fault.key) == ("fault", bucket, "k")


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"x", lambda _: b"", lambda c: c[:100]])
def test_a_cut_or_longer_message_is_refused(place: Place, s3: Any, bucket: str, change: Any) -> None:
    """Its length is in the row as well."""
    s3.put_object(Bucket=bucket, Key="k", Body=SAMPLE)
    [content] = contents(place, bucket)
    set_content(place, bucket, change(content))
    assert place.send("GET", f"/{bucket}/k").status == 500
    assert place.send("GET", f"/{bucket}/k", {"Range": "bytes=0-9"}).status == 500


def test_the_message_of_another_object_is_refused(place: Place, s3: Any, key: str) -> None:
    """A message of the same key and size under another name does not open."""
    names = [place.bucket(), place.bucket()]
    for name in names:
        s3.put_object(Bucket=name, Key="k", Body=SAMPLE, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    [content] = contents(place, names[0])
    set_content(place, names[1], content)
    assert place.send("GET", f"/{names[1]}/k").status == 500


def test_a_lost_message_is_a_missing_blob(place: Place, s3: Any, bucket: str) -> None:
    """A row without its message is damage, not an empty object."""
    s3.put_object(Bucket=bucket, Key="k", Body=SAMPLE)
    set_content(place, bucket, None)
    assert place.send("GET", f"/{bucket}/k").status == 500


def test_a_wrong_digest_leaves_nothing(place: Place, s3: Any, bucket: str) -> None:
    """A body that is not the one that was signed is refused before it has a row."""
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
    assert contents(place, bucket) == []
