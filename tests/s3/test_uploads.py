"""Multipart uploads: parts in any order, completion, aborts, lists, checksums, and who needs kms:Decrypt."""

import base64
import hashlib
import os
import zlib
from typing import Any

import pytest
from awscrt import checksums as crt
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.s3.test_payloads import VALUES
from tests.support.place import ACCOUNT, Place, error_of
from tests.support.policies import allow

MIB = 1024 * 1024
ONE, TWO, THREE = os.urandom(5 * MIB), os.urandom(5 * MIB + 11), b"the end"


def create(s3: Any, bucket: str, **members: Any) -> str:
    """Begin an upload of `k` and return its id."""
    upload_id: str = s3.create_multipart_upload(Bucket=bucket, Key="k", **members)["UploadId"]
    return upload_id


def put(s3: Any, bucket: str, upload_id: str, number: int, data: bytes, **members: Any) -> dict[str, Any]:
    """Upload a part and return its entry for the completion."""
    done = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload_id, PartNumber=number, Body=data, **members)
    kept = {name: value for name, value in done.items() if name.startswith("Checksum") and name != "ChecksumType"}
    return {"PartNumber": number, "ETag": done["ETag"], **kept}


def complete(s3: Any, bucket: str, upload_id: str, *parts: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Complete an upload."""
    done: dict[str, Any] = s3.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=upload_id, MultipartUpload={"Parts": list(parts)}, **members
    )
    return done


def body(s3: Any, bucket: str, **members: Any) -> bytes:
    """Return the object's bytes."""
    data: bytes = s3.get_object(Bucket=bucket, Key="k", **members)["Body"].read()
    return data


@pytest.mark.parametrize("encryption", [{}, {"ServerSideEncryption": "aws:kms"}])
def test_parts_in_any_order(place: Place, bucket: str, encryption: dict[str, str]) -> None:
    """Parts come out of order and one comes twice; the object is the last of each, in the order of their numbers."""
    s3 = place.s3(checksums=False)
    before = set(place.blobs())
    upload_id = create(s3, bucket, Metadata={"a": "b"}, ContentType="x/y", **encryption)
    third = put(s3, bucket, upload_id, 30, THREE)
    put(s3, bucket, upload_id, 1, TWO)
    second = put(s3, bucket, upload_id, 2, TWO)
    first = put(s3, bucket, upload_id, 1, ONE)
    unused = put(s3, bucket, upload_id, 7, b"unused")
    assert unused["ETag"] != first["ETag"]
    done = complete(s3, bucket, upload_id, first, second, third)
    assert done["ETag"].endswith('-3"')
    assert body(s3, bucket) == ONE + TWO + THREE
    got = s3.head_object(Bucket=bucket, Key="k")
    assert (got["ContentLength"], got["ContentType"], got["Metadata"]) == (10 * MIB + 18, "x/y", {"a": "b"})
    assert got["ETag"] == done["ETag"]
    place.settle()
    assert len(set(place.blobs()) - before) == 3
    if not encryption:
        digests = b"".join(hashlib.md5(piece).digest() for piece in (ONE, TWO, THREE))
        assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    else:
        assert hashlib.md5(ONE).hexdigest() not in first["ETag"]


def test_ranges_and_parts_of_a_multipart_object(place: Place, bucket: str) -> None:
    """Ranges cross the parts' edges; partNumber gives one part."""
    s3 = place.s3(checksums=False)
    upload_id = create(s3, bucket)
    complete(s3, bucket, upload_id, put(s3, bucket, upload_id, 1, ONE), put(s3, bucket, upload_id, 2, THREE))
    whole = ONE + THREE
    for start, end in [(0, 0), (5 * MIB - 3, 5 * MIB + 2), (5 * MIB, 5 * MIB + 6), (1000, 5 * MIB - 1)]:
        assert body(s3, bucket, Range=f"bytes={start}-{end}") == whole[start : end + 1]
    got = s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
    assert (got["Body"].read(), got["PartsCount"]) == (THREE, 2)
    assert got["ContentRange"] == f"bytes {5 * MIB}-{len(whole) - 1}/{len(whole)}"
    assert s3.head_object(Bucket=bucket, Key="k", PartNumber=1)["ContentLength"] == 5 * MIB
    with pytest.raises(ClientError) as error:
        body(s3, bucket, PartNumber=3)
    assert error_of(error.value)[:2] == (416, "InvalidPartNumber")


def test_checksums_of_parts(place: Place, bucket: str) -> None:
    """A part that is read by its number comes with its own checksum, and the attributes list those of all parts."""
    s3 = place.s3()
    upload_id = create(s3, bucket, ChecksumAlgorithm="SHA256")
    sent = [put(s3, bucket, upload_id, number, data, ChecksumAlgorithm="SHA256")
            for number, data in ((2, ONE), (5, TWO), (9, THREE))]  # fmt: skip
    whole = complete(s3, bucket, upload_id, *sent)["ChecksumSHA256"]
    values = [part["ChecksumSHA256"] for part in sent]
    numbers = (2, 5, 9)  # the parts are counted as they were uploaded, with gaps, by all operations
    for number, value in zip(numbers, values, strict=True):
        got = s3.get_object(Bucket=bucket, Key="k", PartNumber=number, ChecksumMode="ENABLED")
        got["Body"].read()
        assert (got["ChecksumSHA256"], got["ChecksumType"]) == (value, "COMPOSITE")
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumSHA256"] == whole
    assert "ChecksumSHA256" not in s3.get_object(Bucket=bucket, Key="k", Range="bytes=0-9", ChecksumMode="ENABLED")

    for missing in (1, 3, 10):
        reply = place.send("GET", f"/{bucket}/k?partNumber={missing}")
        assert (reply.status, reply.code) == (416, "InvalidPartNumber")
        assert (reply.text("ActualPartCount"), reply.text("PartNumberRequested")) == ("3", str(missing))
        assert place.send("HEAD", f"/{bucket}/k?partNumber={missing}").status == 416

    seen: list[tuple[int, str]] = []
    marker = 0
    for more in (True, True, False):
        page = s3.get_object_attributes(
            Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], MaxParts=1, PartNumberMarker=marker
        )["ObjectParts"]
        assert (page["TotalPartsCount"], page["MaxParts"], page["IsTruncated"]) == (3, 1, more)
        seen += [(part["PartNumber"], part["ChecksumSHA256"]) for part in page["Parts"]]
        marker = page["NextPartNumberMarker"]
    assert seen == list(zip(numbers, values, strict=True))


