"""The Authorization header of Signature V4 and its credential scope: who claims to have signed.

AWS: "Signature Version 4 request elements". The part that is the same in all requests of one client and day is parsed
once and kept in a cache, which is bounded in entries and in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from fuin.errors import AuthenticationFailed, AuthReason
from fuin.signing.service_rules import rules_of

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)

_LENGTH_LIMIT = 8192
_REMEMBERED_LIMIT = 1024
_SIGNED_HEADERS_LIMIT = 64
_REGION_LIMIT = 64
_ACCESS_KEY_ID_LIMIT = 128  # IAM's limit; the id is in every record
_SIGNATURE_LENGTH = 64
_NAMES = b"abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~;"  # RFC 9110 tokens in lower case, and the separator
_NOT_SUPPORTED = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."


@dataclass(frozen=True, slots=True)
class Credential:
    """The credential scope of a signature: the access key, and the day, Region and service."""

    access_key_id: str
    date: str  # YYYYMMDD
    region: str
    service: str

    @property
    def scope(self) -> str:
        """Return the scope as text, as it is in a string to sign."""
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


@dataclass(frozen=True, slots=True)
class Prefix:
    """The parts that are the same in all requests of one client and day."""

    credential: Credential
    names: tuple[bytes, ...]
    covered: frozenset[bytes]
    values: Callable[[Mapping[bytes, bytes]], Any]  # returns those of the signed headers; KeyError if one is missing
    template: bytes  # takes the values: the canonical request from the first header to the list of their names
    scope: bytes
    wanted: tuple[bytes, ...] | None  # the headers that must be signed, by `service_rules.py`


def read_header(header: bytes) -> tuple[Prefix, str]:
    """Return the two parts of an Authorization header: the prefix, which stays the same, and the signature (hex).

    Raises AuthenticationFailed: MALFORMED, INCOMPLETE, WRONG_SCOPE or UNSIGNED_HEADER.
    """
    if len(header) > _LENGTH_LIMIT:
        raise AuthenticationFailed(AuthReason.MALFORMED, "The Authorization header is too long.")
    head, found, signature = header.rpartition(b"Signature=")
    if not found or len(signature) != _SIGNATURE_LENGTH or not signature.isalnum():
        return _read_unusual_header(header)
    if len(head) > _REMEMBERED_LIMIT:  # long ones are not cached: this bounds the cache in bytes
        return _read_prefix.__wrapped__(head), signature.decode("ascii")
    return _read_prefix(head), signature.decode("ascii")


def _read_unusual_header(header: bytes) -> tuple[Prefix, str]:
    """Read a header in which the signature is not last, or is missing."""
    fields = _fields(header)
    signature = fields.pop("Signature", "")
    if not signature:
        raise AuthenticationFailed(AuthReason.INCOMPLETE, "Authorization header requires 'Signature' parameter.")
    return _prefix_of(fields), checked_signature(signature)


@lru_cache(maxsize=2048)
def _read_prefix(head: bytes) -> Prefix:
    return _prefix_of(_fields(head))


def _fields(header: bytes) -> dict[str, str]:
    algorithm, _, rest = header.decode("latin-1").strip().partition(" ")
    if algorithm != ALGORITHM:
        raise AuthenticationFailed(AuthReason.MALFORMED, _NOT_SUPPORTED)
    fields: dict[str, str] = {}
    for part in rest.split(","):
        name, found, value = part.strip().partition("=")
        if not name and not found:
            continue
        if name in fields or name not in ("Credential", "SignedHeaders", "Signature"):
            raise AuthenticationFailed(
                AuthReason.MALFORMED, "The authorization header that you provided is not valid: unexpected parameter."
            )
        fields[name] = value
    return fields


def _prefix_of(fields: Mapping[str, str]) -> Prefix:
    if "Signature" in fields:
        raise AuthenticationFailed(AuthReason.MALFORMED, "The Authorization header holds several signatures.")
    missing = [name for name in ("Credential", "SignedHeaders") if not fields.get(name)]
    if missing:
        text = " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
        raise AuthenticationFailed(AuthReason.INCOMPLETE, text)
    return make_prefix(fields["Credential"], fields["SignedHeaders"])


def make_prefix(credential_text: str, names_text: str) -> Prefix:
    """Return the parsed form of a Credential and a SignedHeaders value; raises AuthenticationFailed."""
    credential = parse_credential(credential_text)
    joined = names_text.encode("latin-1")
    names = tuple(joined.split(b";"))
    covered = frozenset(names)
    if (
        len(names) > _SIGNED_HEADERS_LIMIT
        or len(covered) != len(names)
        or b"" in covered
        or joined.translate(None, _NAMES)
    ):
        raise AuthenticationFailed(AuthReason.MALFORMED, "SignedHeaders must be distinct lower-case header names.")
    if b"host" not in covered:
        raise AuthenticationFailed(
            AuthReason.UNSIGNED_HEADER, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        )
    return Prefix(
        credential, names, covered, itemgetter(*names), _template(names), credential.scope.encode(),
        rules_of(credential.service).covered,
    )  # fmt: skip


def _template(names: tuple[bytes, ...]) -> bytes:
    lines = [name.replace(b"%", b"%%") + b":%b\n" for name in names]  # a header's name may hold a percent sign
    return b"".join(lines) + b"\n" + b";".join(names).replace(b"%", b"%%")


def parse_credential(text: str) -> Credential:
    """Return the parts of a credential, ID/DATE/REGION/SERVICE/aws4_request; raises AuthenticationFailed."""
    parts = text.split("/")
    if len(parts) != 5 or not all(parts) or not (text.isascii() and text.isprintable() and " " not in text):
        raise AuthenticationFailed(
            AuthReason.MALFORMED,
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.",
        )
    access_key_id, date, region, service, terminator = parts
    if terminator != TERMINATOR:
        raise AuthenticationFailed(
            AuthReason.WRONG_SCOPE, f"Credential should be scoped with a valid terminator: '{TERMINATOR}'."
        )
    if len(access_key_id) > _ACCESS_KEY_ID_LIMIT:
        raise AuthenticationFailed(AuthReason.MALFORMED, "The access key id of the Credential is too long.")
    if len(date) != 8 or not date.isdigit():
        raise AuthenticationFailed(
            AuthReason.MALFORMED, f'incorrect date format "{date}". This date must be in the format "yyyyMMdd".'
        )
    if len(region) > _REGION_LIMIT or not region.replace("-", "").replace("_", "").isalnum():  # it is part of ARNs
        raise AuthenticationFailed(AuthReason.WRONG_SCOPE, "Credential should be scoped to a valid region.")
    return Credential(access_key_id, date, region, service)


def checked_signature(text: str) -> str:
    """Return a signature that can be compared; raises AuthenticationFailed if it is not ASCII."""
    if not text.isascii():  # compare_digest takes ASCII only
        raise AuthenticationFailed(AuthReason.BAD_SIGNATURE, MISMATCH)
    return text
