"""Encryption headers on the steps of a multipart upload: repeated ones are taken, other ones refused."""

import base64
import json
import secrets
from typing import Any

import pytest

from tests.s3.test_customer_keys import named
from tests.support.place import Place, Reply
from tests.support.policies import allow
from tests.support.server import User

SSE = "x-amz-server-side-encryption"
KEY, CONTEXT = f"{SSE}-aws-kms-key-id", f"{SSE}-context"


def encoded(**pairs: str) -> str:
    """Return an encryption context as its header has it."""
    return base64.b64encode(json.dumps(pairs).encode()).decode()


class Upload:
    """An upload of `k` with one part, whose further requests are made by hand."""

    def __init__(self, place: Place, bucket: str, **members: Any) -> None:
        self._place, self._bucket = place, bucket
        s3 = place.s3(checksums=False)
        self._id = s3.create_multipart_upload(Bucket=bucket, Key="k", **members)["UploadId"]
        self._etag = s3.upload_part(Bucket=bucket, Key="k", UploadId=self._id, PartNumber=1, Body=b"x")["ETag"]

    def complete(self, headers: dict[str, str], user: User | None = None) -> Reply:
        """Complete it with these headers."""
        part = f"<Part><PartNumber>1</PartNumber><ETag>{self._etag}</ETag></Part>"
        body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
        return self._place.send("POST", f"/{self._bucket}/k?uploadId={self._id}", headers, body, user=user)

    def part(self, headers: dict[str, str]) -> Reply:
        """Upload another part."""
        return self._place.send("PUT", f"/{self._bucket}/k?partNumber=2&uploadId={self._id}", headers, b"y")


def test_repeated_headers_of_sse_s3(place: Place, bucket: str) -> None:
    """minio-go repeats the header when it completes an upload; asked again, the answer is the same."""
    upload = Upload(place, bucket, ServerSideEncryption="AES256")
    assert upload.part({SSE: "AES256"}).status == 200
    for _ in range(2):
        reply = upload.complete({SSE: "AES256"})
        assert (reply.status, reply.headers[SSE]) == (200, "AES256")
    assert (upload.complete({SSE: "aws:kms"}).status, upload.complete({}).status) == (400, 200)


def test_repeated_headers_of_sse_kms(place: Place, bucket: str) -> None:
    """The key may be repeated as an ARN, an id or by an alias, and the context as it was given."""
    arn, alias = place.new_key(), f"alias/{secrets.token_hex(4)}"
    place.kms().create_alias(AliasName=alias, TargetKeyId=arn)
    members = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": alias, "SSEKMSEncryptionContext": encoded(a="1")}
    for key in (arn, arn.rpartition("/")[2], alias, arn.rpartition(":")[0] + f":{alias}", ""):
        upload = Upload(place, bucket, **members)
        headers = {SSE: "aws:kms", KEY: key, CONTEXT: encoded(a="1"), f"{SSE}-bucket-key-enabled": "false"}
        assert upload.part(headers).status == 200
        reply = upload.complete(headers)
        assert (reply.status, reply.headers[KEY]) == (200, arn), reply.body
    assert Upload(place, bucket, **members).complete({SSE: "aws:kms"}).status == 200


@pytest.mark.parametrize("headers", [
    {SSE: "AES256"}, {SSE: "aws:kms:dsse"}, {SSE: ""}, {KEY: "alias/no-such-alias"}, {KEY: "no key"},
    {SSE: "aws:kms", KEY: "00000000-0000-0000-0000-000000000000"}, {KEY: "alias/aws/s3"},
    {CONTEXT: encoded(a="2")}, {CONTEXT: encoded()}, {CONTEXT: "nonsense"}, {f"{SSE}-bucket-key-enabled": "maybe"},
])  # fmt: skip
def test_other_headers_of_sse_kms_are_refused(place: Place, bucket: str, key: str, headers: dict[str, str]) -> None:
    """Whoever names another encryption than the upload's expects it to hold, so nothing is made."""
    upload = Upload(
        place, bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=key, SSEKMSEncryptionContext=encoded(a="1")
    )
    for reply in (upload.part(headers), upload.complete(headers)):
        assert (reply.status, reply.code) == (400, "InvalidArgument")
    assert place.send("HEAD", f"/{bucket}/k").status == 404


def test_a_key_is_none_of_sse_s3(place: Place, bucket: str, key: str) -> None:
    """The service's own key has no name for clients, and its objects no context."""
    done = place.send("PUT", f"/{bucket}/other", {}, b"x")
    own = place.drafts(done.headers["x-amz-request-id"])[-1]["facts"]["keyArn"]
    for headers in ({KEY: key}, {SSE: "AES256", KEY: key}, {CONTEXT: encoded()}, {KEY: own}):
        reply = Upload(place, bucket).complete(headers)
        assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_customer_keys_stay_refused(place: Place, bucket: str) -> None:
    """Nothing is ever completed as if it had been encrypted under a customer's key."""
    upload = Upload(place, bucket)
    for headers in (named(), {f"{SSE}-customer-algorithm": "AES256"}):
        assert (upload.part(headers).status, upload.complete(headers).status) == (400, 400)


def test_an_alias_tells_nothing_to_strangers_of_the_key(place: Place, bucket: str) -> None:
    """Whether an alias names the upload's key is told only to those who may open its data key."""
    arn, alias = place.new_key(), f"alias/{secrets.token_hex(4)}"
    place.kms().create_alias(AliasName=alias, TargetKeyId=arn)
    upload = Upload(place, bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=arn)
    stranger = place.add_user(allow("s3:PutObject"))
    for name in (alias, "alias/no-such-alias"):
        reply = upload.complete({KEY: name}, stranger)
        assert (reply.status, reply.code) == (403, "AccessDenied")
        assert "kms:Decrypt" in reply.message
    assert upload.complete({KEY: arn}, stranger).status == 200


def test_reads_take_no_encryption_headers(place: Place, bucket: str) -> None:
    """AWS: 400 for x-amz-server-side-encryption on a GET or HEAD of an object under SSE-S3 or SSE-KMS."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    for method in ("GET", "HEAD"):
        assert place.send(method, f"/{bucket}/k", {SSE: "AES256"}).status == 400
