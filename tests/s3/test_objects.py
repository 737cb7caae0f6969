"""PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects, as boto3 sees them."""

import hashlib
import os
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuin.settings import SMALL_OBJECT
from tests.support.place import Place, error_of


def test_object_comes_back_as_it_was_put(s3: Any, bucket: str) -> None:
    """Bytes, length, type, metadata and the MD5 as ETag come back under SSE-S3."""
    data = os.urandom(700_000)
    put = s3.put_object(Bucket=bucket, Key="a/b c+d%é.bin", Body=data, ContentType="x/y", Metadata={"Colour": "a  b"})
    assert put["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="a/b c+d%é.bin")
    assert got["Body"].read() == data
    assert got["ContentLength"] == len(data)
    assert got["ContentType"] == "x/y"
    assert got["Metadata"] == {"colour": "a  b"}
    assert got["ServerSideEncryption"] == "AES256"
    assert got["AcceptRanges"] == "bytes"
    assert "VersionId" not in got


@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, 1_048_576, 3_000_001])
def test_every_size_comes_back(place: Place, bucket: str, key: str, size: int) -> None:
    """Sizes around the frames' and batches' edges come back, empty objects too, under SSE-KMS."""
    data = os.urandom(size)
    s3 = place.s3(checksums=False)
    s3.put_object(Bucket=bucket, Key="k", Body=data, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == size


def test_standard_headers_come_back_and_can_be_overridden(s3: Any, bucket: str) -> None:
    """Cache-Control and its kin are kept; the query of a GET overrides them."""
    s3.put_object(
        Bucket=bucket, Key="k", Body=b"x", CacheControl="no-store", ContentDisposition="inline",
        ContentEncoding="gzip", ContentLanguage="ja", ContentType="text/plain",
    )  # fmt: skip
    got = s3.head_object(Bucket=bucket, Key="k")
    kept = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType")
    assert [got[name] for name in kept] == ["no-store", "inline", "gzip", "ja", "text/plain"]
    got = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="a/b", ResponseCacheControl="max-age=1")
    assert (got["ContentType"], got["CacheControl"], got["ContentLanguage"]) == ("a/b", "max-age=1", "ja")


@pytest.mark.parametrize("value", ["a%0D%0Ab", "a%00b", "a%7Fb", "%E6%97%A5%E6%9C%AC"])
def test_response_overrides_that_no_header_can_hold(place: Place, bucket: str, value: str) -> None:
    """A line break would split the header, and what is not in Latin-1 cannot be said there; AWS's text."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    for method in ("GET", "HEAD"):
        reply = place.send(method, f"/{bucket}/k?response-content-type={value}")
        assert reply.status == 400
    reply = place.send("GET", f"/{bucket}/k?response-content-type={value}")
    assert (reply.code, reply.text("ArgumentName")) == ("InvalidArgument", "response-content-type")
    assert reply.message == "Header value cannot be represented using ISO-8859-1."


def test_response_overrides_are_in_latin_1(place: Place, bucket: str) -> None:
    """One byte for a letter, as AWS sends it; browsers take the name of a download from there."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = place.send("GET", f"/{bucket}/k?response-content-disposition=filename%3D%22gr%C3%B6%C3%9Fe%22")
    assert reply.headers["content-disposition"].encode("latin-1") == b'filename="gr\xf6\xdfe"'


