"""Forms as browsers send them to a bucket (POST Object): their bodies, and policies that a test writes and signs."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fuin.testing.kit import REGION, User
from tests.support.by_hand import Reply
from tests.support.place import Place

BOUNDARY = "a-boundary-of-32-hex-digits-or-so"
KIND = f"multipart/form-data; boundary={BOUNDARY}"
Field = tuple[str, str]


def encode(fields: Sequence[Field], content: bytes | None, file_name: str | None = "file") -> bytes:
    """Return the body of a form: its fields, and then its file unless `content` is None."""
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields]
    if content is not None:
        named = "" if file_name is None else f'; filename="{file_name}"'
        head = f'Content-Disposition: form-data; name="file"{named}\r\nContent-Type: image/gif\r\n\r\n'
        parts.append(head.encode() + content)
    return b"".join(b"--%b\r\n%b\r\n" % (BOUNDARY.encode(), part) for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def post(place: Place, target: str, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
    """Send the body of a form, unsigned as browsers do."""
    return place.raw("POST", target, {"Content-Type": KIND} | dict(headers or {}), body)


def send(
    place: Place,
    bucket: str,
    fields: Mapping[str, str],
    content: bytes | None = b"bar",
    file_name: str | None = "file",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send a form to a bucket by its path."""
    return post(place, f"/{bucket}", encode(list(fields.items()), content, file_name), headers)


def in_an_hour(seconds: float = 3600) -> str:
    """Return a time from now on as policies have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def signed(
    user: User, policy: Mapping[str, Any] | bytes, fields: Mapping[str, str], *, age: float = 0, complete: bool = True
) -> dict[str, str]:
    """Return a form's fields with the policy and its signature of `age` seconds.

    With `complete`, the policy gets the conditions on the fields of the signature.
    """
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - age))
    scope = (date[:8], REGION, "s3", "aws4_request")
    own = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": "/".join((user.access_key_id, *scope)),
        "x-amz-date": date,
    }
    if not isinstance(policy, bytes):
        conditions = policy.get("conditions")
        if complete and isinstance(conditions, list):
            policy = {**policy, "conditions": [*conditions, *({name: value} for name, value in own.items())]}
        policy = json.dumps(policy).encode()
    text = base64.b64encode(policy)
    key = b"AWS4" + user.secret_access_key.encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return {**fields, **own, "policy": text.decode(), "x-amz-signature": hmac.digest(key, text, "sha256").hex()}
