"""aws-chunked bodies: a decoder that splits the chunks as they arrive, and checks all signatures.

Amazon S3 API Reference: "Signature calculations for the Authorization header: transferring payload in multiple chunks"
and "... with trailing headers". Three forms: signed chunks, signed chunks with trailers, unsigned chunks with trailers.

A chunk may be as long as the whole body, so the decoder returns its bytes before it has seen the chunk's signature. The
caller must make nothing permanent from them before `finish` has returned.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
from typing import TYPE_CHECKING

from fuin.errors import AuthenticationFailed, AuthReason, FormatError
from fuin.signing.authorization import MISMATCH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.signing.sigv4 import Signed

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
FORMS = frozenset({SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER})

_LINE_LIMIT = 1024  # a chunk's header, or one trailer
_TRAILERS_LIMIT = 8
_SIZE_DIGITS = 15  # hexadecimal; far beyond the largest object
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_TRAILER_SIGNATURE = "x-amz-trailer-signature"
_EXTENSION = b"chunk-signature="
_GOES_ON = "the body goes on after its last chunk"


class BadTrailer(FormatError):
    """A trailer that was not announced, or an announced trailer that is missing."""


class ShortBody(FormatError):
    """A body that is shorter than was declared."""


class _Expect(enum.Enum):
    HEADER = enum.auto()
    DATA = enum.auto()
    DATA_END = enum.auto()  # the line end after a chunk's data
    TRAILER = enum.auto()
    NOTHING = enum.auto()


class ChunkSigner:
    """The chain of signatures of one body: each covers the one before it, and the first covers the request's own."""

    def __init__(self, signed: Signed, day_key: bytes) -> None:
        self._previous = signed.signature
        self._day_key = day_key
        self._place = f"{signed.amz_date}\n{signed.scope}"

    def check_chunk(self, digest: str, signature: str) -> None:
        """Check one chunk's signature over its SHA-256 (hex); raises AuthenticationFailed."""
        self._check(f"AWS4-HMAC-SHA256-PAYLOAD\n{self._place}\n{self._previous}\n{_EMPTY_HASH}\n{digest}", signature)

    def check_trailers(self, trailers: bytes, signature: str) -> None:
        """Check the signature of the trailers, given as name:value lines; raises AuthenticationFailed."""
        digest = hashlib.sha256(trailers).hexdigest()
        self._check(f"AWS4-HMAC-SHA256-TRAILER\n{self._place}\n{self._previous}\n{digest}", signature)

    def _check(self, text: str, signature: str) -> None:
        expected = hmac.digest(self._day_key, text.encode(), "sha256").hex()
        if not signature.isascii() or not hmac.compare_digest(expected, signature):
            raise AuthenticationFailed(AuthReason.BAD_SIGNATURE, MISMATCH)
        self._previous = expected