def test_empty_standard_headers_are_none(place: Place, bucket: str) -> None:
    """SDKs send empty headers for empty strings; an object has the default type then, and no empty header."""
    names = ("content-type", "cache-control", "content-disposition", "content-language", "expires")
    assert place.send("PUT", f"/{bucket}/k", dict.fromkeys(names, ""), b"x").status == 200
    headers = place.send("HEAD", f"/{bucket}/k").headers
    assert headers["content-type"] == "binary/octet-stream"
    assert not headers.keys() & set(names[1:])


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_empty_headers_ask_for_nothing(place: Place, bucket: str, method: str) -> None:
    """Known of AWS for x-amz-tagging and x-amz-acl; with a value each of them is still refused."""
    names = (
        "x-amz-tagging", "x-amz-acl", "x-amz-grant-read", "x-amz-storage-class", "x-amz-website-redirect-location",
        "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold",
    )  # fmt: skip
    target = f"/{bucket}/k" if method == "PUT" else f"/{bucket}/k?uploads"
    assert place.send(method, target, dict.fromkeys(names, "")).status == 200
    assert place.send(method, target, {"x-amz-website-redirect-location": "/x"}).status == 501
    assert place.send(method, target, {"x-amz-acl": "public-read"}).status == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-amz-expected-bucket-owner": ""}, 400),
        ({"x-amz-server-side-encryption": ""}, 400),
        ({"x-amz-server-side-encryption-aws-kms-key-id": ""}, 400),
        ({"x-amz-server-side-encryption-customer-algorithm": ""}, 400),
        ({"content-md5": ""}, 400),
        ({"x-amz-checksum-crc32": ""}, 400),
        ({"if-none-match": ""}, 501),
        ({"if-match": ""}, 404),
    ],
)
def test_empty_guards_are_not_passed_over(place: Place, bucket: str, headers: dict[str, str], status: int) -> None:
    """Who sends an owner, a digest, an encryption or a condition wants protection: an empty one is an error."""
    assert place.send("PUT", f"/{bucket}/k", headers, b"x").status == status


def test_if_range(place: Place, bucket: str) -> None:
    """A range is given only of the object that the client has a part of already; else it gets the whole, with 200."""
    s3 = place.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"A" * 20)
    old = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"B" * 30)
    head = place.send("HEAD", f"/{bucket}/k").headers
    etag, modified = head["etag"], head["last-modified"]
    for held in (etag, etag.strip('"'), modified, ""):
        reply = place.send("GET", f"/{bucket}/k", {"Range": "bytes=10-", "If-Range": held})
        assert (reply.status, reply.headers["content-range"], reply.body) == (206, "bytes 10-29/30", b"B" * 20)
    year_before = "Sun, 29 Nov 2020 00:00:00 GMT"
    year_after = "Sun, 29 Nov 2099 00:00:00 GMT"
    for other in (old, f"W/{etag}", "*", f'{etag}, "x"', year_before, year_after, "nonsense"):
        for start in ("10", "9999"):  # nor is what lies beyond the end told by a 416 then
            reply = place.send("GET", f"/{bucket}/k", {"Range": f"bytes={start}-", "If-Range": other})
            assert (reply.status, reply.headers.get("content-range"), reply.body) == (200, None, b"B" * 30)
        assert place.send("HEAD", f"/{bucket}/k", {"Range": "bytes=10-", "If-Range": other}).status == 200
    assert place.send("GET", f"/{bucket}/k", {"If-Range": old}).status == 200  # without Range it is ignored
    assert place.send("GET", f"/{bucket}/k?partNumber=1", {"If-Range": old}).status == 206


def test_too_much_metadata_is_refused(s3: Any, bucket: str) -> None:
    """More than 2 KB of user metadata is refused, and nothing is stored."""
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "b" * 2048})
    assert error_of(error.value)[:2] == (400, "MetadataTooLarge")
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("deflate, gzip", "deflate, gzip"), ("gzip, aws-chunked", "gzip"), ("aws-chunked,gzip", "gzip"),
     ("aws-chunked", None), ("AWS-Chunked, aws-chunked", None)],
)  # fmt: skip
def test_content_encoding_is_the_object_s(place: Place, bucket: str, sent: str, kept: str | None) -> None:
    """What is the transfer's own is left out of Content-Encoding, and the rest stays as it came."""
    assert place.send("PUT", f"/{bucket}/k", {"content-encoding": sent}, b"x").status == 200
    assert place.send("HEAD", f"/{bucket}/k").headers.get("content-encoding") == kept