def test_the_bytes_of_a_numbered_part(place: Place, bucket: str) -> None:
    """partNumber gives what was uploaded under that number, wherever it stands in the object."""
    s3 = place.s3(checksums=False)
    upload_id = create(s3, bucket)
    complete(s3, bucket, upload_id, put(s3, bucket, upload_id, 2, ONE), put(s3, bucket, upload_id, 5, THREE))
    for number, data in ((2, ONE), (5, THREE)):
        got = s3.get_object(Bucket=bucket, Key="k", PartNumber=number)
        assert (got["Body"].read(), got["PartsCount"]) == (data, 2)
    assert got["ContentRange"] == f"bytes {5 * MIB}-{5 * MIB + len(THREE) - 1}/{5 * MIB + len(THREE)}"


def test_parts_of_a_full_object_checksum(place: Place, bucket: str) -> None:
    """Where the object's checksum is not made of the parts', the attributes only count them, as in AWS."""
    s3 = place.s3()
    upload_id = create(s3, bucket)
    complete(s3, bucket, upload_id, put(s3, bucket, upload_id, 1, ONE), put(s3, bucket, upload_id, 2, THREE))
    got = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"])
    assert got["ObjectParts"] == {"TotalPartsCount": 2}


def test_transfer_manager(place: Place, bucket: str, key: str, tmp_path: Any) -> None:
    """boto3's own upload and download of a large file, in parallel parts with its checksums."""
    data = os.urandom(23 * MIB + 5)
    (tmp_path / "up").write_bytes(data)
    s3 = place.s3()
    chunks = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB)
    arguments = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    s3.upload_file(str(tmp_path / "up"), bucket, "k", ExtraArgs=arguments, Config=chunks)
    s3.download_file(bucket, "k", str(tmp_path / "down"), Config=chunks)
    assert (tmp_path / "down").read_bytes() == data
    assert s3.head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"] == key


