"""TLS for SSE-KMS and SSE-C: demanded by a setting, and then as AWS demands it.

That everything goes on over TLS is shown by all tests of clients that use `tls_server`, which has the setting.
"""

import dataclasses
from pathlib import Path

import pytest

from fuin.cli.serve import check_together
from fuin.errors import FuinError
from fuin.gate.http import Receive, Request, Scope
from fuin.settings import Settings
from fuin.testing.kit import http as edge
from tests.s3.test_customer_keys import SOURCE, allow, named
from tests.support import forms
from tests.support.place import Place, Reply

SSE = "x-amz-server-side-encryption"
KMS = {SSE: "aws:kms"}
WITH_KMS = (
    400, "InvalidArgument",
    "Requests specifying Server Side Encryption with AWS KMS managed keys must be made over a secure connection.",
)  # fmt: skip
WITH_KEY = (
    400, "InvalidRequest",
    "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.",
)  # fmt: skip


def error(reply: Reply) -> tuple[int, str, str]:
    """Return the error of an answer."""
    return reply.status, reply.code, reply.message


@pytest.fixture
def objects(place: Place, bucket: str) -> str:
    """Give a bucket with the objects `kms`, `own` (SSE-C) and `plain` (SSE-S3)."""
    allow(place, bucket)
    for name, headers in (("kms", KMS), ("own", named()), ("plain", {})):
        assert place.send("PUT", f"/{bucket}/{name}", headers, b"x").status == 200
    return bucket


@pytest.fixture
def strict(place: Place, objects: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the same bucket, of a server that now demands TLS, though this one has none."""
    settings = dataclasses.replace(place.services.settings, require_tls_for_sse=True)
    monkeypatch.setattr(place.services, "settings", settings)
    return objects


def test_sse_kms_needs_tls(place: Place, strict: str) -> None:
    """Writes that a header or the bucket encrypts, reads, copies and parts; nothing is stored, and no key is used."""
    path = f"/{strict}"
    reply = place.send("PUT", f"{path}/new", KMS, b"x")
    assert error(reply) == WITH_KMS
    assert (reply.text("ArgumentName"), reply.text("ArgumentValue")) == (SSE, "aws:kms")
    assert [draft for draft in place.drafts(reply.headers["x-amz-request-id"]) if "use" in draft] == []
    stranger = place.add_user()  # AWS looks at the headers before it asks for rights
    assert error(place.send("PUT", f"{path}/new", KMS, b"x", user=stranger)) == WITH_KMS
    assert place.send("PUT", f"{path}/new", {}, b"x", user=stranger).status == 403
    for method, target, headers in (
        ("GET", "/kms", {}), ("POST", "/new?uploads", KMS), ("PUT", "/new", {"x-amz-copy-source": f"{path}/kms"}),
        ("PUT", "/new", {"x-amz-copy-source": f"{path}/plain"} | KMS),
        ("GET", "/kms?attributes", {"x-amz-object-attributes": "Checksum"}),
    ):  # fmt: skip
        assert error(place.send(method, path + target, headers)) == WITH_KMS, (method, target)
    assert place.send("HEAD", f"{path}/kms").status == 400
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    place.s3().put_bucket_encryption(Bucket=strict, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert error(place.send("PUT", f"{path}/new", {}, b"x")) == WITH_KMS
    form = place.s3().generate_presigned_post(Bucket=strict, Key="new")["fields"]
    assert error(forms.send(place, strict, form)) == WITH_KMS
    assert place.send("HEAD", f"{path}/new").status == 404
    assert place.send("DELETE", f"{path}/kms").status == 204


def test_a_key_of_the_clients_needs_tls(place: Place, strict: str) -> None:
    """Each request with one, before anything else is looked at; also in a form, a URL and for a copy's source."""
    path = f"/{strict}"
    for method, target, headers in (
        ("PUT", "/new", named()), ("GET", "/own", named()), ("POST", "/new?uploads", named()),
        ("PUT", "/new", {"x-amz-copy-source": f"{path}/own"} | named(prefix=SOURCE)),
        ("GET", "/none", {"x-amz-server-side-encryption-customer-key": "nonsense"}),
    ):  # fmt: skip
        assert error(place.send(method, path + target, headers)) == WITH_KEY, (method, target)
    assert place.send("HEAD", f"{path}/own", named()).status == 400
    form = place.s3().generate_presigned_post(
        Bucket=strict, Key="new", Fields=named(), Conditions=[{name: value} for name, value in named().items()]
    )["fields"]
    assert error(forms.send(place, strict, form)) == WITH_KEY
    assert place.send("HEAD", f"{path}/new").status == 404


def test_everything_else_goes_without(place: Place, strict: str) -> None:
    """SSE-S3, lists, settings and deletes."""
    for method, target in (("PUT", "/new"), ("GET", "/plain"), ("GET", ""), ("GET", "?encryption"), ("DELETE", "/own")):
        assert place.send(method, f"/{strict}{target}").status in (200, 204), target


def test_over_tls_nothing_changes(place: Place, strict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same requests, from a connection with TLS."""

    def over_tls(scope: Scope, receive: Receive) -> Request:
        request = Request(scope, receive)
        request.secure = True
        return request

    monkeypatch.setattr(edge, "Request", over_tls)
    assert place.send("GET", f"/{strict}/kms").body == b"x"
    assert place.send("GET", f"/{strict}/own", named()).body == b"x"
    assert place.send("PUT", f"/{strict}/new", KMS, b"x").status == 200


def test_without_the_setting_plain_http_is_taken(place: Place, objects: str) -> None:
    """The server listens at loopback by default."""
    assert place.send("GET", f"/{objects}/kms").body == b"x"
    assert place.send("GET", f"/{objects}/own", named()).body == b"x"


def test_the_setting_needs_tls() -> None:
    """A server without TLS could serve nobody."""
    settings = Settings(data=Path("/x"), require_tls_for_sse=True)
    with pytest.raises(FuinError, match="--require-tls-for-sse needs"):
        check_together(settings)
    check_together(dataclasses.replace(settings, tls_self_signed=True))
    check_together(dataclasses.replace(settings, tls_cert=Path("/c"), tls_key=Path("/k")))
    check_together(Settings(data=Path("/x")))
