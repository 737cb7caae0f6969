"""S3's condition keys, and the global ones, in real policies of users and buckets."""

import datetime
import time
from collections.abc import Callable
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError

from fuin.access.request_keys import address
from fuin.gate.http import Request
from tests.support.place import ACCOUNT, REGION, Place, error_of
from tests.support.server import User

STRING, LIKE, BOOL, NULL, NUMBER = "StringEquals", "StringLike", "Bool", "Null", "NumericLessThan"
Ask = Callable[[Any, str, str], Any]  # of a client, a bucket and a KMS key


def _put(**members: Any) -> Ask:
    return lambda s3, bucket, key: s3.put_object(Bucket=bucket, Key="k", Body=b"x", **members)


def _under_key(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)


def _list(**members: Any) -> Ask:
    return lambda s3, bucket, key: s3.list_objects_v2(Bucket=bucket, **members)


def _copy(source: str, **members: Any) -> Ask:
    return lambda s3, bucket, key: s3.copy_object(
        Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": source}, **members
    )


def _upload(s3: Any, bucket: str, key: str) -> None:
    s3.create_multipart_upload(Bucket=bucket, Key="k")


def _get(s3: Any, bucket: str, key: str) -> None:
    s3.get_object(Bucket=bucket, Key="there")


def _delete(**members: Any) -> Ask:
    return lambda s3, bucket, key: s3.delete_object(Bucket=bucket, Key="gone", **members)


def _other_key(s3: Any, bucket: str, key: str) -> None:
    _put(ServerSideEncryption="aws:kms")(s3, bucket, key)


_SSE = "s3:x-amz-server-side-encryption"
# operator, key, value; what it allows, what not. KEY stands for the key's ARN.
REQUESTS: tuple[tuple[str, str, Any, Ask, Ask], ...] = (
    (STRING, _SSE, "aws:kms", _under_key, _put()),
    (NULL, _SSE, "true", _put(), _put(ServerSideEncryption="AES256")),
    (STRING, f"{_SSE}-aws-kms-key-id", "KEY", _under_key, _other_key),
    (STRING, "s3:prefix", ["", "home/ann/"], _list(Prefix="home/ann/"), _list(Prefix="home/")),
    (STRING, "s3:delimiter", "/", _list(Delimiter="/"), _list()),
    ("NumericLessThanEquals", "s3:max-keys", "10", _list(MaxKeys=10), _list(MaxKeys=11)),
    (STRING, "s3:x-amz-acl", "bucket-owner-full-control", _put(ACL="bucket-owner-full-control"), _put(ACL="private")),
    (STRING, "s3:x-amz-storage-class", "STANDARD", _put(StorageClass="STANDARD"), _put()),
    (NULL, "s3:if-none-match", "false", _put(IfNoneMatch="*"), _put()),
    (NULL, "s3:if-match", "true", _delete(), _delete(IfMatch='"x"')),
    (BOOL, "s3:ObjectCreationOperation", "true", _put(), _upload),
    (LIKE, "s3:x-amz-copy-source", "*/there", _copy("there"), _copy("also")),
    (STRING, "s3:x-amz-metadata-directive", "REPLACE", _copy("there", MetadataDirective="REPLACE"), _copy("there")),
)  # fmt: skip

# operator, key, a value that allows, one that does not, for a GetObject by boto3
VALUES: tuple[tuple[str, str, Any, Any], ...] = (
    (STRING, "s3:authType", "REST-HEADER", "REST-QUERY-STRING"),
    (STRING, "s3:signatureversion", "AWS4-HMAC-SHA256", "AWS"),
    (NUMBER, "s3:signatureAge", "600000", "0"),
    (STRING, "s3:ResourceAccount", ACCOUNT, "210987654321"),
    (STRING, "aws:ResourceAccount", ACCOUNT, "210987654321"),
    (NULL, "s3:TlsVersion", "true", "false"),
    (NULL, "s3:ExistingObjectTag/Stage", "true", "false"),
    (NULL, "s3:VersionId", "true", "false"),
    ("IpAddress", "aws:SourceIp", "127.0.0.0/8", "10.0.0.0/8"),
    (BOOL, "aws:SecureTransport", "false", "true"),
    (LIKE, "aws:UserAgent", "Boto3/*", "aws-cli/*"),
    (NULL, "aws:Referer", "true", "false"),
    (STRING, "aws:PrincipalAccount", ACCOUNT, "210987654321"),
    (STRING, "aws:PrincipalType", "User", "AssumedRole"),
    (BOOL, "aws:PrincipalIsAWSService", "false", "true"),
    (BOOL, "aws:ViaAWSService", "false", "true"),
    (LIKE, "aws:userid", "AIDA*", "AROA*"),
    (LIKE, "aws:username", "user-*", "ann"),
    ("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:user/*", f"arn:aws:iam::{ACCOUNT}:role/*"),
    (STRING, "aws:RequestedRegion", REGION, "eu-west-1"),
    (NULL, "aws:CalledVia", "true", "false"),
    (NULL, "aws:MultiFactorAuthPresent", "true", "false"),
    (NULL, "aws:TokenIssueTime", "true", "false"),
    (NULL, "aws:SourceArn", "true", "false"),
    (NULL, "kms:CallerAccount", "true", "false"),
    ("DateGreaterThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", "2100-01-01T00:00:00Z"),
    ("DateGreaterThan", "aws:EpochTime", "1767225600", "4102444800"),
    ("NumericGreaterThan", "aws:EpochTime", "1767225600", "4102444800"),
)  # fmt: skip