def test_uploading_parts_needs_decrypt(place: Place, bucket: str, key: str) -> None:
    """With GenerateDataKey alone an upload can be created but no part added, and the message says why."""
    writer = place.add_user(allow("s3:PutObject", "kms:GenerateDataKey"))
    s3 = place.s3(writer)
    upload_id = create(s3, bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    with pytest.raises(ClientError) as error:
        put(s3, bucket, upload_id, 1, b"x")
    status, code, message = error_of(error.value)
    assert (status, code) == (403, "AccessDenied")
    assert f"is not authorized to perform: kms:Decrypt on resource: {key}" in message
    assert "S3 opens it again for each part, which needs kms:Decrypt" in message
    place.set_policy(writer, allow("s3:PutObject", "kms:GenerateDataKey", "kms:Decrypt"))
    complete(s3, bucket, upload_id, put(s3, bucket, upload_id, 1, b"x"))
    assert body(place.s3(), bucket) == b"x"


def test_listing_parts_needs_decrypt(place: Place, bucket: str, key: str) -> None:
    """ListParts of a KMS upload asks for kms:Decrypt."""
    upload_id = create(place.s3(), bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    user = place.add_user(allow("s3:*"))
    with pytest.raises(ClientError) as error:
        place.s3(user).list_parts(Bucket=bucket, Key="k", UploadId=upload_id)
    assert "kms:Decrypt" in error_of(error.value)[2]


def test_completion_is_refused(place: Place, bucket: str) -> None:
    """Unknown parts, wrong ETags, wrong order, small parts, no parts: each with AWS's code, and nothing appears."""
    s3 = place.s3(checksums=False)
    upload_id = create(s3, bucket)
    small, last = put(s3, bucket, upload_id, 1, b"small"), put(s3, bucket, upload_id, 2, b"last")
    cases = [
        ([small, last], "EntityTooSmall"),
        ([last, small], "InvalidPartOrder"),
        ([small, small], "InvalidPartOrder"),
        ([{"PartNumber": 3, "ETag": last["ETag"]}], "InvalidPart"),
        ([{"PartNumber": 1, "ETag": last["ETag"]}], "InvalidPart"),
        ([], "MalformedXML"),
    ]
    for parts, code in cases:
        with pytest.raises(ClientError) as error:
            complete(s3, bucket, upload_id, *parts)
        assert error_of(error.value)[:2] == (400, code)
    with pytest.raises(ClientError) as error:
        complete(s3, bucket, upload_id, last, MpuObjectSize=5)
    assert error_of(error.value)[:2] == (400, "InvalidRequest")
    assert place.send("GET", f"/{bucket}/k").status == 404
    complete(s3, bucket, upload_id, last, MpuObjectSize=4)


def test_completion_can_be_repeated(place: Place, bucket: str) -> None:
    """A client that did not get the answer asks again and gets the same."""
    s3 = place.s3(checksums=False)
    upload_id = create(s3, bucket)
    part = put(s3, bucket, upload_id, 1, b"x")
    first, second = (complete(s3, bucket, upload_id, part)["ETag"] for _ in range(2))
    assert first == second
    s3.put_object(Bucket=bucket, Key="k", Body=b"other")
    with pytest.raises(ClientError) as error:
        complete(s3, bucket, upload_id, part)
    assert error_of(error.value)[:2] == (404, "NoSuchUpload")


def test_conditional_completion(s3: Any, bucket: str) -> None:
    """If-None-Match: * of a completion keeps an object that came first."""
    upload_id = create(s3, bucket)
    part = put(s3, bucket, upload_id, 1, b"x")
    s3.put_object(Bucket=bucket, Key="k", Body=b"first")
    with pytest.raises(ClientError) as error:
        complete(s3, bucket, upload_id, part, IfNoneMatch="*")
    assert error_of(error.value)[:2] == (412, "PreconditionFailed")
    assert body(s3, bucket) == b"first"


def test_abort_removes_everything(place: Place, bucket: str) -> None:
    """An aborted upload leaves no blob, and is gone for every call."""
    s3 = place.s3()
    before = set(place.blobs())
    upload_id = create(s3, bucket)
    put(s3, bucket, upload_id, 1, b"x")
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload_id)
    place.settle()
    assert set(place.blobs()) == before
    for call in (s3.abort_multipart_upload, s3.list_parts):
        with pytest.raises(ClientError) as error:
            call(Bucket=bucket, Key="k", UploadId=upload_id)
        assert error_of(error.value)[:2] == (404, "NoSuchUpload")
    with pytest.raises(ClientError) as error:
        put(s3, bucket, upload_id, 1, b"x")
    assert error_of(error.value)[:2] == (404, "NoSuchUpload")


@pytest.mark.parametrize("number", ["0", "10001", "x", "-1", "1e3"])
def test_wrong_part_numbers(place: Place, bucket: str, number: str) -> None:
    """Part numbers are 1 to 10,000."""
    upload_id = create(place.s3(), bucket)
    reply = place.send("PUT", f"/{bucket}/k?partNumber={number}&uploadId={upload_id}", {}, b"x")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_parts_are_listed_page_by_page(s3: Any, bucket: str) -> None:
    """ListParts pages by number."""
    upload_id = create(s3, bucket)
    for number in (5, 1, 3):
        put(s3, bucket, upload_id, number, b"x" * number)
    first = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload_id, MaxParts=2)
    assert [(part["PartNumber"], part["Size"]) for part in first["Parts"]] == [(1, 1), (3, 3)]
    assert first["IsTruncated"]
    marker = first["NextPartNumberMarker"]
    second = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload_id, PartNumberMarker=marker)
    assert [part["PartNumber"] for part in second["Parts"]] == [5]
    assert not second["IsTruncated"]


