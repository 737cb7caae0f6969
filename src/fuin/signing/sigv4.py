"""Signature Version 4: the string to sign of a request, and the check of its signature.

AWS: "AWS Signature Version 4 for API requests" and, for S3, "Authenticating requests". All forms are accepted: the
Authorization header, the presigned query, and the fields of an HTML form. The secret access key is not needed here:
`verify` takes the signing key of one day, Region and service, which the keyholder derives.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import time
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import msgspec

from fuin.errors import AuthenticationFailed, AuthReason
from fuin.signing import canonical, presigned
from fuin.signing.authorization import (
    ALGORITHM,
    MISMATCH,
    Credential,
    Prefix,
    checked_signature,
    parse_credential,
    read_header,
)
from fuin.signing.service_rules import LONGEST_LIFE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "UNSIGNED_PAYLOAD", "Credential", "Signed", "SignedRequest", "SigningKey", "check_time", "parse", "parse_form",
    "parse_form_credential", "verify",
]  # fmt: skip

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

_ALGORITHM = ALGORITHM.encode()
_HEX = b"0123456789abcdef"
_SPACE, _TAB = b" \t"
_ONE_MECHANISM = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or "
    "the Authorization header should be specified"
)


class SignedRequest(Protocol):
    """The parts of a request that a signature covers, as fuin.gate.http.Request has them."""

    method: str
    path: bytes
    query: bytes
    headers: dict[bytes, bytes]


class Signed(msgspec.Struct, frozen=True):
    """The signature of a request, and the parts that it should cover; nothing is proven before `verify`."""

    credential: Credential
    amz_date: str  # YYYYMMDDTHHMMSSZ
    timestamp: float  # the same in seconds since 1970
    signature: str  # hex
    signed_headers: tuple[bytes, ...]
    string_to_sign: bytes
    payload_hash: str  # hex, UNSIGNED-PAYLOAD or STREAMING-…
    presigned: bool
    expires: int | None  # seconds for which a presigned request is valid; None for others
    token: str = ""  # the security token of temporary credentials
    other_text: bytes = b""  # another string to sign, where the request does not say which of two it has signed

    @property
    def scope(self) -> str:
        """Return the credential scope, for chunk signatures; their seed is `signature`."""
        return self.credential.scope


def parse(request: SignedRequest, payload_hash: str | None = None) -> Signed:
    """Return the signature of a request; raises AuthenticationFailed, with MISSING if the request has none.

    `payload_hash` is the SHA-256 of the body in hex. Every service but S3 must give it; S3 uses the header
    x-amz-content-sha256 and checks the body against it later. So without `payload_hash` the signature must be one for
    S3: signatures for other services cover another form of the path than the one that S3 uses.
    """
    authorization = request.headers.get(b"authorization")
    if authorization is None:
        return _parse_query(request, payload_hash)
    if request.query and (b"X-Amz-Algorithm=" in request.query or b"X-Amz-Signature=" in request.query):
        raise AuthenticationFailed(AuthReason.MALFORMED, _ONE_MECHANISM)
    prefix, signature = read_header(authorization)
    headers = request.headers
    amz_date = _date_of(headers)
    timestamp = _timestamp(amz_date, prefix.credential.date)
    token = _check_coverage(headers, prefix)
    if payload_hash is None:
        _check_s3(prefix.credential)
        payload_hash = _declared_hash(headers)
    query = canonical.join_parameters(_parameters(request.query)) if request.query else b""
    text = _string_to_sign(request, prefix, amz_date, query, payload_hash)
    return Signed(
        prefix.credential, amz_date, timestamp, signature, prefix.names, text, payload_hash, False, None, token
    )  # fmt: skip


def _parse_query(request: SignedRequest, payload_hash: str | None) -> Signed:
    """Return the signature of a presigned request; it need not cover the payload."""
    pairs = _parameters(request.query)
    claim = presigned.read(pairs)
    timestamp = _timestamp(claim.amz_date, claim.prefix.credential.date)
    token = _check_coverage(request.headers, claim.prefix)
    if token and claim.token:
        raise AuthenticationFailed(AuthReason.MALFORMED, "X-Amz-Security-Token may be given only once.")
    if payload_hash is None:
        _check_s3(claim.prefix.credential)
        declared = claim.payload_hash or request.headers.get(b"x-amz-content-sha256")
        payload_hash = _checked_hash(declared) if declared else UNSIGNED_PAYLOAD
    query = canonical.join_parameters([pair for pair in pairs if pair[0] != b"X-Amz-Signature"])
    text = _string_to_sign(request, claim.prefix, claim.amz_date, query, payload_hash)
    return Signed(
        claim.prefix.credential, claim.amz_date, timestamp, claim.signature, claim.prefix.names, text, payload_hash,
        True, claim.expires, token or claim.token,
    )  # fmt: skip


def parse_form_credential(text: str) -> Credential:
    """Return the credential in a form's field, which is for S3; raises AuthenticationFailed."""
    credential = parse_credential(text)
    _check_s3(credential)
    return credential


