"""Grant tokens: a text that names a grant. It is not a secret, and gives no right that the grant does not give.

Page: docs/formats/grant-token.md. AWS KMS developer guide, "Grant token": a unique, nonsecret, variable-length,
base64-encoded string.
"""

import base64
import binascii
import hashlib

from fuin.errors import FormatError

_HEAD = b"\x67\x01"  # g, and the format's version
ID_LENGTH, UNIQUE_LENGTH, _CHECK_LENGTH = 32, 16, 16
_LENGTH = len(_HEAD) + ID_LENGTH + UNIQUE_LENGTH + _CHECK_LENGTH
_LABEL = b"fuin grant token 1"


def encode(grant_id: bytes, unique: bytes) -> str:
    """Return the token of a grant: base64url of head, 32-byte grant id, 16 bytes that make it unique, and a check."""
    body = _HEAD + grant_id + unique
    return base64.urlsafe_b64encode(body + _checksum(body)).decode("ascii")


def decode(token: str) -> bytes:
    """Return the grant id (32 bytes) that a token names; raises FormatError for any other text."""
    try:
        if "+" in token or "/" in token:  # which Python accepts beside - and _
            raise FormatError("not a grant token")
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise FormatError("not a grant token") from None
    body, check = raw[:-_CHECK_LENGTH], raw[-_CHECK_LENGTH:]
    if len(raw) != _LENGTH or not body.startswith(_HEAD) or check != _checksum(body):
        raise FormatError("not a grant token")
    return body[len(_HEAD) : len(_HEAD) + ID_LENGTH]


def _checksum(body: bytes) -> bytes:
    """Return the checksum, which finds cut and mistyped tokens; it does not prevent anybody from making tokens."""
    return hashlib.sha256(_LABEL + body).digest()[:_CHECK_LENGTH]