def test_uploads_are_listed(s3: Any, bucket: str) -> None:
    """ListMultipartUploads orders by key and id, rolls up prefixes, and pages through all of them."""
    wanted = []
    for name in ("b", "a/1", "a/2", "c", "b"):
        wanted.append((name, s3.create_multipart_upload(Bucket=bucket, Key=name)["UploadId"]))
    got = s3.list_multipart_uploads(Bucket=bucket)
    assert [(item["Key"], item["UploadId"]) for item in got["Uploads"]] == sorted(wanted)
    rolled = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [item["Prefix"] for item in rolled["CommonPrefixes"]] == ["a/"]
    assert [item["Key"] for item in rolled["Uploads"]] == ["b", "b", "c"]
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    entries = [
        entry
        for page in pages
        for entry in (*(item["Key"] for item in page.get("Uploads", [])), *(
            item["Prefix"] for item in page.get("CommonPrefixes", [])))
    ]  # fmt: skip
    assert entries == ["a/", "b", "b", "c"]


def test_the_initiator_is_the_owner_or_a_user(place: Place, bucket: str) -> None:
    """AWS: of an account "the same information as the Owner element", of a user its ARN."""
    user = place.add_user(allow("s3:*"))
    create(place.s3(), bucket)
    create(place.s3(user), bucket)
    found = place.s3().list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert sorted(upload["Initiator"]["ID"] for upload in found) == [
        ACCOUNT,
        f"arn:aws:iam::{ACCOUNT}:user/{user.name}",
    ]
    assert {upload["Owner"]["ID"] for upload in found} == {ACCOUNT}
    for upload in found:
        listed = place.s3().list_parts(Bucket=bucket, Key="k", UploadId=upload["UploadId"])
        assert listed["Initiator"] == upload["Initiator"]


def encoded(raw: bytes) -> str:
    """Return base64."""
    return base64.b64encode(raw).decode()


def test_default_checksum_is_of_the_whole(place: Place, bucket: str) -> None:
    """Without a declared algorithm the object gets the CRC64NVME of all its bytes, made of the parts'."""
    s3 = place.s3(checksums=False)
    upload_id = create(s3, bucket)
    done = complete(s3, bucket, upload_id, put(s3, bucket, upload_id, 1, ONE), put(s3, bucket, upload_id, 2, THREE))
    assert done["ChecksumCRC64NVME"] == encoded(crt.crc64nvme(ONE + THREE).to_bytes(8, "big"))
    assert done["ChecksumType"] == "FULL_OBJECT"


def test_composite_checksum(place: Place, bucket: str) -> None:
    """A composite checksum is of the parts' checksums, and each part must give its own."""
    s3 = place.s3()
    upload_id = create(s3, bucket, ChecksumAlgorithm="SHA256")
    one = put(s3, bucket, upload_id, 1, ONE, ChecksumAlgorithm="SHA256")
    two = put(s3, bucket, upload_id, 2, THREE, ChecksumAlgorithm="SHA256")
    with pytest.raises(ClientError) as error:
        complete(s3, bucket, upload_id, one, {"PartNumber": 2, "ETag": two["ETag"]})
    assert error_of(error.value)[:2] == (400, "InvalidRequest")
    with pytest.raises(ClientError) as error:
        complete(s3, bucket, upload_id, one, two | {"ChecksumSHA256": one["ChecksumSHA256"]})
    assert error_of(error.value)[:2] == (400, "InvalidPart")
    done = complete(s3, bucket, upload_id, one, two)
    digests = hashlib.sha256(ONE).digest() + hashlib.sha256(THREE).digest()
    assert done["ChecksumSHA256"] == f"{encoded(hashlib.sha256(digests).digest())}-2"
    assert done["ChecksumType"] == "COMPOSITE"