def parse_form(policy: str, credential: Credential, amz_date: str, signature: str, token: str) -> Signed:
    """Return the signature of an HTML form, which covers the policy in base64; raises AuthenticationFailed.

    The policy says when the form expires. Without it a signature is valid for seven days, as AWS's signing keys are.
    """
    timestamp = _timestamp(amz_date, credential.date)
    return Signed(
        credential, amz_date, timestamp, checked_signature(signature), (), policy.encode(), UNSIGNED_PAYLOAD, True,
        LONGEST_LIFE, token,
    )  # fmt: skip


def check_time(signed: Signed, now: float, skew: int) -> None:
    """Refuse a signature that is more than `skew` seconds from `now`, and a presigned request that has expired.

    Raises AuthenticationFailed: SKEWED, or EXPIRED for presigned requests outside their time.
    """
    if signed.presigned:
        expires = signed.expires
        if expires is not None and now > signed.timestamp + expires:
            of_s3 = signed.credential.service == "s3"
            text = "Request has expired" if of_s3 else _expired_text(signed, now, expires)
            raise AuthenticationFailed(AuthReason.EXPIRED, text)
        if signed.timestamp > now + skew:
            raise AuthenticationFailed(AuthReason.EXPIRED, "Request is not yet valid")
        return
    if signed.timestamp - skew <= now <= signed.timestamp + skew:
        return
    raise AuthenticationFailed(AuthReason.SKEWED, _skew_text(signed, now, skew))


class SigningKey:
    """The signing key of one secret, day, Region and service, as an HMAC-SHA256 (RFC 2104) that has processed its key.

    To copy this state for each message costs less than to process the key again.
    """

    __slots__ = ("_keyed", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != hashlib.sha256().digest_size:
            raise ValueError("a signing key has 32 bytes")
        self.raw = raw
        self._keyed = hmac.new(raw, digestmod="sha256")

    def sign(self, text: bytes) -> str:
        """Return the signature of a string to sign, in hex."""
        keyed = self._keyed.copy()
        keyed.update(text)
        return keyed.hexdigest()


def verify(signed: Signed, key: SigningKey) -> None:
    """Check the signature in constant time; raises AuthenticationFailed (BAD_SIGNATURE)."""
    if hmac.compare_digest(key.sign(signed.string_to_sign), signed.signature):
        return
    if not signed.other_text or not hmac.compare_digest(key.sign(signed.other_text), signed.signature):
        raise AuthenticationFailed(AuthReason.BAD_SIGNATURE, MISMATCH)


def _skew_text(signed: Signed, now: float, skew: int) -> str:
    if signed.credential.service == "s3":
        return "The difference between the request time and the current time is too large."
    if now > signed.timestamp:
        return _expired_text(signed, now, skew)
    return (
        f"Signature not yet current: {signed.amz_date} is still later than "
        f"{_amz(now + skew)} ({_amz(now)} + {skew // 60} min.)"
    )


def _expired_text(signed: Signed, now: float, life: int) -> str:
    limit = f"{_amz(now - life)} ({_amz(now)} - {life // 60} min.)"
    return f"Signature expired: {signed.amz_date} is now earlier than {limit}"


def _amz(moment: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))


