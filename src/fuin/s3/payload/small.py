"""The plaintext of small objects, whose stored messages come with their rows: opened at once, on the event loop.

Nearly every such message has one layer and one frame, which is opened here without steps or batches. All others go the
way of blobs (`download.py`). Both make the same checks, and both give out nothing that does not hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.blobs.interface import run_steps
from fuin.blobs.memory import MemoryBlob
from fuin.envelope.layers import KEY_LENGTH
from fuin.envelope.stream import Opener, parse_header
from fuin.errors import FormatError, TamperedError
from fuin.formats.message import FINAL_OVERHEAD
from fuin.s3.payload.download import PartReader, Segment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.store.s3.objects import Object
    from fuin.store.s3.parts import Part


def part_in_row(obj: Object) -> Part | None:
    """Return the part of an object whose message is in its row, None for an object of blobs."""
    return obj.parts[0] if len(obj.parts) == 1 and obj.parts[0].content is not None else None


def open_bytes(part: Part, start: int, end: int, data_key: bytes, context: Mapping[str, str]) -> bytes | memoryview:
    """Return bytes `start` to `end` (exclusive) of a part that is in its row; raises TamperedError.

    The message must be the one of the row: with its message id, its size and the context of its object.
    """
    content = part.content or b""
    if len(data_key) > KEY_LENGTH:
        return _read_as_blob(part, content, start, end, data_key, context)
    if len(content) != part.stored_size:
        raise TamperedError("a message does not have the size that was stored")
    try:
        header = parse_header(content, context)
    except FormatError as error:
        raise TamperedError("a row does not start with a message header") from error
    if part.size >= header.frame_length:
        return _read_as_blob(part, content, start, end, data_key, context)
    opener = Opener(header, data_key, expected_message_id=part.message_id, expected_context=context)
    if header.length + part.size + FINAL_OVERHEAD != len(content):
        raise TamperedError("a row does not have the size of its message")
    return opener.open_frame(1, True, memoryview(content)[header.length :])[start:end]


def _read_as_blob(
    part: Part, content: bytes, start: int, end: int, data_key: bytes, context: Mapping[str, str]
) -> bytes:
    """Return the bytes of a message with more layers or frames."""
    reader, fill = PartReader(Segment(part, start, end), data_key, context, None), MemoryBlob(content).fill
    pieces: list[memoryview] = []
    while True:
        batch = run_steps(reader.read(len(content)), fill)
        pieces += batch or ()
        if not reader.left:
            return b"".join(pieces)
