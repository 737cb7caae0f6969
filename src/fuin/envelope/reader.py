"""Reading of a whole message as its bytes arrive, if its length is not known before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.errors import TamperedError
from fuin.formats import message

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from fuin.envelope.stream import Opener

_END_MARK = message.SEQUENCE_END.to_bytes(4, "big")


class Reader:
    """Opens the frames of one message in order; the message is complete only when `finish` has returned.

    A cut-off message, a frame left out, repeated or moved, and bytes after the final frame raise TamperedError.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._pending = memoryview(b"")  # the beginning of a frame; allocated when a piece first ends within one
        self._filled = 0
        self._sequence = 1
        self._position = opener.header.length
        self._is_complete = False

    @property
    def position(self) -> int:
        """Return the place in the message at which the next frame begins: all before it has proved genuine."""
        return self._position

    def feed(self, data: Buffer) -> list[memoryview]:
        """Take the bytes that follow, in pieces of any size, and return the plaintext of the frames they complete.

        A returned view does not change while anything refers to it. If a frame does not hold, this call returns
        nothing, also not the frames that it has opened before.
        """
        view = memoryview(data).cast("B")
        plaintext: list[memoryview] = []
        while len(view):
            if self._is_complete:
                raise TamperedError("there are bytes after the message's final frame")
            size = None if self._filled else self._size(view)
            if size is not None and len(view) >= size:
                plaintext.append(self._open(view[:size]))
                view = view[size:]
                continue
            view = view[self._gather(view) :]
            size = self._size(self._pending[: self._filled])
            if self._filled == size:
                plaintext.append(self._open(self._pending[:size]))
                self._filled = 0
        return plaintext

    def finish(self) -> None:
        """Raise TamperedError unless the final frame was opened and nothing followed it."""
        if not self._is_complete:
            raise TamperedError("the message ends before its final frame")

    def _gather(self, view: memoryview) -> int:
        """Move bytes to the pending frame, as many as its next stage needs; return their number."""
        if not self._pending:
            self._pending = memoryview(bytearray(self._opener.frame_length + message.FINAL_OVERHEAD))
        size = self._size(self._pending[: self._filled])
        taken = min((message.FINAL_HEAD_LENGTH if size is None else size) - self._filled, len(view))
        self._pending[self._filled : self._filled + taken] = view[:taken]
        self._filled += taken
        return taken

    def _size(self, start: memoryview) -> int | None:
        """Return the size of the stored frame that starts here, or None if more bytes are needed to know it.

        The size is not authenticated yet, so it is bounded by the authenticated frame length.
        """
        if len(start) < len(_END_MARK):
            return None
        if start[: len(_END_MARK)] != _END_MARK:
            return self._opener.frame_length + message.FRAME_OVERHEAD
        if len(start) < message.FINAL_HEAD_LENGTH:
            return None
        length = int.from_bytes(start[message.FINAL_HEAD_LENGTH - 4 : message.FINAL_HEAD_LENGTH], "big")
        if length > self._opener.frame_length:
            raise TamperedError("the message's final frame is longer than its frame length")
        return length + message.FINAL_OVERHEAD

    def _open(self, frame: memoryview) -> memoryview:
        final = frame[: len(_END_MARK)] == _END_MARK
        plaintext = self._opener.open_frame(self._sequence, final, frame)
        self._sequence += 1
        self._position += len(frame)
        self._is_complete = final
        return plaintext
