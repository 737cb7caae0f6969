"""Who asks: signatures in headers and URLs, and S3's own error for each way in which they fail."""

import datetime
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.support.place import REGION, Place, error_of
from tests.support.server import User


def test_presigned_urls(place: Place, bucket: str, key: str) -> None:
    """A presigned URL writes and reads without any other credential; KMS is asked as the signer."""
    s3 = place.s3(checksums=False)
    members = {"Bucket": bucket, "Key": "a b", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    url = s3.generate_presigned_url("put_object", members)
    headers = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key}
    assert urllib3.request("PUT", url, body=b"data", headers=headers).status == 200
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b"}, ExpiresIn=60)
    assert urllib3.request("GET", url).data == b"data"
    reply = urllib3.request("GET", url.replace("X-Amz-Signature=", "X-Amz-Signature=0"))
    assert reply.status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in reply.data


def test_headers_in_a_presigned_query(place: Place, bucket: str, key: str) -> None:
    """x-amz- headers that the signer put into the query count as headers: encryption, copies, and what is refused."""
    kms = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key}
    reply = urllib3.request("PUT", presigned(place, "PUT", f"/{bucket}/k", kms), body=b"data")
    assert (reply.status, reply.headers["x-amz-server-side-encryption-aws-kms-key-id"]) == (200, key)
    copy = {"x-amz-copy-source": f"{bucket}/k"}
    assert urllib3.request("PUT", presigned(place, "PUT", f"/{bucket}/copy", copy)).status == 200
    assert place.s3().get_object(Bucket=bucket, Key="copy")["Body"].read() == b"data"
    customer = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
    assert urllib3.request("PUT", presigned(place, "PUT", f"/{bucket}/k", customer), body=b"data").status == 400


def test_checksum_in_a_presigned_query(place: Place, bucket: str) -> None:
    """A checksum that the signer put into the query is ignored, as in AWS: SDKs sign that of an empty body there."""
    query = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32"}
    reply = urllib3.request("PUT", presigned(place, "PUT", f"/{bucket}/k", query), body=b"data")
    assert reply.status == 200
    assert urllib3.request("GET", presigned(place, "GET", f"/{bucket}/k", {"x-amz-checksum-mode": "ENABLED"})).headers[
        "x-amz-checksum-crc64nvme"
    ]


def presigned(place: Place, method: str, target: str, query: dict[str, str], seconds: int = 3600) -> str:
    """Return a presigned URL with these names in its query, good for so many seconds."""
    request = AWSRequest(method, f"{place.url}{target}?{urlencode(query)}")
    credentials = Credentials(place.root.access_key_id, place.root.secret_access_key)
    S3SigV4QueryAuth(credentials, "s3", REGION, seconds).add_auth(request)
    url: str = request.prepare().url
    return url


def test_two_ways_to_authenticate(place: Place, bucket: str) -> None:
    """A presigned URL beside an Authorization header is AWS's InvalidArgument; the header's value is not repeated."""
    url = presigned(place, "GET", f"/{bucket}/k", {})
    reply = urllib3.request("GET", url, headers={"Authorization": "Bearer a-token"})
    assert reply.status == 400
    assert b"<Code>InvalidArgument</Code><Message>Only one auth mechanism allowed" in reply.data
    assert b"<ArgumentName>Authorization</ArgumentName>" in reply.data
    assert b"a-token" not in reply.data