@pytest.mark.parametrize("members", [{"IfMatchSize": 9}, {"IfMatchLastModifiedTime": 0}])
def test_condition_of_a_delete_is_not_ignored(s3: Any, bucket: str, members: dict[str, Any]) -> None:
    """A delete under a condition that is not built is refused, and the object stays."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with pytest.raises(ClientError) as error:
        s3.delete_object(Bucket=bucket, Key="k", **members)
    assert error_of(error.value)[:2] == (501, "NotImplemented")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"ACL": "public-read"}, "AccessControlListNotSupported"),
        ({"GrantRead": "uri=x"}, "AccessControlListNotSupported"),
        ({"StorageClass": "OUTPOSTS"}, "InvalidStorageClass"),
        ({"StorageClass": "NO_SUCH"}, "InvalidStorageClass"),
        ({"WebsiteRedirectLocation": "/x"}, "NotImplemented"),
        ({"ObjectLockLegalHoldStatus": "ON"}, "InvalidRequest"),
    ],
)
def test_what_is_not_built_is_refused(place: Place, bucket: str, members: dict[str, Any], code: str) -> None:
    """Headers whose meaning is not built are refused, never ignored."""
    request = place.s3()
    with pytest.raises(ClientError) as error:
        request.put_object(Bucket=bucket, Key="k", Body=b"x", **members)
    assert error_of(error.value)[1] == code


@pytest.mark.parametrize("acl", ["private", "bucket-owner-full-control"])
def test_acls_that_change_nothing_are_taken(s3: Any, bucket: str, acl: str) -> None:
    """Clients that always send a canned ACL for the owner work."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL=acl)


def test_missing_objects_and_buckets(s3: Any, bucket: str) -> None:
    """404 with NoSuchKey and NoSuchBucket; HEAD without a body."""
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="none")
    assert error_of(error.value)[:2] == (404, "NoSuchKey")
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=bucket, Key="none")
    assert error_of(error.value)[:2] == (404, "404")
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="no-such-bucket", Key="k", Body=b"x")
    assert error_of(error.value)[:2] == (404, "NoSuchBucket")


def test_key_too_long(s3: Any, bucket: str) -> None:
    """1,024 bytes of key are taken, one more is not."""
    s3.put_object(Bucket=bucket, Key="é" * 512, Body=b"x")
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="é" * 512 + "a", Body=b"x")
    assert error_of(error.value)[:2] == (400, "KeyTooLongError")


def test_delete_is_idempotent_and_removes_the_bytes(place: Place, bucket: str) -> None:
    """After a delete neither the object nor its blob is there; deleting again succeeds."""
    s3 = place.s3()
    before = set(place.blobs())
    s3.put_object(Bucket=bucket, Key="k", Body=bytes(SMALL_OBJECT + 1))
    (blob,) = set(place.blobs()) - before
    assert s3.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204
    s3.delete_object(Bucket=bucket, Key="k")
    place.settle()
    assert not blob.exists()


def test_overwriting_replaces_the_bytes(place: Place, bucket: str) -> None:
    """An overwritten object leaves one blob, the new one."""
    s3 = place.s3()
    before = set(place.blobs())
    for number in range(3):
        s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % number * (SMALL_OBJECT + 1))
    place.settle()
    assert len(set(place.blobs()) - before) == 1
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2" * (SMALL_OBJECT + 1)


def test_conditional_writes(s3: Any, bucket: str) -> None:
    """If-None-Match: * creates only; If-Match replaces only what it names."""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert error_of(error.value)[:2] == (412, "PreconditionFailed")
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch='"00"')
    assert error_of(error.value)[:2] == (412, "PreconditionFailed")
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="new", Body=b"2", IfMatch=etag)
    assert error_of(error.value)[:2] == (404, "NoSuchKey")


def test_conditional_reads(s3: Any, bucket: str) -> None:
    """If-Match and its three kin give 200, 304 and 412."""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    moment = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)["Body"].read() == b"1"
    cases = [({"IfMatch": '"0"'}, 412), ({"IfNoneMatch": etag}, 304), ({"IfModifiedSince": moment}, 304),
             ({"IfUnmodifiedSince": moment.replace(year=2001)}, 412)]  # fmt: skip
    for members, status in cases:
        for call in (s3.get_object, s3.head_object):
            with pytest.raises(ClientError) as error:
                call(Bucket=bucket, Key="k", **members)
            assert error_of(error.value)[0] == status


