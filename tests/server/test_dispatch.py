"""Which service answers a request: the credential scope names it, and a target header means KMS."""

import pytest

from fuin.request import Request
from fuin.server.application import service_of

TARGET = (b"x-amz-target", b"TrentService.ListKeys")


def asked(*headers: tuple[bytes, bytes], method: str = "POST", query: bytes = b"") -> bytes:
    """Return the service of a request to /."""
    scope = {"type": "http", "method": method, "path": "/", "raw_path": b"/", "query_string": query, "headers": headers}

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
    """A KMS client that signs wrongly is told so in JSON, by KMS, not in the XML of S3."""
    assert asked(TARGET, *headers) == b"kms"


def test_form_of_unsigned_requests() -> None:
    """A form posted to / is for STS, and all else for S3."""
    assert asked() == b"sts"
    assert asked(method="GET") == b"s3"
    assert asked((b"authorization", b"Basic abc")) == b"s3"
