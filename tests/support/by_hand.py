"""Requests that a test makes by hand, and what comes back."""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from botocore.auth import S3SigV4Auth
from botocore.credentials import Credentials

from fuin.testing.kit import User


class Signer(S3SigV4Auth):  # type: ignore[misc]
    """Signs for S3 with the payload hash that the test chose."""

    def __init__(self, user: User, payload_hash: str, region: str) -> None:
        super().__init__(Credentials(user.access_key_id, user.secret_access_key), "s3", region)
        self._payload_hash = payload_hash

    def payload(self, request: Any) -> str:
        """Return the chosen hash."""
        return self._payload_hash


@dataclass(frozen=True)
class Reply:
    """An answer to a request made by hand."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Return the error's code."""
        return self.text("Code")

    @property
    def message(self) -> str:
        """Return the error's message."""
        return self.text("Message")

    def text(self, name: str) -> str:
        """Return the text of an element of the XML body; empty when there is none."""
        if not self.body:
            return ""
        for element in ElementTree.fromstring(self.body).iter():
            if element.tag.rpartition("}")[2] == name:
                return element.text or ""
        return ""


@contextmanager
def connection(port: int) -> Iterator[http.client.HTTPConnection]:
    """Give a connection to a server on this machine."""
    one = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        yield one
    finally:
        one.close()


def send(port: int, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Send one request as it is, with the body's length unless its transfer is chunked."""
    with connection(port) as one:
        one.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            one.putheader(name, value)
        given = {name.lower() for name in headers}
        if not given & {"content-length", "transfer-encoding"} and (body or method in {"PUT", "POST"}):
            one.putheader("Content-Length", str(len(body)))
        one.endheaders(body or None)
        answer = one.getresponse()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