class ChunkedBody:
    """An incremental decoder of one aws-chunked body; after an error it cannot be used again.

    `length` is the declared x-amz-decoded-content-length in bytes, `trailers` the lower-case names announced by
    x-amz-trailer; `signer` is None for unsigned chunks.
    """

    def __init__(
        self, length: int, *, signer: ChunkSigner | None, with_trailers: bool, trailers: frozenset[str] = frozenset()
    ) -> None:
        self._signer = signer
        self._with_trailers = with_trailers
        self._announced = trailers
        self._length = length
        self._received = 0  # bytes of chunks announced so far
        self._expect = _Expect.HEADER
        self._line = bytearray()  # a line that has not ended yet
        self._left = 0  # bytes of the current chunk still to come
        self._hash = hashlib.sha256()
        self._signature = ""  # of the current chunk
        self._last = False
        self._trailers: dict[str, str] = {}
        self._trailer_signed = False
        # minio-go ends unsigned trailers with one empty line too many: one such line is accepted.
        self._empty_line_may_follow = with_trailers and signer is None
        self._broken = False

    def feed(self, data: bytes | memoryview) -> list[memoryview]:
        """Return the content in the next piece of the body, as views into `data`.

        Raises FormatError, or AuthenticationFailed if a signature is wrong.
        """
        if self._broken:
            raise FormatError("the body has been refused already")
        self._broken = True  # until this piece has passed
        view, at, pieces = memoryview(data), 0, []
        while at < len(data):
            if self._expect is _Expect.DATA:
                piece = view[at : at + self._left]
                self._take(piece)
                pieces.append(piece)
                at += len(piece)
            else:
                at = self._read_line(view, at)
        self._broken = False
        return pieces

    def finish(self) -> dict[str, str]:
        """Return the trailers at the end of the body; raises FormatError if it ended early."""
        if self._broken or self._line or self._expect is not _Expect.NOTHING:
            raise FormatError("the body ended before its last chunk")
        return self._trailers

    def _take(self, piece: memoryview) -> None:
        if self._signer:
            self._hash.update(piece)
        self._left -= len(piece)
        if not self._left:
            self._expect = _Expect.DATA_END

    def _read_line(self, view: memoryview, at: int) -> int:
        """Read bytes of a line and, at its end, act on it; return the position after the bytes."""
        if self._expect is _Expect.NOTHING and not self._empty_line_may_follow:
            raise FormatError(_GOES_ON)
        begun = bytes(view[at : at + _LINE_LIMIT])
        end = begun.find(b"\n")
        self._line += begun[: end + 1] if end >= 0 else begun
        if len(self._line) > _LINE_LIMIT or (end < 0 and len(self._line) == _LINE_LIMIT):
            raise FormatError("a line of the chunked body is too long")
        if end >= 0:
            line = bytes(self._line)
            self._line.clear()
            self._act(line)
        return at + (end + 1 if end >= 0 else len(begun))

    def _act(self, line: bytes) -> None:
        if self._expect is _Expect.TRAILER:
            self._trailer(line.rstrip(b"\r\n"))
            return
        if not line.endswith(b"\r\n"):
            raise FormatError("a chunk's line must end with CRLF")
        if self._expect is _Expect.NOTHING:
            if line != b"\r\n":
                raise FormatError(_GOES_ON)
            self._empty_line_may_follow = False
        elif self._expect is _Expect.HEADER:
            self._header(line[:-2])
        elif line != b"\r\n":
            raise FormatError("a chunk is longer than its header says")
        else:
            self._end_chunk()

    def _header(self, line: bytes) -> None:
        size_text, found, extension = line.decode("latin-1").partition(";")
        if not size_text or len(size_text) > _SIZE_DIGITS or not _HEX_DIGITS.issuperset(size_text):
            raise FormatError("a chunk's size is not a hexadecimal number")
        size = int(size_text, 16)
        signature = extension.removeprefix(_EXTENSION.decode()) if found else ""
        if bool(self._signer) is not bool(signature) or (found and signature == extension):
            raise FormatError("a chunk must carry a signature in the signed forms, and only there")
        self._received += size
        if self._received > self._length:
            raise FormatError("the body is longer than x-amz-decoded-content-length says")
        self._signature, self._left, self._last = signature, size, size == 0
        self._hash = hashlib.sha256()
        self._expect = _Expect.DATA
        if self._last:
            self._start_trailers()

    def _end_chunk(self) -> None:
        self._check_chunk()
        self._expect = _Expect.HEADER

    def _check_chunk(self) -> None:
        if self._signer:
            self._signer.check_chunk(self._hash.hexdigest(), self._signature)

    def _start_trailers(self) -> None:
        """Expect an empty line or the trailers, after the empty last chunk; its signature covers no bytes."""
        self._check_chunk()
        if self._received != self._length:
            raise ShortBody("the body is shorter than x-amz-decoded-content-length says")
        self._expect = _Expect.TRAILER

    def _trailer(self, line: bytes) -> None:
        if not line:
            # AWS's own example puts an empty line before the trailers' signature as well.
            if not (self._with_trailers and self._signer) or self._trailer_signed:
                self._end_trailers()
            return
        name, found, value = (part.strip() for part in line.decode("latin-1").partition(":"))
        name = name.lower()
        if not found or self._trailer_signed or not self._with_trailers:
            raise FormatError("unexpected data after the last chunk")
        if name == _TRAILER_SIGNATURE and self._signer:
            text = "".join(f"{key}:{self._trailers[key]}\n" for key in sorted(self._trailers))
            self._signer.check_trailers(text.encode("latin-1"), value)
            self._trailer_signed = True
            return
        if name not in self._announced or name in self._trailers or len(self._trailers) >= _TRAILERS_LIMIT:
            raise BadTrailer(f"the trailer {name} was not announced by x-amz-trailer")
        self._trailers[name] = value

    def _end_trailers(self) -> None:
        missing = self._announced - self._trailers.keys()
        if missing and self._with_trailers:
            raise BadTrailer(f"the trailer {min(missing)} is missing")
        self._expect = _Expect.NOTHING


def open_body(signed: Signed, day_key: bytes, headers: Mapping[bytes, bytes]) -> ChunkedBody:
    """Return the decoder for a request whose payload hash is one of FORMS.

    `headers` has x-amz-decoded-content-length and x-amz-trailer. Raises FormatError if they are wrong, and for unknown
    forms (STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD is Signature V4A).
    """
    form = signed.payload_hash
    if form not in FORMS:
        raise FormatError(f"the payload form {form} is not supported")
    text = headers.get(b"x-amz-decoded-content-length", b"")
    if not text.isdigit() or len(text) > 18:
        raise FormatError("x-amz-decoded-content-length must be a number")
    names = headers.get(b"x-amz-trailer", b"").decode("latin-1").lower().split(",")
    announced = frozenset(name.strip() for name in names if name.strip())
    if len(announced) > _TRAILERS_LIMIT:
        raise FormatError(f"x-amz-trailer announces more than {_TRAILERS_LIMIT} trailers")
    signer = None if form == UNSIGNED_TRAILER else ChunkSigner(signed, day_key)
    return ChunkedBody(int(text), signer=signer, with_trailers=form != SIGNED, trailers=announced)
