"""What a request declares about its body: the form, the length and the digests. No body is read here.

Forms (x-amz-content-sha256): the SHA-256 of the whole body, UNSIGNED-PAYLOAD, signed chunks, unsigned chunks with a
trailer. Checksums come as a header or as a trailer of a chunked body; Content-MD5 goes with any form.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.errors import FormatError
from fuin.s3.payload import checksums
from fuin.s3.request.faults import S3Fault, invalid_argument
from fuin.signing import streaming
from fuin.signing.sigv4 import UNSIGNED_PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.s3.payload.checksums import Algorithm
    from fuin.s3.request.call import S3Call

_TRAILER = b"x-amz-trailer"
_SDK_ALGORITHM = b"x-amz-sdk-checksum-algorithm"
_LENGTH_DIGITS = 18
_BAD_HASH = (
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, or a valid sha256 value."
)
_NO_VALUE = (
    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a request declares about its body; `length` counts the content, without the chunks' lines.

    `sha256` is the signed hash of the whole body, or None. `checksum` is the algorithm of the client's checksum, and
    `value` its value in a header, or None if it comes in a trailer.
    """

    length: int
    form: str
    sha256: bytes | None
    md5: bytes | None
    checksum: Algorithm | None
    value: bytes | None

    @property
    def is_chunked(self) -> bool:
        """Return whether the body is aws-chunked."""
        return self.form.startswith("STREAMING-")


def parse_declaration(call: S3Call, limit: int, *, may_be_empty: bool = False, of_object: bool = False) -> Declaration:
    """Return a request's declaration; raises S3Fault if it is missing, malformed or over `limit` bytes.

    With `may_be_empty`, a request without a length has no body, as HTTP says (RFC 9112 6.3). With `of_object`, checksum
    headers are about an object and not about this body, so they are left out.
    """
    headers = call.request.headers
    form = (
        call.caller.signed.payload_hash if call.caller else (call.header(b"x-amz-content-sha256") or UNSIGNED_PAYLOAD)
    )
    length = _length(headers, form, b"0" if may_be_empty else None) if call.form is None else call.form.file_length
    if length > limit:
        raise S3Fault("EntityTooLarge", ProposedSize=str(length), MaxSizeAllowed=str(limit))
    algorithm, value = (None, None) if of_object else _checksum(headers, form)
    return Declaration(length, form, _hash(form), _md5(headers), algorithm, value)


def _length(headers: Mapping[bytes, bytes], form: str, absent: bytes | None) -> int:
    if form.startswith("STREAMING-"):
        text = headers.get(b"x-amz-decoded-content-length")
    elif b"transfer-encoding" in headers:
        raise S3Fault(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            Header="Transfer-Encoding",
        )
    else:
        text = headers.get(b"content-length", absent)
    if text is None:
        raise S3Fault("MissingContentLength")
    if not text.isdigit() or len(text) > _LENGTH_DIGITS:
        raise S3Fault("InvalidRequest", "The length of the body must be a number.")
    return int(text)


def _hash(form: str) -> bytes | None:
    if form == UNSIGNED_PAYLOAD or form.startswith("STREAMING-"):
        return None
    try:
        raw = bytes.fromhex(form)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise invalid_argument("x-amz-content-sha256", form[:100], _BAD_HASH)
    return raw


def _md5(headers: Mapping[bytes, bytes]) -> bytes | None:
    text = headers.get(b"content-md5")
    if text is None:
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 16:
        raise S3Fault("InvalidDigest", **{"Content-MD5": text.decode("latin-1")[:100]})
    return raw


def _checksum(headers: Mapping[bytes, bytes], form: str) -> tuple[Algorithm | None, bytes | None]:
    """Return the algorithm of the client's checksum, and its value unless that is a trailer."""
    sent = checksums.algorithms_of_headers(headers)
    names = headers.get(_TRAILER, b"").lower().split(b",") if form in streaming.FORMS else []
    trailing = checksums.algorithms_of_headers(name.strip() for name in names)
    if len(sent) + len(trailing) > 1:
        raise S3Fault(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    chosen = headers.get(_SDK_ALGORITHM)
    if chosen is not None:
        algorithm = checksums.find_algorithm(chosen.decode("latin-1"), _SDK_ALGORITHM.decode())
        if not sent and not trailing:
            raise S3Fault("InvalidRequest", _NO_VALUE)
        if algorithm not in (*sent, *trailing):
            raise S3Fault("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
    if sent:
        return sent[0], sent[0].decode(headers[sent[0].header].decode("latin-1"))
    return (trailing[0], None) if trailing else (None, None)


def new_decoder(call: S3Call, declaration: Declaration) -> streaming.ChunkedBody | None:
    """Return the decoder of an aws-chunked body, or None for a plain body; raises InvalidRequest."""
    if not declaration.is_chunked:
        return None
    if call.caller is not None:
        try:
            return streaming.open_body(call.caller.signed, call.caller.day_key, call.request.headers)
        except FormatError as error:
            raise S3Fault("InvalidRequest", str(error)) from None
    if declaration.form != streaming.UNSIGNED_TRAILER:
        raise S3Fault("InvalidRequest", "Signed chunks need a signed request.")
    names = call.request.headers.get(_TRAILER, b"").decode("latin-1").lower().split(",")
    announced = frozenset(name.strip() for name in names if name.strip())
    return streaming.ChunkedBody(declaration.length, signer=None, with_trailers=True, trailers=announced)
