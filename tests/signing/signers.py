"""Requests for the tests of signatures, and the secret's side of Signature V4, which the server never has."""

import hmac
from dataclasses import dataclass, field

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fuin.signing.sigv4 import Credential

ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CREDENTIALS = Credentials(ACCESS_KEY_ID, SECRET)
REGION = "us-east-1"
HOST = "127.0.0.1:8700"


@dataclass
class Sent:
    """A request as it arrives."""

    method: str = "GET"
    path: bytes = b"/"
    query: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)


def day_key(credential: Credential, secret: str = SECRET) -> bytes:
    """Return the signing key of a secret for one day, region and service."""
    key = b"AWS4" + secret.encode()
    for part in (credential.date, credential.region, credential.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sent(request: AWSRequest) -> Sent:
    """Return what arrives of a request that botocore has signed."""
    prepared = request.prepare()
    target = prepared.url.split("/", 3)[3]
    path, _, query = target.partition("?")
    headers = {
        name.lower().encode(): value if isinstance(value, bytes) else value.encode()
        for name, value in prepared.headers.items()
    }
    headers.setdefault(b"host", HOST.encode())
    return Sent(prepared.method, b"/" + path.encode(), query.encode(), headers)


def signed_by(signer: type[SigV4Auth], service: str, request: AWSRequest) -> Sent:
    """Sign a request with one of botocore's signers and return what arrives of it."""
    signer(CREDENTIALS, service, REGION).add_auth(request)
    return sent(request)
