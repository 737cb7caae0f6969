"""Session tokens: what temporary credentials are, sealed by the keyholder, so that no session is stored anywhere.

Page: docs/formats/session-token.md. A token is opaque to the client, which sends it with each request. To a worker it
is bytes that the keyholder opens: it gives back the claims, which say whose session it is and what limits it.
"""

import base64
import binascii
import struct
import time
import zlib
from typing import Literal

import msgspec

from fuin.errors import FormatError
from fuin.formats.wrapped import VERSION, Kind

TEXT_LIMIT = 4096  # characters; AWS: MinimumSessionTokenSize cannot ask for more
TOKEN_LIMIT = TEXT_LIMIT * 3 // 4  # bytes
LIFE_LIMIT = 129_600  # seconds; AWS: GetSessionToken gives credentials for at most 36 hours

_PREFIX = struct.Struct(">BBQ")  # version, kind, expiry in seconds since 1970
_FRAME = 32 + 32 + 16  # salt, commitment, tag
SECRET_LENGTH = 40  # characters of a secret access key
PREFIX_LENGTH = _PREFIX.size
_SHORTEST = PREFIX_LENGTH + _FRAME + SECRET_LENGTH + 1
CLAIMS_LIMIT = TOKEN_LIMIT - _SHORTEST + 1  # bytes of packed claims
_UNPACKED_LIMIT = 64 * 1024


class Claims(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, rename="camel"):
    """The principal of a session, the principal that requested it, and its limits.

    `id` is the unique id of the role or user (AROA…, AIDA…), so that a session ends with it; the account's number for
    root. A federated user has the id of the user (or root) that requested it. Its name and its rights are read from
    the store with each request. A claim that is not known here makes the whole token invalid: it may be a limit.
    """

    kind: Literal["root", "user", "role", "federated"]
    account: str
    id: str
    issued: int  # seconds since 1970
    issuer: str  # the ARN of the principal that requested the session
    issuer_key: str  # the id of its access key for that request
    session: str = ""  # RoleSessionName; a federated user's name
    policy: str = ""  # the session policy's document
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()  # keys of the tags that the next session of a chain inherits
    source_identity: str = ""


def pack_claims(claims: Claims, at_least: int = 0) -> bytes:
    """Return claims as sorted JSON under DEFLATE (RFC 1951); raises FormatError when that is too long.

    Zeros are added until the token's text has `at_least` characters.
    """
    packed = _deflate(msgspec.json.encode(claims, order="sorted"))
    packed = packed.ljust(-(-at_least * 3 // 4) - _SHORTEST + 1, b"\0")
    if len(packed) > CLAIMS_LIMIT:
        raise FormatError("the session's policies and tags are too long together")
    return packed


def parse_claims(packed: bytes) -> Claims:
    """Return the claims of `pack_claims`; raises FormatError."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        text = inflater.decompress(packed, _UNPACKED_LIMIT)
        if not inflater.eof or inflater.unused_data.strip(b"\0"):
            raise FormatError("not the claims of a session")
        return msgspec.json.decode(text, type=Claims)
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError):
        raise FormatError("not the claims of a session") from None


def packed_size(policy: str, policy_arns: tuple[str, ...], tags: tuple[tuple[str, str], ...]) -> int:
    """Return the bytes that a session's policies and tags take in its token; 0 without any."""
    if not (policy or policy_arns or tags):
        return 0
    return len(_deflate(msgspec.json.encode((policy, policy_arns, tags))))


def prefix(expiry: int) -> bytes:
    """Return the first bytes of a token that ends at `expiry`, seconds since 1970; raises FormatError."""
    if not 0 <= expiry < 1 << 63:
        raise FormatError("a time out of range")
    return _PREFIX.pack(VERSION, Kind.SESSION, expiry)


def expiry_of(token: bytes) -> int:
    """Return the end of a token, in seconds since 1970; raises FormatError on bytes that are not a token.

    Only the keyholder, which opens the token, proves it.
    """
    if not _SHORTEST <= len(token) <= TOKEN_LIMIT:
        raise FormatError("not a session token")
    version, kind, expiry = _PREFIX.unpack_from(token)
    if (version, kind) != (VERSION, Kind.SESSION) or expiry >= 1 << 63:
        raise FormatError("not a session token")
    return int(expiry)


def binding(access_key_id: str) -> bytes:
    """Return the bytes that bind a token to its access key id; raises FormatError."""
    raw = access_key_id.encode()
    if not 1 <= len(raw) <= 128:
        raise FormatError("an access key id has 1 to 128 characters")
    return bytes((len(raw),)) + raw


def join_parts(secret: bytes | bytearray, claims: bytes) -> bytearray:
    """Return the plaintext of a token, in a buffer to wipe; raises FormatError."""
    if len(secret) != SECRET_LENGTH or not 1 <= len(claims) <= CLAIMS_LIMIT:
        raise FormatError("a part of the session has a wrong length")
    return bytearray(secret) + claims


def split_parts(inside: bytearray) -> tuple[bytearray, bytes]:
    """Return secret and claims of `join_parts`; raises FormatError."""
    if len(inside) <= SECRET_LENGTH:
        raise FormatError("not a session token")
    return inside[:SECRET_LENGTH], bytes(inside[SECRET_LENGTH:])


def to_text(token: bytes) -> str:
    """Return a token as clients see it: base64url without padding, so that URLs need not escape it."""
    return base64.urlsafe_b64encode(token).decode("ascii").rstrip("=")


def from_text(text: str) -> bytes:
    """Return the token of `to_text`; raises FormatError on any other text."""
    try:
        if len(text) > TEXT_LIMIT:
            raise FormatError("not a session token")
        token = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise FormatError("not a session token") from None
    expiry_of(token)
    if to_text(token) != text:  # the other alphabet, padding, bits after the end
        raise FormatError("not a session token")
    return token


def iso(moment: float) -> str:
    """Return a time, seconds since 1970, as condition keys and records write it (ISO 8601, UTC)."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()
