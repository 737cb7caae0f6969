"""Pages of other origins, as browsers ask for them: KMS and STS let them read, IAM and S3 do not."""

import json
from pathlib import Path

import pytest
import urllib3
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.place import Place

ORIGIN = {"Origin": "https://app.example"}
# What AWS's SDK for JavaScript sends from a page, and so @aws-crypto/client-browser does.
SENT = (
    "amz-sdk-invocation-id,amz-sdk-request,authorization,content-type,x-amz-content-sha256,x-amz-date,"
    "x-amz-security-token,x-amz-target,x-amz-user-agent"
)
LET = "Access-Control-Allow-Origin"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
REQUESTS = {
    "kms": ({"X-Amz-Target": "TrentService.ListKeys", "Content-Type": "application/x-amz-json-1.1"}, b"{}"),
    "sts": (FORM, b"Action=GetCallerIdentity&Version=2011-06-15"),
    "iam": (FORM, b"Action=ListUsers&Version=2010-05-08"),
    "s3": ({}, b""),
}


def preflight(place: Place, asked: str) -> urllib3.BaseHTTPResponse:
    """Ask as a browser does before it posts."""
    headers = {
        **ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked,
    }  # fmt: skip
    return urllib3.request("OPTIONS", f"{place.url}/", headers=headers, retries=False)


def send(place: Place, service: str, origin: dict[str, str], *, signed: bool = True) -> urllib3.BaseHTTPResponse:
    """Send one request from a page."""
    headers, body = REQUESTS[service]
    method = "GET" if service == "s3" else "POST"
    request = AWSRequest(method, f"{place.url}/", headers=headers, data=body)
    if signed:
        keys = Credentials(place.root.access_key_id, place.root.secret_access_key)
        (S3SigV4Auth if service == "s3" else SigV4Auth)(keys, service, "us-east-1").add_auth(request)
    return urllib3.request(method, f"{place.url}/", headers={**request.headers, **origin}, body=body, retries=False)


def test_preflight_lets_clients_of_aws_post(place: Place) -> None:
    """Every header that the SDK sends is allowed by name, since `*` does not stand for Authorization."""
    answer = preflight(place, SENT)
    assert (answer.status, answer.data, answer.headers[LET]) == (200, b"", "*")
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(",")
    assert set(SENT.split(",")) <= set(allowed)
    assert "POST" in answer.headers["Access-Control-Allow-Methods"].split(",")
    assert {"x-amzn-RequestId", "x-amzn-ErrorType", "Date"} == set(
        answer.headers["Access-Control-Expose-Headers"].split(",")
    )


def test_preflight_leaves_no_record(place: Place) -> None:
    """Strangers may ask as often as they like, so it must not make the log grow."""

    def size() -> int:
        return sum(path.stat().st_size for path in Path(place.settings.data).rglob("audit/*"))

    before = size()
    for _ in range(3):
        preflight(place, SENT)
    assert size() == before
    send(place, "sts", {}, signed=False)
    assert size() > before


def test_preflight_of_s3_is_refused_by_s3(place: Place) -> None:
    """No bucket has a CORS configuration here."""
    answer = preflight(place, "content-type")
    assert (answer.status, LET in answer.headers) == (403, False)
    assert b"<Code>AccessForbidden</Code>" in answer.data


@pytest.mark.parametrize(("service", "readable"), [("kms", True), ("sts", True), ("iam", False), ("s3", False)])
@pytest.mark.parametrize("signed", [True, False])
def test_answers_may_be_read(place: Place, service: str, readable: bool, signed: bool) -> None:
    """An answer or an error, to a request that says where it comes from."""
    answer = send(place, service, ORIGIN, signed=signed)
    assert (answer.status == 200) is signed
    assert answer.headers.get(LET) == ("*" if readable else None)
    assert ("Access-Control-Expose-Headers" in answer.headers) is readable
    assert LET not in send(place, service, {}, signed=signed).headers


def test_error_of_kms_is_told_to_the_page(place: Place) -> None:
    """Its type is in a header that the page may read."""
    answer = send(place, "kms", ORIGIN, signed=False)
    kind = json.loads(answer.data)["__type"]
    assert answer.headers["x-amzn-ErrorType"] == kind == "MissingAuthenticationTokenException"
