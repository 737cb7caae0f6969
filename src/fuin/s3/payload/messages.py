"""Reading stored messages by steps: the opener of a message, and the plaintext of an outer layer as if it were a blob.

Under DSSE-KMS the plaintext of a blob's message is another message (`envelope/layers.py`). Its reader asks for bytes of
that one; `OuterLayer` reads the frames of the outer message that hold them, and verifies each before it gives anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fuin.blobs.interface import ReadInto
from fuin.envelope.spans import plaintext_length
from fuin.envelope.stream import Opener, frame_span, parse_header
from fuin.errors import FormatError, TamperedError
from fuin.formats.message import FINAL_OVERHEAD, HEADER_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fuin.blobs.interface import ReadSteps
    from fuin.envelope.stream import FramePlace

T = TypeVar("T")

_HEADER_GUESS = 4096  # nearly every header is smaller


def open_message(size: int, data_key: bytes, context: Mapping[str, str], message_id: bytes | None) -> ReadSteps[Opener]:
    """Return the opener of a message of `size` stored bytes; `message_id` is the one that the index has, if it has."""
    try:
        header = parse_header((yield from _head(size, _HEADER_GUESS)))
    except FormatError:
        try:
            header = parse_header((yield from _head(size, HEADER_LIMIT)))
        except FormatError as error:
            raise TamperedError("a blob does not start with a message header") from error
    return Opener(header, data_key, expected_message_id=message_id, expected_context=context)


def _head(size: int, limit: int) -> ReadSteps[bytearray]:
    head = bytearray(min(size, limit))
    yield ReadInto(memoryview(head), 0)
    return head


class OuterLayer:
    """The outer message of a blob with two layers."""

    def __init__(self, data_key: bytes, context: Mapping[str, str], message_id: bytes) -> None:
        self._key, self._context, self._message_id = data_key, context, message_id
        self._opener: Opener | None = None
        self._length = 0  # of the inner message
        self._stored = bytearray()
        self._frame: tuple[int, memoryview] = (0, memoryview(b""))  # the last one that was opened, with its number

    def read(self, size: int, inner: Callable[[int], ReadSteps[T]]) -> ReadSteps[T]:
        """Do the steps of the inner message's reader on a blob of `size` bytes; `inner` gets that message's length."""
        if self._opener is None:
            opener = yield from open_message(size, self._key, self._context, self._message_id)
            try:
                self._length = plaintext_length(opener.header.length, opener.frame_length, size)
            except ValueError:
                raise TamperedError("a blob does not have the size of its message") from None
            self._opener = opener
        steps = inner(self._length)
        try:
            wanted = next(steps)
            while True:
                wanted = steps.send((yield from self._fill(self._opener, wanted)))
        except StopIteration as end:
            value: T = end.value
            return value

    def _fill(self, opener: Opener, wanted: ReadInto) -> ReadSteps[int]:
        """Fill a view with bytes of the inner message; return their number."""
        end = min(wanted.offset + len(wanted.view), self._length)
        if end <= wanted.offset:
            return 0
        span = frame_span(opener.header.length, opener.frame_length, self._length, wanted.offset, end)
        filled = 0
        for place in span.frames():
            piece = (yield from self._open(opener, place))[place.skip : place.stop]
            wanted.view[filled : filled + len(piece)] = piece
            filled += len(piece)
        return filled

    def _open(self, opener: Opener, place: FramePlace) -> ReadSteps[memoryview]:
        """Return the plaintext of a frame: the last one is kept, since the next bytes may begin in it."""
        if self._frame[0] == place.sequence:
            return self._frame[1]
        if not self._stored:
            self._stored = bytearray(opener.frame_length + FINAL_OVERHEAD)
        stored = memoryview(self._stored)[: place.length]
        if (yield ReadInto(stored, place.offset)) < place.length:
            raise TamperedError("a blob ends early")
        self._frame = (place.sequence, opener.open_frame(place.sequence, place.final, stored))
        return self._frame[1]
