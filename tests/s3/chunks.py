"""aws-chunked bodies as clients make them, signed and unsigned, for requests made by hand."""

import hashlib
import hmac
from collections.abc import Mapping

from tests.support.place import REGION
from tests.support.server import User

EMPTY = hashlib.sha256(b"").hexdigest()


def day_key(user: User, date: str) -> bytes:
    """Return the Signature V4 signing key of one day for S3."""
    key = f"AWS4{user.secret_access_key}".encode()
    for part in (date, REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def signed(
    user: User, headers: Mapping[str, str], pieces: list[bytes], trailers: Mapping[str, str] | None = None
) -> bytes:
    """Return the body of a request with these signed headers, a chunk for each piece; `trailers` are signed as well."""
    date = headers["X-Amz-Date"]
    key = day_key(user, date[:8])
    place = f"{date}\n{date[:8]}/{REGION}/s3/aws4_request"
    previous = headers["Authorization"].rpartition("Signature=")[2]
    body = b""
    for piece in (*pieces, b""):
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{place}\n{previous}\n{EMPTY}\n{hashlib.sha256(piece).hexdigest()}"
        previous = hmac.digest(key, text.encode(), "sha256").hex()
        body += b"%x;chunk-signature=%s\r\n%s" % (len(piece), previous.encode(), piece)
        body += b"\r\n" if piece else b""
    if trailers is None:
        return body + b"\r\n"
    lines = "".join(f"{name}:{value}\n" for name, value in trailers.items())
    text = f"AWS4-HMAC-SHA256-TRAILER\n{place}\n{previous}\n{hashlib.sha256(lines.encode()).hexdigest()}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    written = "".join(f"{name}:{value}\r\n" for name, value in trailers.items())
    return body + f"{written}x-amz-trailer-signature:{signature}\r\n\r\n".encode()


def unsigned(pieces: list[bytes], trailers: Mapping[str, str]) -> bytes:
    """Return the body of STREAMING-UNSIGNED-PAYLOAD-TRAILER."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n"
    return body + "".join(f"{name}:{value}\r\n" for name, value in trailers.items()).encode() + b"\r\n"


def transfer_chunked(body: bytes) -> bytes:
    """Return a body in HTTP's own chunked transfer coding, as clients send it without a length."""
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
