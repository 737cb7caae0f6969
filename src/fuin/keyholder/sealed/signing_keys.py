"""Signature V4 signing keys, derived from a secret access key for one day, Region and service."""

import hmac

from fuin.errors import FormatError


def derive_signing_key(keyed: bytes | bytearray, scope: tuple[str, str, str]) -> bytes:
    """Return the Signature V4 signing key of (date, region, service); `keyed` is AWS4 and the secret access key.

    AWS: "Create a signed AWS API request", step 4, derive a signing key. Raises FormatError.
    """
    date, region, service = map(str.encode, scope)
    if len(date) != 8 or not date.isdigit() or not all(1 <= len(part) <= 128 for part in (region, service)):
        raise FormatError("not the scope of a signing key")
    key = hmac.digest(keyed, date, "sha256")
    for part in (region, service, b"aws4_request"):
        key = hmac.digest(key, part, "sha256")
    return key