def _string_to_sign(request: SignedRequest, prefix: Prefix, amz_date: str, query: bytes, payload_hash: str) -> bytes:
    path = request.path
    if path != b"/":
        path = canonical.s3_path(path) if prefix.credential.service == "s3" else canonical.service_path(path)
    headers = _signed_headers(request.headers, prefix)
    whole = b"\n".join((request.method.encode(), path, query, headers, payload_hash.encode("latin-1")))
    digest = hashlib.sha256(whole).hexdigest()
    return b"\n".join((_ALGORITHM, amz_date.encode(), prefix.scope, digest.encode()))


def _signed_headers(headers: Mapping[bytes, bytes], prefix: Prefix) -> bytes:
    """Return the canonical headers, an empty line and the list of their names."""
    try:
        lines: bytes = prefix.template % prefix.values(headers)
        if _SPACE not in lines and _TAB not in lines:  # otherwise values may need trimming or folding
            return lines
    except KeyError:  # a missing header is signed as an empty one
        pass
    return prefix.template % tuple([canonical.fold(headers.get(name, b"")) for name in prefix.names])


def _date_of(headers: Mapping[bytes, bytes]) -> str:
    """Return the request's time in ISO 8601 basic format, from x-amz-date or else from Date (RFC 9110)."""
    value = headers.get(b"x-amz-date")
    if value:
        return value.decode("latin-1")
    value = headers.get(b"date")
    if not value:
        raise AuthenticationFailed(
            AuthReason.INCOMPLETE,
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        )
    text = value.decode("latin-1")
    if b"x-amz-date" in headers or len(text) == 16:
        return text
    try:
        return _amz(parsedate_to_datetime(text).timestamp())
    except (ValueError, OverflowError, OSError):
        raise AuthenticationFailed(AuthReason.MALFORMED, "The Date header is not a valid date.") from None


@lru_cache(maxsize=1024)
def _timestamp(amz_date: str, scope_date: str) -> float:
    """Return a request's time in seconds since 1970; the credential scope must be of the same day."""
    wrong = AuthenticationFailed(AuthReason.MALFORMED, "Date must be in ISO-8601 basic format: YYYYMMDD'T'HHMMSS'Z'.")
    if len(amz_date) != 16 or not amz_date.isascii():  # strptime alone takes shorter fields
        raise wrong
    try:
        timestamp = float(calendar.timegm(time.strptime(amz_date, "%Y%m%dT%H%M%SZ")))
    except ValueError:
        raise wrong from None
    if amz_date[:8] != scope_date:
        raise AuthenticationFailed(
            AuthReason.WRONG_SCOPE,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{scope_date}' != '{amz_date[:8]}', from '{amz_date}'.",
        )
    return timestamp


def _check_coverage(headers: Mapping[bytes, bytes], prefix: Prefix) -> str:
    """Refuse unsigned headers that the service requires to be signed; return the security token, or ""."""
    covered = prefix.covered
    for name in headers if prefix.wanted is None else prefix.wanted:
        if name not in covered and name[:6] == b"x-amz-" and name in headers:
            raise AuthenticationFailed(
                AuthReason.UNSIGNED_HEADER, "There were headers present in the request which were not signed"
            )
    token = headers.get(b"x-amz-security-token")
    return token.decode("latin-1") if token else ""


def _check_s3(credential: Credential) -> None:
    if credential.service != "s3":
        raise AuthenticationFailed(
            AuthReason.WRONG_SCOPE, f'incorrect service "{credential.service[:64]}". This endpoint belongs to "s3".'
        )


def _declared_hash(headers: Mapping[bytes, bytes]) -> str:
    value = headers.get(b"x-amz-content-sha256")
    if value is None:
        raise AuthenticationFailed(
            AuthReason.INCOMPLETE, "Missing required header for this request: x-amz-content-sha256"
        )
    return _checked_hash(value)


def _checked_hash(value: bytes) -> str:
    plain = len(value) == 64 and not value.translate(None, _HEX)
    text = value.decode("latin-1")
    if plain or text == UNSIGNED_PAYLOAD or (text.startswith("STREAMING-") and value.isascii() and text.isprintable()):
        return text
    raise AuthenticationFailed(
        AuthReason.MALFORMED,
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, or a valid sha256 value.",
    )


def _parameters(query: bytes) -> list[tuple[bytes, bytes]]:
    try:
        return canonical.parameters(query)
    except ValueError as error:
        raise AuthenticationFailed(AuthReason.MALFORMED, f"The query has {error}.") from None
