"""STS and IAM answer in JSON where they are asked to, as services of AWS's that speak Query do."""

import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fuin.identity.operations import SERVICES
from tests.support.place import ACCOUNT, Place

ACCEPT = {"Accept": "application/json"}
VERSIONS = {"sts": "2011-06-15", "iam": "2010-05-08"}


def ask(
    place: Place, service: str, action: str, headers: dict[str, str] | None = None, **members: str
) -> urllib3.BaseHTTPResponse:
    """Send one form, signed as root; headers are added behind the signature."""
    body = urlencode({"Action": action, "Version": VERSIONS[service], **members}).encode()
    request = AWSRequest(
        "POST", f"{place.url}/", data=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    SigV4Auth(Credentials(place.root.access_key_id, place.root.secret_access_key), service, "us-east-1").add_auth(
        request
    )
    return urllib3.request("POST", f"{place.url}/", headers={**request.headers, **(headers or {})}, body=body)


def read(answer: urllib3.BaseHTTPResponse, status: int = 200) -> Any:
    """Return the JSON of an answer."""
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
    return json.loads(answer.data)


@pytest.mark.parametrize(
    ("headers", "members"),
    [
        (ACCEPT, {}),
        ({"Accept": "application/json, text/plain, */*"}, {}),
        ({"Accept": "Application/JSON;q=0.9"}, {}),
        ({}, {"ContentType": "JSON"}),
    ],
)
def test_asked_for_in_two_ways(place: Place, headers: dict[str, str], members: dict[str, str]) -> None:
    """By the Accept header or by a parameter; the answer has the XML's elements as members."""
    answer = ask(place, "sts", "GetCallerIdentity", headers, **members)
    result = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root", "UserId": ACCOUNT}
    metadata = {"RequestId": answer.headers["x-amzn-RequestId"]}
    assert read(answer) == {
        "GetCallerIdentityResponse": {"GetCallerIdentityResult": result, "ResponseMetadata": metadata}
    }


@pytest.mark.parametrize("accept", ["*/*", "text/xml", "text/xml, application/json", "application/jsonp", ""])
def test_else_xml(place: Place, accept: str) -> None:
    """What SDKs accept is anything, which is XML."""
    answer = ask(place, "sts", "GetCallerIdentity", {"Accept": accept}, XContentType="JSON")
    assert (answer.headers["Content-Type"], answer.data[:1]) == ("text/xml", b"<")


def test_presigned_token_is_read_as_its_servers_do(place: Place) -> None:
    """Whoever checks a token for a cluster sends its URL with a header that it has signed, and wants JSON."""
    header = {"x-k8s-aws-id": "cluster"}
    request = AWSRequest("GET", f"{place.url}/?Action=GetCallerIdentity&Version=2011-06-15", headers=header)
    keys = Credentials(place.root.access_key_id, place.root.secret_access_key)
    SigV4QueryAuth(keys, "sts", "us-east-1", expires=60).add_auth(request)
    answer = read(urllib3.request("GET", request.url, headers={**header, **ACCEPT}))
    assert answer["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Account"] == ACCOUNT


def test_lists_dates_and_numbers(place: Place) -> None:
    """Lists are arrays, also empty ones; dates are seconds; flags and numbers stay what they are."""
    began = int(time.time())
    made = read(ask(place, "iam", "CreateUser", ACCEPT, UserName="json", **{
        "Tags.member.1.Key": "a", "Tags.member.1.Value": 'b é',
    }))["CreateUserResponse"]["CreateUserResult"]["User"]  # fmt: skip
    assert began <= made["CreateDate"] <= time.time()
    assert made["Tags"] == [{"Key": "a", "Value": "b é"}]
    assert "PermissionsBoundary" not in made
    listed = read(ask(place, "iam", "ListAccessKeys", ACCEPT, UserName="json"))["ListAccessKeysResponse"]
    assert listed["ListAccessKeysResult"] == {"AccessKeyMetadata": [], "IsTruncated": False}
    role = read(ask(place, "iam", "ListPolicies", ACCEPT, Scope="AWS"))["ListPoliciesResponse"]["ListPoliciesResult"]
    assert {type(policy["AttachmentCount"]) for policy in role["Policies"]} == {int}
    map_of = read(ask(place, "iam", "GetAccountSummary", ACCEPT))["GetAccountSummaryResponse"]
    assert map_of["GetAccountSummaryResult"]["SummaryMap"]["Users"] >= 1
    gone = ask(place, "iam", "DeleteUser", ACCEPT, UserName="json")
    assert list(read(gone)["DeleteUserResponse"]) == ["ResponseMetadata"]


@pytest.mark.parametrize(
    ("service", "action", "status", "code"),
    [
        ("iam", "CreateSAMLProvider", 400, "InvalidAction"),
        ("iam", "GetUser", 404, "NoSuchEntity"),
        ("sts", "AssumeRole", 400, "ValidationError"),
    ],
)
def test_errors(place: Place, service: str, action: str, status: int, code: str) -> None:
    """An error has code, message and side, and the request's id beside them."""
    answer = ask(place, service, action, ACCEPT, UserName="nobody")
    told = read(answer, status)
    assert told["RequestId"] == answer.headers["x-amzn-RequestId"]
    assert (told["Error"]["Code"], told["Error"]["Type"]) == (code, "Sender")
    assert told["Error"]["Message"]


@pytest.mark.parametrize("form", [b"ContentType=JSON", b"x=y&ContentType=JSON&z="])
def test_errors_before_the_form_is_read(place: Place, form: bytes) -> None:
    """A request that nobody has signed is told so in the notation that it asks for, in its body or its target."""
    for target, body in ((f"{place.url}/", form), (f"{place.url}/?Action=x&{form.decode()}", b"")):
        answer = urllib3.request("POST", target, body=body)
        assert read(answer, 403)["Error"]["Code"] == "MissingAuthenticationToken"


def test_every_output_can_be_written() -> None:
    """The shapes of all operations that are built are known to both notations."""
    for service in SERVICES.values():
        for name in service.operations:
            shape = service.model.load().operation_model(name).output_shape
            assert (service.model.plain(name, {}) == {}) is (shape is not None)
            if shape is not None:
                with pytest.raises(KeyError, match="has no member Unknown"):
                    service.model.plain(name, {"Unknown": 1})