@pytest.mark.parametrize("name", ["SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"])
def test_the_newest_algorithms_are_composite(place: Place, bucket: str, name: str) -> None:
    """Each part's value is checked; the object's is made of those, and GetObjectAttributes shows all of them."""
    s3, compute = place.s3(), VALUES[name]
    upload_id = create(s3, bucket, ChecksumAlgorithm=name)
    values = [compute(data) for data in (ONE, THREE)]
    parts = []
    for number, (data, value) in enumerate(zip((ONE, THREE), values, strict=True), 1):
        given = {f"Checksum{name}": encoded(value)}
        with pytest.raises(ClientError) as error:
            put(s3, bucket, upload_id, number, data, **{f"Checksum{name}": encoded(compute(b"other"))})
        assert error_of(error.value)[:2] == (400, "BadDigest")
        parts.append(put(s3, bucket, upload_id, number, data, **given))
    done = complete(s3, bucket, upload_id, *parts)
    assert done[f"Checksum{name}"] == f"{encoded(compute(b''.join(values)))}-2"
    found = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectParts"])
    assert found["Checksum"] == {f"Checksum{name}": done[f"Checksum{name}"], "ChecksumType": "COMPOSITE"}
    assert [part[f"Checksum{name}"] for part in found["ObjectParts"]["Parts"]] == [encoded(each) for each in values]


def test_full_object_checksum(place: Place, bucket: str) -> None:
    """A declared full-object CRC32 is that of the whole; a wrong one in the completion is refused."""
    s3 = place.s3()
    upload_id = create(s3, bucket, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    parts = [put(s3, bucket, upload_id, number, data) for number, data in enumerate((ONE, TWO, THREE), 1)]
    wanted = encoded(zlib.crc32(ONE + TWO + THREE).to_bytes(4, "big"))
    with pytest.raises(ClientError) as error:
        complete(s3, bucket, upload_id, *parts, ChecksumCRC32="AAAAAA==", ChecksumType="FULL_OBJECT")
    assert error_of(error.value)[:2] == (400, "BadDigest")
    done = complete(s3, bucket, upload_id, *parts, ChecksumCRC32=wanted, ChecksumType="FULL_OBJECT")
    assert done["ChecksumCRC32"] == wanted
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == ONE + TWO + THREE


@pytest.mark.parametrize(
    "members",
    [
        {"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"},
        {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"},
        {"ChecksumType": "COMPOSITE"},
    ],
)
def test_impossible_checksum_types(place: Place, bucket: str, members: dict[str, str]) -> None:
    """Only the pairs that S3 knows are taken."""
    with pytest.raises(ClientError) as error:
        create(place.s3(checksums=False), bucket, **members)
    assert error_of(error.value)[:2] == (400, "InvalidRequest")


def test_part_with_another_checksum_is_refused(s3: Any, bucket: str) -> None:
    """A part must bring the upload's algorithm or none."""
    upload_id = create(s3, bucket, ChecksumAlgorithm="SHA1")
    with pytest.raises(ClientError) as error:
        put(s3, bucket, upload_id, 1, b"x", ChecksumAlgorithm="CRC32")
    assert error_of(error.value)[:2] == (400, "InvalidRequest")


def test_parts_are_copied_from_objects(place: Place, bucket: str) -> None:
    """UploadPartCopy takes a range of another object, encrypted anew under the upload's key."""
    s3 = place.s3(checksums=False)
    s3.put_object(Bucket=bucket, Key="source", Body=ONE + THREE)
    upload_id = create(s3, bucket, ServerSideEncryption="aws:kms")
    parts = []
    for number, span in ((1, f"bytes=0-{5 * MIB - 1}"), (2, f"bytes={5 * MIB}-{5 * MIB + 6}")):
        done = s3.upload_part_copy(
            Bucket=bucket, Key="k", UploadId=upload_id, PartNumber=number, CopySourceRange=span,
            CopySource={"Bucket": bucket, "Key": "source"},
        )  # fmt: skip
        assert done["ServerSideEncryption"] == "aws:kms"
        parts.append({"PartNumber": number, "ETag": done["CopyPartResult"]["ETag"]})
    complete(s3, bucket, upload_id, *parts)
    assert body(s3, bucket) == ONE + THREE
    for span in ("bytes=0-99999999", "bytes=5-", "bytes=9-3", "x"):
        with pytest.raises(ClientError) as error:
            s3.upload_part_copy(
                Bucket=bucket, Key="k", UploadId=create(s3, bucket), PartNumber=1, CopySourceRange=span,
                CopySource={"Bucket": bucket, "Key": "source"},
            )  # fmt: skip
        assert error_of(error.value)[:2] == (400, "InvalidArgument")