def conditioned(operator: str, key: str, value: Any, effect: str = "Allow") -> dict[str, Any]:
    """Return a policy with one condition on S3; KMS and the source of a copy are not limited."""
    limited = ["s3:PutObject", "s3:DeleteObject", "s3:ListBucket"]
    actions = limited if key.startswith("s3:") and key not in {case[1] for case in VALUES} else ["s3:*"]
    statements: list[dict[str, Any]] = [
        {"Effect": effect, "Action": actions, "Resource": "*", "Condition": {operator: {key: value}}},
        {"Effect": "Allow", "Action": "kms:*", "Resource": "*"},
    ]
    if actions == limited:
        statements.append({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
    if effect == "Deny":
        statements.append({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    return {"Version": "2012-10-17", "Statement": statements}


@pytest.fixture(scope="module")
def filled(place: Place) -> str:
    """Give a bucket with two objects."""
    bucket = place.bucket()
    for name in ("there", "also"):
        place.s3().put_object(Bucket=bucket, Key=name, Body=b"x")
    return bucket


@pytest.fixture(scope="module")
def user(place: Place) -> User:
    """Give a user whose policy the tests replace; a client takes its time to be made."""
    return place.add_user()


def denied(ask: Ask, s3: Any, bucket: str, key: str = "") -> bool:
    """Tell whether a call is answered with AccessDenied; any other answer is past the rights."""
    try:
        ask(s3, bucket, key)
    except ClientError as error:
        return error_of(error)[1] in {"AccessDenied", "403"}
    return False


@pytest.mark.parametrize(("operator", "name", "value", "meets", "fails"), REQUESTS)
def test_requests(
    place: Place, user: User, key: str, operator: str, name: str, value: Any, meets: Ask, fails: Ask
) -> None:
    """A request that meets the condition is allowed, one that does not is refused; a Deny turns it around."""
    bucket, chosen, s3 = place.bucket(), key if value == "KEY" else value, place.s3(user)
    for source in ("there", "also"):
        place.s3().put_object(Bucket=bucket, Key=source, Body=b"x")
    place.set_policy(user, conditioned(operator, name, chosen))
    assert not denied(meets, s3, bucket, key)
    assert denied(fails, s3, bucket, key)
    place.set_policy(user, conditioned(operator, name, chosen, "Deny"))
    assert denied(meets, s3, bucket, key)


@pytest.mark.parametrize(("operator", "name", "value", "other"), VALUES)
def test_values(place: Place, user: User, filled: str, operator: str, name: str, value: Any, other: Any) -> None:
    """What a request brings meets a condition on that value, and none on another."""
    place.set_policy(user, conditioned(operator, name, value))
    _get(place.s3(user), filled, "")
    place.set_policy(user, conditioned(operator, name, other))
    assert denied(_get, place.s3(user), filled)


def _presigned(place: Place, user: User, bucket: str) -> int:
    url = place.s3(user).generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "there"}, ExpiresIn=600)
    return urllib3.request("GET", url, retries=False).status


def test_presigned_urls(place: Place, user: User, filled: str) -> None:
    """A presigned URL is of type REST-QUERY-STRING, and its payload unsigned."""
    for key, value in (("s3:authType", "REST-QUERY-STRING"), ("s3:x-amz-content-sha256", "UNSIGNED-PAYLOAD")):
        statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {STRING: {key: value}}}
        place.set_policy(user, {"Version": "2012-10-17", "Statement": [statement]})
        assert _presigned(place, user, filled) == 200
        assert denied(_get, place.s3(user), filled)


def test_signature_age(place: Place, user: User, filled: str) -> None:
    """A bucket may refuse signatures that are older than some milliseconds."""
    place.set_policy(user, conditioned("NumericLessThan", "s3:signatureAge", "60000"))
    headers = place.signed("GET", f"/{filled}/there", user=user)
    assert place.raw("GET", f"/{filled}/there", headers).status == 200
    place.set_policy(user, conditioned("NumericLessThan", "s3:signatureAge", "1"))
    time.sleep(0.01)
    assert place.raw("GET", f"/{filled}/there", headers).status == 403


@pytest.mark.parametrize("name", ["aws:Referer", "aws:REFERER"])
def test_referer(place: Place, filled: str, name: str) -> None:
    """A bucket policy may want anonymous requests to come from one's own pages, as far as that goes."""
    bucket = place.bucket()
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    place.put_policy(bucket, {
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {LIKE: {name: "https://www.example.com/*"}, STRING: {"aws:PrincipalAccount": "anonymous"}},
    })  # fmt: skip
    assert place.raw("GET", f"/{bucket}/k", {"Referer": "https://www.example.com/page"}).status == 200
    assert place.raw("GET", f"/{bucket}/k", {"Referer": "https://www.example.org/page"}).status == 403
    assert place.raw("GET", f"/{bucket}/k", {}).status == 403


def test_anonymous_requests_are_of_no_service_and_have_no_arn(place: Place) -> None:
    """AWS: aws:PrincipalArn and aws:PrincipalIsAWSService are absent from anonymous requests."""
    bucket = place.bucket()
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")
    absent = ("aws:PrincipalArn", "aws:PrincipalIsAWSService", "aws:username", "s3:authType", "s3:signatureAge")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    place.put_policy(bucket, {**statement, "Condition": {NULL: dict.fromkeys(absent, "true")}})
    assert place.raw("GET", f"/{bucket}/k", {}).status == 200
    assert place.send("GET", f"/{bucket}/k", user=place.add_user()).status == 403


def test_the_key_sees_the_callers_address_and_not_s3s_keys(place: Place, user: User, bucket: str) -> None:
    """In what the object store asks of KMS the address is the caller's, and no key of S3 is there."""
    key = place.new_key()
    condition: dict[str, dict[str, str]] = {
        "IpAddress": {},
        NULL: {"s3:authType": "true", "s3:x-amz-server-side-encryption": "true", "aws:Referer": "true"},
        STRING: {"kms:ViaService": f"s3.{REGION}.amazonaws.com", "aws:RequestedRegion": REGION},
        "ForAllValues:StringEquals": {"aws:CalledVia": "s3.amazonaws.com"},
        LIKE: {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}/*"},
    }
    for given, is_denied in (("127.0.0.1", False), ("10.0.0.1", True)):
        condition["IpAddress"]["aws:SourceIp"] = given
        place.set_policy(user, {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": key, "Condition": condition},
                {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"},
            ],
        })  # fmt: skip
        assert denied(_under_key, place.s3(user), bucket, key) is is_denied


def test_dates(place: Place, user: User, filled: str) -> None:
    """aws:CurrentTime is the time of the request."""
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    for until, is_denied in ((now + hour, False), (now - hour, True)):
        place.set_policy(user, conditioned("DateLessThan", "aws:CurrentTime", f"{until:%Y-%m-%dT%H:%M:%SZ}"))
        assert denied(_get, place.s3(user), filled) is is_denied


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:a01:203", "::ffff:a01:203"),
    ],
)
def test_addresses(text: str, wanted: str) -> None:
    """An address is told as policies write it: IPv4 as IPv4, and without a zone."""
    assert address(text) == wanted


@pytest.mark.parametrize(("number", "version"), [(0x0303, "1.2"), (0x0304, "1.3"), (None, ""), (0x0305, "")])
def test_tls_version(number: int | None, version: str) -> None:
    """The version of TLS is ASGI's, as policies write it."""

    async def receive() -> dict[str, Any]:
        return {}

    scope: dict[str, Any] = {"method": "GET", "path": "/", "query_string": b"", "headers": [], "scheme": "https"}
    scope["extensions"] = {"tls": {"tls_version": number}}
    assert Request(scope, receive).tls_version == version
