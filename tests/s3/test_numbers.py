"""Numbers of clients: every one that is none, or out of bounds, is a 400, however it is written."""

from urllib.parse import quote

import pytest

from fuin.numbers import whole_number
from tests.support.place import Place

NONE = (
    "²", "١", "1" * 5_000, "0" * 5_000 + "1", "000001" + "1" * 5_000, "-1", "+1", "1_0", " 1", "1.0", "0x1", "1e1", "x",
)  # fmt: skip


@pytest.mark.parametrize("text", [*NONE, "", "0", "11", "011"])
def test_no_number_between_one_and_ten(text: str) -> None:
    """Digits of other scripts, signs, spaces and thousands of digits make no number, and no exception either."""
    assert whole_number(text, 1, 10) is None


def test_numbers_between_one_and_ten() -> None:
    """The bounds are in it, and zeros before a number do not count."""
    assert [whole_number(text, 1, 10) for text in ("1", "10", "01")] == [1, 10, 1]
    assert whole_number("0", 0, 0) == 0


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/BUCKET/k?partNumber="),
        ("HEAD", "/BUCKET/k?partNumber="),
        ("PUT", "/BUCKET/k?uploadId=UPLOAD&partNumber="),
        ("GET", "/BUCKET/k?uploadId=UPLOAD&max-parts="),
        ("GET", "/BUCKET/k?uploadId=UPLOAD&part-number-marker="),
        ("GET", "/BUCKET?uploads&max-uploads="),
        ("GET", "/BUCKET?max-keys="),
        ("GET", "/BUCKET?list-type=2&max-keys="),
        ("GET", "/?max-buckets="),
    ],
)
def test_numbers_in_queries(place: Place, numbered: tuple[str, str], method: str, target: str) -> None:
    """One check for all of them: none is a 500, and none is taken for another number."""
    bucket, upload = numbered
    address = target.replace("BUCKET", bucket).replace("UPLOAD", upload)
    for text in NONE:
        reply = place.send(method, address + quote(text), {}, b"x" if method == "PUT" else b"")
        assert (text, reply.status, reply.code) == (text, 400, "" if method == "HEAD" else "InvalidArgument")


@pytest.mark.parametrize("name", ["x-amz-max-parts", "x-amz-part-number-marker"])
def test_numbers_in_headers(place: Place, numbered: tuple[str, str], name: str) -> None:
    """So are those of GetObjectAttributes; space around a header's value is none."""
    for text in NONE:
        if text.isascii() and text == text.strip():
            headers = {"x-amz-object-attributes": "ObjectParts", name: text}
            reply = place.send("GET", f"/{numbered[0]}/parts?attributes", headers)
            assert (text, reply.code) == (text, "InvalidArgument")


def test_numbers_in_documents(place: Place, numbered: tuple[str, str]) -> None:
    """And those of CompleteMultipartUpload, around which there may be white space."""
    bucket, upload = numbered
    for text in NONE:
        part = f"<Part><PartNumber>{text}</PartNumber><ETag>x</ETag></Part>"
        body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
        reply = place.send("POST", f"/{bucket}/k?uploadId={upload}", {}, body)
        assert (text, reply.code) == (text, "InvalidPart" if text == " 1" else "MalformedXML")


@pytest.fixture(scope="module")
def numbered(place: Place) -> tuple[str, str]:
    """Give a bucket with the objects `k` and `parts`, one of them in parts with checksums, and an upload of `k`."""
    bucket, s3 = place.bucket("numbers"), place.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", ChecksumAlgorithm="SHA256")["UploadId"]
    members = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    done = s3.upload_part(**members, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256")
    part = {"PartNumber": 1, "ETag": done["ETag"], "ChecksumSHA256": done["ChecksumSHA256"]}
    s3.complete_multipart_upload(**members, MultipartUpload={"Parts": [part]})
    return bucket, s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
