"""A form that a test signs by Signature V2 is signed by V4, with the same user's key.

AWS takes no V2 in Regions that are newer than 2014, and Fuin takes none. What is wrong with a test's signature stays
wrong: a form is signed as it should be only if its V2 signature is right.
"""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import requests
from tests.conformance.adaptation import notes

_REGION = "us-east-1"
_PUBLIC = ("public-read", "public-read-write")
_post = requests.post


def adapt(secrets: dict[str, str]) -> None:
    """Take the place of `requests.post`; `secrets` are the users' secret keys by their access key's ids."""

    def post(url: str, *arguments: Any, files: Any = None, **options: Any) -> Any:
        fields = {name.lower(): (name, value) for name, value in dict(files or {}).items()}
        if "signature" in fields and "policy" in fields:
            notes.used.add(notes.FORM)
            files = _sign_again(fields, secrets)
        elif fields.get("acl", ("", ""))[1] in _PUBLIC:
            notes.used.add(notes.ACL)  # without the policy for reading, since these tests read as the owner
            files = {name: value for name, value in files.items() if name.lower() != "acl"}
        return _post(url, *arguments, files=files, **options)

    requests.post = post


def _sign_again(fields: dict[str, tuple[str, Any]], secrets: dict[str, str]) -> dict[str, Any]:
    """Return the fields, which are given by their names in lower case, with a signature of V4."""
    text, key_id = _bytes(fields["policy"][1]), str(fields.get("awsaccesskeyid", ("", ""))[1])
    secret = secrets.get(key_id, "").encode()
    right = base64.b64encode(hmac.digest(secret, text, hashlib.sha1)) == _bytes(fields["signature"][1])
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = (date[:8], _REGION, "s3", "aws4_request")
    own = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": "/".join((key_id, *scope)),
        "x-amz-date": date,
    }
    text = _add_conditions(text, own)
    key = b"AWS4" + secret
    for part in scope:
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    signature = hmac.digest(key, text, hashlib.sha256).hex() if right else "0" * 64
    old = dict(pair for name, pair in fields.items() if name not in ("awsaccesskeyid", "signature", "policy"))
    if "awsaccesskeyid" not in fields:  # a test of a form without its user
        own.pop("x-amz-credential")
    return {"policy": text, "x-amz-signature": signature} | own | old  # the file is the last of the old ones


def _add_conditions(text: bytes, fields: dict[str, str]) -> bytes:
    try:
        policy = json.loads(base64.b64decode(text))
    except ValueError:
        return text
    for name in ("conditions", "CONDITIONS"):
        if isinstance(policy.get(name), list):
            policy[name] += [{field: value} for field, value in fields.items()]
    return base64.b64encode(json.dumps(policy).encode())


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
