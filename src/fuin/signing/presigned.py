"""Presigned requests: Signature V4 in the query string.

Amazon S3 API Reference: "Authenticating requests: using query parameters (AWS Signature Version 4)". Some services
ignore X-Amz-Expires (`service_rules.py`), but the signature covers it in any case.
"""

from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from fuin.errors import AuthenticationFailed, AuthReason
from fuin.signing.authorization import ALGORITHM, Prefix, checked_signature, make_prefix
from fuin.signing.service_rules import LONGEST_LIFE, Rules, rules_of

_REQUIRED = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders")
_EXPIRES = "X-Amz-Expires"
_KNOWN = frozenset(name.encode() for name in (*_REQUIRED, _EXPIRES, "X-Amz-Security-Token", "X-Amz-Content-Sha256"))


class Claim(NamedTuple):
    """The parts of a signature in the query; nothing in it is proven yet."""

    prefix: Prefix
    signature: str
    amz_date: str
    expires: int  # seconds for which the request is valid
    payload_hash: bytes | None
    token: str  # the security token of temporary credentials, or empty


def read(pairs: list[tuple[bytes, bytes]]) -> Claim:
    """Return the claim in a query's canonically encoded parameters.

    Raises AuthenticationFailed: MISSING if the query has no parameter of Signature V4, INCOMPLETE if some are absent,
    else MALFORMED, WRONG_SCOPE or UNSIGNED_HEADER.
    """
    fields = _fields(pairs)
    if not fields:
        _refuse_version_2(pairs)
        raise AuthenticationFailed(AuthReason.MISSING, "Missing Authentication Token")
    rules = rules_of(_service(fields.get("X-Amz-Credential", "")))
    if any(not fields.get(name) for name in (_REQUIRED if rules.life else (*_REQUIRED, _EXPIRES))):
        raise AuthenticationFailed(
            AuthReason.INCOMPLETE,
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        )
    if fields["X-Amz-Algorithm"] != ALGORITHM:
        raise AuthenticationFailed(AuthReason.MALFORMED, f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    declared = fields.get("X-Amz-Content-Sha256")
    return Claim(
        make_prefix(fields["X-Amz-Credential"], fields["X-Amz-SignedHeaders"]),
        checked_signature(fields["X-Amz-Signature"]),
        fields["X-Amz-Date"],
        _life(fields, rules),
        declared.encode("latin-1") if declared else None,
        fields.get("X-Amz-Security-Token", ""),
    )


def _fields(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in _KNOWN:
            text = name.decode("ascii")
            if text in fields:
                raise AuthenticationFailed(AuthReason.MALFORMED, f"{text} may be given only once.")
            fields[text] = unquote_to_bytes(value).decode("latin-1")
    return fields


def _service(credential: str) -> str:
    """Return the service in a credential; the credential is parsed in full only if all parameters are present."""
    parts = credential.split("/")
    return parts[3] if len(parts) == 5 else ""


def _life(fields: dict[str, str], rules: Rules) -> int:
    return rules.life or min(_seconds(fields[_EXPIRES]), rules.longest)


def _seconds(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise AuthenticationFailed(AuthReason.MALFORMED, "X-Amz-Expires should be a number")
    if text != digits or not digits.strip("0"):
        raise AuthenticationFailed(AuthReason.MALFORMED, "X-Amz-Expires must be positive")
    if len(digits) > 9 or int(digits) > LONGEST_LIFE:
        raise AuthenticationFailed(
            AuthReason.MALFORMED,
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            f"{LONGEST_LIFE} seconds",
        )
    return int(digits)


def _refuse_version_2(pairs: list[tuple[bytes, bytes]]) -> None:
    if any(name == b"AWSAccessKeyId" for name, _ in pairs):
        raise AuthenticationFailed(
            AuthReason.MALFORMED,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        )
