"""Requests to STS, IAM and KMS that are signed in another way are answered in the service's own shape."""

import json

import pytest
import urllib3

from tests.support.place import Place

V4A = "AWS4-ECDSA-P256-SHA256 Credential=AKIA/20261129/sts/aws4_request, SignedHeaders=host, Signature=00"
STS, IAM = "Action=GetCallerIdentity&Version=2011-06-15", "Action=ListUsers&Version=2010-05-08"
TEXT = "is not supported. Please use AWS4-HMAC-SHA256."


@pytest.mark.parametrize("authorization", [V4A, "Bearer x", "Basic x", "AWS AKIA:c2ln"])
@pytest.mark.parametrize(("form", "service"), [(STS, "sts"), (IAM, "iam")])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_query_requests(place: Place, authorization: str, form: str, service: str, method: str) -> None:
    """IncompleteSignature, under the namespace of the service whose version it names, and a record of that service."""
    headers = {"Authorization": authorization, "Content-Type": "application/x-www-form-urlencoded"}
    target, body = (f"{place.url}/", form) if method == "POST" else (f"{place.url}/?{form}", None)
    answer = urllib3.request(method, target, headers=headers, body=body, retries=False)
    text = answer.data.decode()
    assert answer.status == 400
    assert text.startswith(f'<ErrorResponse xmlns="https://{service}.amazonaws.com/doc/{form[-10:]}/">')
    assert "<Code>IncompleteSignature</Code>" in text
    assert TEXT in text
    (record,) = place.record(answer.headers["x-amzn-RequestId"])
    assert record.draft["operation"] == f"{service}:Unknown"


def test_presigned_query_of_another_kind(place: Place) -> None:
    """Signature V4A in the query is refused by STS as well."""
    query = f"{STS}&X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Credential=AKIA%2F20261129%2Fsts%2Faws4_request"
    query += "&X-Amz-Date=20261129T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00&X-Amz-Expires=60"
    answer = urllib3.request("GET", f"{place.url}/?{query}", retries=False)
    assert (answer.status, b"<Code>IncompleteSignature</Code>" in answer.data) == (400, True)


def test_unsigned_query_in_the_target(place: Place) -> None:
    """A GetCallerIdentity that nobody has signed is refused by STS, not as a list of buckets."""
    answer = urllib3.request("GET", f"{place.url}/?{STS}", retries=False)
    assert (answer.status, b"<Code>MissingAuthenticationToken</Code>" in answer.data) == (403, True)


@pytest.mark.parametrize("target", [{"X-Amz-Target": "TrentService.ListKeys"}, {}])
def test_requests_to_kms(place: Place, target: dict[str, str]) -> None:
    """KMS answers in JSON whatever is in the header, and also who has forgotten the target."""
    headers = {"Authorization": "Bearer x", "Content-Type": "application/x-amz-json-1.1", **target}
    answer = urllib3.request("POST", f"{place.url}/", headers=headers, body=b"{}", retries=False)
    code = json.loads(answer.data)["__type"]
    assert (answer.status, code) == (400, "IncompleteSignatureException" if target else "UnknownOperationException")