def test_expired_url(place: Place, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A presigned URL past its time is AccessDenied with AWS's text."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    a_minute_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: a_minute_ago)
    for seconds, status in ((600, 200), (59, 403)):
        reply = urllib3.request("GET", presigned(place, "GET", f"/{bucket}/k", {}, seconds))
        assert reply.status == status
    assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in reply.data


def test_wrong_secret_and_unknown_key(place: Place, bucket: str) -> None:
    """SignatureDoesNotMatch and InvalidAccessKeyId, as SDKs know them."""
    wrong = User("root", place.root.access_key_id, "x" * 40)
    unknown = User("nobody", "AKIAAAAAAAAAAAAAAAAA", "x" * 40)
    for user, code in ((wrong, "SignatureDoesNotMatch"), (unknown, "InvalidAccessKeyId")):
        reply = place.send("GET", f"/{bucket}", user=user)
        assert (reply.status, reply.code) == (403, code)


def without(name: str) -> Callable[[dict[str, str]], None]:
    """Return a change that leaves a header out."""

    def change(headers: dict[str, str]) -> None:
        del headers[name]

    return change


def replaced(name: str, value: str) -> Callable[[dict[str, str]], None]:
    """Return a change that gives a header another value."""
    return lambda headers: headers.update({name: value})


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (replaced("Authorization", "AWS AKIA:signature"), 400, "InvalidRequest"),
        (replaced("Authorization", "AWS4-HMAC-SHA256 nonsense"), 400, "AuthorizationHeaderMalformed"),
        (replaced("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c"), 400, "AuthorizationHeaderMalformed"),
        (replaced("X-Amz-Date", "20010101T000000Z"), 400, "AuthorizationHeaderMalformed"),
        (replaced("x-amz-meta-new", "1"), 403, "AccessDenied"),
        (replaced("X-Amz-Security-Token", "x"), 403, "AccessDenied"),
        (replaced("X-Amz-Content-SHA256", "0" * 64), 403, "SignatureDoesNotMatch"),
        (without("X-Amz-Content-SHA256"), 400, "InvalidRequest"),
        (without("Authorization"), 403, "AccessDenied"),
    ],
)
def test_broken_headers(
    place: Place, bucket: str, change: Callable[[dict[str, str]], None], status: int, code: str
) -> None:
    """Each broken part of a signature has S3's code."""
    headers = place.signed("GET", f"/{bucket}")
    change(headers)
    reply = place.raw("GET", f"/{bucket}", headers)
    assert (reply.status, reply.code) == (status, code)


def test_clock_skew(place: Place, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is an hour off is RequestTimeTooSkewed."""
    import datetime

    from botocore import auth

    wrong = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    monkeypatch.setattr(auth, "get_current_datetime", lambda remove_tzinfo=True: wrong)
    reply = place.send("GET", f"/{bucket}")
    assert reply.status in {400, 403}
    assert reply.code in {"RequestTimeTooSkewed", "AuthorizationHeaderMalformed"}


def test_broken_presigned_queries(place: Place, bucket: str) -> None:
    """A query that is no whole signature has its own code."""
    url: Any = place.s3().generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    for broken in (url.split("&X-Amz-Expires")[0], url.replace("X-Amz-Expires=3600", "X-Amz-Expires=99999999")):
        reply = urllib3.request("GET", broken)
        assert reply.status == 400
        assert b"<Code>AuthorizationQueryParametersError</Code>" in reply.data


def test_refused_signature_is_recorded(place: Place, bucket: str) -> None:
    """An unauthenticated request leaves a record that names the access key it claimed."""
    unknown = User("nobody", "AKIAAAAAAAAAAAAAAAAA", "x" * 40)
    reply = place.send("GET", f"/{bucket}", user=unknown)
    (record,) = place.drafts(reply.headers["x-amz-request-id"])
    assert (record["error"], record["accessKey"]) == ("InvalidAccessKeyId", "AKIAAAAAAAAAAAAAAAAA")


def test_anonymous_gets_nothing(place: Place, bucket: str) -> None:
    """Without a signature and without a policy for everybody, everything is denied."""
    for method, target in (("GET", "/"), ("GET", f"/{bucket}"), ("PUT", f"/{bucket}/k"), ("POST", f"/{bucket}?delete")):
        reply = place.raw(method, target, {}, b"" if method == "GET" else b"x")
        assert (reply.status, reply.code) == (403, "AccessDenied")


def test_a_stranger_s_long_bucket_name_leaves_a_short_record(place: Place) -> None:
    """Every refused request stands in the audit log, so nobody may fill the disk with one."""
    reply = place.raw("GET", f"/{'b' * 20_000}/k", {})
    assert (reply.status, reply.code) == (400, "InvalidBucketName")
    assert len(json.dumps(place.drafts(reply.headers["x-amz-request-id"]))) < 2000


def test_deleted_right_counts_at_once(place: Place, bucket: str) -> None:
    """A policy that is taken away refuses the very next request."""
    from tests.support.policies import allow

    user = place.add_user(allow("s3:PutObject"))
    place.s3(user).put_object(Bucket=bucket, Key="k", Body=b"x")
    place.set_policy(user, allow("s3:ListBucket"))
    with pytest.raises(ClientError) as error:
        place.s3(user).put_object(Bucket=bucket, Key="k", Body=b"x")
    assert error_of(error.value)[0] == 403
