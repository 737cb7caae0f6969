"""Signed requests as raw bytes, made by botocore's own signer."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = "us-east-1"


def kms(url: str, credentials: Credentials, operation: str, members: dict[str, object]) -> bytes:
    """Return a KMS request over HTTP/1.1 with keep-alive."""
    body = json.dumps(members).encode()
    request = AWSRequest("POST", f"{url}/", data=body, headers={
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"TrentService.{operation}",
        "User-Agent": "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11",
        "Accept-Encoding": "identity",
        "amz-sdk-invocation-id": "3f0c1d5e-7b0f-4c55-9d8f-1f1b6a4f3a11",
        "amz-sdk-request": "attempt=1",
        "Content-Length": str(len(body)),
    })  # fmt: skip
    SigV4Auth(credentials, "kms", REGION).add_auth(request)
    return _raw(request, url) + body


class _Given(S3SigV4Auth):  # type: ignore[misc]
    """Signs for a payload whose hash is known already, which botocore would compute from a body in memory."""

    def __init__(self, credentials: Credentials, payload_hash: str) -> None:
        super().__init__(credentials, "s3", REGION)
        self._payload_hash = payload_hash

    def payload(self, request: AWSRequest) -> str:
        return self._payload_hash


def s3_head(
    url: str, credentials: Credentials, method: str, path: str, payload_hash: str, more: dict[str, str]
) -> bytes:
    """Return the head of an S3 request; the body, if any, is the caller's to send."""
    request = AWSRequest(method, f"{url}{path}", headers=more)
    _Given(credentials, payload_hash).add_auth(request)
    return _raw(request, url)


def empty_hash() -> str:
    """Return the SHA-256 of nothing."""
    return hashlib.sha256(b"").hexdigest()


def _raw(request: AWSRequest, url: str) -> bytes:
    lines = [f"{request.method} {request.url.removeprefix(url)} HTTP/1.1", f"Host: {urlsplit(url).netloc}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name.lower() != "host"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
