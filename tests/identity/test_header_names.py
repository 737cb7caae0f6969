"""Names of headers in answers are spelled as AWS spells them: there are drivers that compare them byte for byte.

A database's driver with field encryption takes an answer of KMS without `Content-Length` for one without a body.
"""

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.place import Place

Names = Callable[[str], str]
COMMON = {"Date", "Content-Type", "Content-Length"}
OF_S3 = {"Date", "x-amz-request-id", "x-amz-id-2"}
OBJECT = {
    *OF_S3, "Content-Type", "Content-Length", "ETag", "Last-Modified", "Accept-Ranges", "Content-Encoding",
    "Cache-Control", "Content-Disposition", "Content-Language", "Expires", "x-amz-meta-colour",
    "x-amz-server-side-encryption",
}  # fmt: skip
KEPT = {
    "Content-Encoding": "x", "Cache-Control": "no-store", "Content-Disposition": "inline", "Content-Language": "ja",
    "Expires": "Sun, 29 Nov 2026 18:00:00 GMT", "x-amz-meta-colour": "red",
}  # fmt: skip
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CORS = {"Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}


def names(place: Place, raw: bytes) -> set[str]:
    """Return the names of the headers that answer what is sent, as they come over the wire."""
    url = urlsplit(place.url)
    with socket.create_connection((url.hostname, url.port), 10) as connection:
        connection.sendall(raw)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {line.partition(":")[0] for line in head} - {"Connection", "Server"}


def ask(
    place: Place, service: str, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> set[str]:
    """Send a request that is signed as root (of no service: unsigned)."""
    request = AWSRequest(method, f"{place.url}{target}", headers=headers or {}, data=body)
    if service:
        keys = Credentials(place.root.access_key_id, place.root.secret_access_key)
        (S3SigV4Auth if service == "s3" else SigV4Auth)(keys, service, "us-east-1").add_auth(request)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    head = "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {urlsplit(place.url).netloc}", *lines])
    return names(place, f"{head}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def test_answers_of_kms(place: Place) -> None:
    """An answer, an error, one to a page of another origin."""
    target = {"X-Amz-Target": "TrentService.ListKeys"}
    answered = {*COMMON, "x-amzn-RequestId"}
    assert ask(place, "kms", "POST", "/", target, b"{}") == answered
    assert ask(place, "", "POST", "/", target, b"{}") == {*answered, "x-amzn-ErrorType"}
    assert ask(place, "kms", "POST", "/", {**target, "Origin": "https://app.example"}, b"{}") == {*answered, *CORS}


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_answers_of_sts_and_iam(place: Place, accept: str) -> None:
    """Answers and errors, in XML and in JSON."""
    answered = {*COMMON, "x-amzn-RequestId"}
    for service, form in (
        ("sts", b"Action=GetCallerIdentity&Version=2011-06-15"),
        ("iam", b"Action=ListUsers&Version=2010-05-08"),
    ):
        for signed in (service, ""):
            assert ask(place, signed, "POST", "/", {**FORM, "Accept": accept}, form) == answered


def test_answers_of_s3(place: Place, unique: Names) -> None:
    """All that answers have of S3: its own names in lower case, those of HTTP as HTTP writes them."""
    bucket = f"/{unique('names')}"
    assert ask(place, "s3", "PUT", bucket) == {*OF_S3, "Content-Length", "Location"}
    written = {*OF_S3, "Content-Length", "ETag", "x-amz-server-side-encryption"}
    checksums = {"x-amz-checksum-crc64nvme", "x-amz-checksum-type"}
    assert ask(place, "s3", "PUT", f"{bucket}/k", KEPT, b"body") - checksums == written
    assert ask(place, "s3", "GET", f"{bucket}/k") == OBJECT
    assert ask(place, "s3", "HEAD", f"{bucket}/k") == OBJECT
    assert ask(place, "s3", "GET", f"{bucket}/k", {"Range": "bytes=0-1"}) == {*OBJECT, "Content-Range"}
    override = ask(place, "s3", "GET", f"{bucket}/k?response-content-type=text%2Fplain&response-expires=never")
    assert override == OBJECT
    assert ask(place, "s3", "GET", f"{bucket}/k", {"If-None-Match": "*"}) == {*OF_S3, "ETag", "Last-Modified"}
    document = {*OF_S3, "Content-Type", "Content-Length"}
    assert ask(place, "s3", "GET", f"{bucket}/none") == document
    assert ask(place, "s3", "GET", f"{bucket}?list-type=2") == document
    assert ask(place, "", "GET", bucket) == document
    policy = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"'
    place.service("s3").put_bucket_policy(Bucket=bucket[1:], Policy=f'{policy}arn:aws:s3:::{bucket[1:]}/x"}}}}')
    assert ask(place, "s3", "GET", f"{bucket}?policy") == document
    upload = ask(place, "s3", "POST", f"{bucket}/parts?uploads")
    assert upload - {"x-amz-server-side-encryption", "x-amz-checksum-algorithm", "x-amz-checksum-type"} == document
    assert ask(place, "s3", "DELETE", f"{bucket}/k") == OF_S3


def test_answers_of_no_service(place: Place) -> None:
    """A preflight, and what is no request at all."""
    preflight = {
        "Origin": "https://app.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-amz-target",
    }  # fmt: skip
    asked = {f"Access-Control-{name}" for name in ("Allow-Methods", "Allow-Headers", "Max-Age")}
    assert ask(place, "", "OPTIONS", "/", preflight) == {"Date", "Content-Length", *CORS, *asked}
    assert names(place, b"no request\r\n\r\n") == COMMON
