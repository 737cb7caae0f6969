"""Which service answers a request: the credential scope names it, and a target header means KMS."""

import pytest

from fuin.gate.http import Request
from fuin.server.application import service_of

TARGET = (b"x-amz-target", b"TrentService.ListKeys")


FORM = (b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")
ACTION = b"Action=GetCallerIdentity&Version=2011-06-15"


def asked(*headers: tuple[bytes, bytes], method: str = "POST", query: bytes = b"", path: bytes = b"/") -> bytes:
    """Return the service of a request, by default to /."""
    scope = {"type": "http", "method": method, "raw_path": path, "query_string": query, "headers": headers}

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    return service_of(Request(scope, receive))


def signed(service: bytes) -> tuple[bytes, bytes]:
    """Return an Authorization header of a service's scope."""
    return b"authorization", b"AWS4-HMAC-SHA256 Credential=AKIA/20261123/us-east-1/%b/aws4_request, Sig=x" % service


@pytest.mark.parametrize("service", [b"kms", b"s3", b"sts", b"iam"])
def test_scope_names_the_service(service: bytes) -> None:
    """Without a target the scope decides, in a header and in a presigned query."""
    assert asked(signed(service)) == service
    query = b"X-Amz-Credential=AKIA%%2F20261123%%2Fus-east-1%%2F%b%%2Faws4_request&X-Amz-Date=x" % service
    assert asked(query=query, method="GET") == service


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (signed(b"s3"),),
        (signed(b"KMS"),),
        ((b"authorization", b"Basic abc"),),
        ((b"authorization", b"Bearer x/y"),),
    ],
)
def test_target_means_kms(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """A KMS client that signs wrongly gets the error in JSON, from KMS, not in the XML of S3."""
    assert asked(TARGET, *headers) == b"kms"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        b"Basic abc",
        b"Bearer a/b/c/d/e",
        b"AWS AKIA:c2lnbmF0dXJl",
        b"AWS4-ECDSA-P256-SHA256 Credential=AKIA/20261129/sts/aws4_request, SignedHeaders=host, Signature=00",
        b"AWS4-HMAC-SHA256 Credential=AKIA, SignedHeaders=host, Signature=00",
    ],
)
def test_form_of_requests_without_a_scope(authorization: bytes | None) -> None:
    """A form posted to / and an Action in the query are for STS or IAM, JSON for KMS, and all else for S3."""
    given = () if authorization is None else ((b"authorization", authorization),)
    assert asked(*given) == b"sts"
    assert asked(*given, FORM) == b"sts"
    assert asked(*given, method="GET", query=ACTION) == b"sts"
    assert asked(*given, (b"content-type", b"application/x-amz-json-1.1")) == b"kms"
    assert asked(*given, method="GET") == b"s3"
    assert asked(*given, FORM, path=b"/bucket") == b"s3"
    assert asked(*given, FORM, path=b"/bucket/key", query=ACTION) == b"s3"
    # to a bucket's own host
    assert asked(*given, query=b"delete") == b"s3"
    assert asked(*given, (b"content-type", b"multipart/form-data; boundary=x")) == b"s3"


def test_presigned_query_in_another_way() -> None:
    """The scope of Signature V4A has no Region, so it goes by its form as well."""
    signature = b"&X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Credential=AKIA%2F20261129%2Fsts%2Faws4_request"
    assert asked(method="GET", query=ACTION + signature) == b"sts"
    assert asked(method="GET", query=signature, path=b"/bucket/key") == b"s3"


ORIGIN = (b"origin", b"https://app.example")
POSTS = (b"access-control-request-method", b"POST")


def wants(names: bytes) -> tuple[bytes, bytes]:
    """Return the header in which a browser names the headers of the request that it holds back."""
    return b"access-control-request-headers", names


def test_preflight_is_told_from_those_of_s3() -> None:
    """It is what a page sends that posts signed requests to /; no scope can name it."""
    kms, sts = wants(b"authorization,content-type,x-amz-date,x-amz-target"), wants(b"X-Amz-Security-Token")
    ours = {asked(ORIGIN, POSTS, names, method="OPTIONS") for names in (kms, sts, wants(b"amz-sdk-request"))}
    assert len(ours) == 1
    (ours_alone,) = ours
    assert ours_alone not in {b"s3", b"sts", b"kms", b"iam"}
    assert asked(signed(ours_alone)) != ours_alone
    for other in (
        (POSTS, kms), (ORIGIN, kms), (ORIGIN, POSTS), (ORIGIN, POSTS, wants(b"content-type")),
        (ORIGIN, (b"access-control-request-method", b"GET"), kms),
    ):  # fmt: skip
        assert asked(*other, method="OPTIONS") == b"s3"
    assert asked(ORIGIN, POSTS, kms, method="OPTIONS", path=b"/bucket") == b"s3"
    assert asked(ORIGIN, POSTS, kms, method="OPTIONS", query=b"delete") == b"s3"