def test_many_objects_are_deleted_at_once(s3: Any, bucket: str) -> None:
    """DeleteObjects tells of each key, and of none when it shall be quiet."""
    names = [f"k{number}" for number in range(5)]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": name} for name in (*names[:3], "none")]})
    assert [item["Key"] for item in done["Deleted"]] == [*names[:3], "none"]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": name} for name in names], "Quiet": True})
    assert "Deleted" not in done
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_each_of_many_deletes_has_its_own_condition(s3: Any, bucket: str) -> None:
    """An object whose ETag is another one stays, and is told as an error; the others go."""
    etags = {name: s3.put_object(Bucket=bucket, Key=name, Body=name.encode())["ETag"] for name in "abc"}
    wanted = [
        {"Key": "a", "ETag": etags["a"]}, {"Key": "b", "ETag": etags["a"]}, {"Key": "c", "ETag": "*"},
        {"Key": "none", "ETag": etags["a"]}, {"Key": "other"},
    ]  # fmt: skip
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    assert [item["Key"] for item in done["Deleted"]] == ["a", "c", "other"]
    assert [(item["Key"], item["Code"]) for item in done["Errors"]] == [
        ("b", "PreconditionFailed"), ("none", "NoSuchKey"),
    ]  # fmt: skip
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["b"]
    twice = [{"Key": "b", "ETag": etags["b"]}, {"Key": "b", "ETag": etags["a"]}]
    assert [item["Code"] for item in s3.delete_objects(Bucket=bucket, Delete={"Objects": twice})["Errors"]] == [
        "PreconditionFailed"
    ]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [wanted[1] | {"ETag": etags["b"]}], "Quiet": True})
    assert "Errors" not in done
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_object_attributes(s3: Any, bucket: str) -> None:
    """GetObjectAttributes gives what was asked for and no more."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"12345", ChecksumAlgorithm="SHA256")
    got = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize", "Checksum"])
    assert got["ObjectSize"] == 5
    assert got["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    assert "ChecksumSHA256" in got["Checksum"]
    assert "ETag" not in got


@pytest.fixture(scope="module")
def ranged(place: Place, key: str) -> tuple[str, bytes]:
    """Give a bucket with an object `k` of several frames and an uneven end."""
    name, data = place.bucket("ranged"), os.urandom(262_144 * 4 + 77)
    place.s3(checksums=False).put_object(
        Bucket=name, Key="k", Body=data, ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    return name, data


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 262_144 * 4 + 76), length=st.integers(1, 600_000), form=st.sampled_from("aos"))
def test_ranges_equal_slices(place: Place, ranged: tuple[str, bytes], start: int, length: int, form: str) -> None:
    """Every range is the slice of the plaintext: a-b, a- and -n."""
    name, data = ranged
    header, wanted = {
        "a": (f"bytes={start}-{start + length - 1}", data[start : start + length]),
        "o": (f"bytes={start}-", data[start:]),
        "s": (f"bytes=-{length}", data[-length:]),
    }[form]
    got = place.s3().get_object(Bucket=name, Key="k", Range=header)
    assert got["Body"].read() == wanted
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    first = len(data) - len(wanted) if form != "a" else start
    assert got["ContentRange"] == f"bytes {first}-{first + len(wanted) - 1}/{len(data)}"
    assert "ChecksumCRC64NVME" not in got


@pytest.mark.parametrize("header", ["bytes=9999999-", "bytes=9999999-99999999", "bytes=-0"])
def test_unsatisfiable_ranges(place: Place, ranged: tuple[str, bytes], header: str) -> None:
    """A range beyond the end is 416 with the object's size."""
    reply = place.send("GET", f"/{ranged[0]}/k", {"Range": header})
    assert (reply.status, reply.code) == (416, "InvalidRange")
    assert reply.text("ActualObjectSize") == str(len(ranged[1]))


@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "lines=1-2", "bytes=", "bytes=5-2", "bytes=a-b"])
def test_other_ranges_give_the_whole(place: Place, ranged: tuple[str, bytes], header: str) -> None:
    """Several ranges, other units and nonsense mean the whole object."""
    reply = place.send("GET", f"/{ranged[0]}/k", {"Range": header})
    assert reply.status == 200
    assert reply.body == ranged[1]
