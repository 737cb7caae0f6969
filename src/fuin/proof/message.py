"""The proof of one stored message: its bytes, read once from the first to the last, against its row and its data key.

Without a data key the proof is of the structure: the header and its names, the place, number and length of each frame,
and the length of the whole. With a data key each frame is opened as well, and the digests of the plaintext are
compared. Nothing of the plaintext is kept beyond the frame that is being looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fuin.blobs.interface import ReadInto
from fuin.envelope import layers
from fuin.envelope.spans import frame_span, plaintext_length, stored_length
from fuin.envelope.stream import Opener, parse_header
from fuin.errors import FormatError, TamperedError
from fuin.formats import message
from fuin.kms.on_behalf import DATA_KEY_LENGTH
from fuin.s3.objects import index
from fuin.s3.payload.checksums import ALGORITHMS
from fuin.s3.payload.digests import Digests
from fuin.s3.payload.messages import OuterLayer
from fuin.settings import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fuin.blobs.interface import ReadSteps
    from fuin.envelope.spans import FramePlace
    from fuin.envelope.stream import EncryptedDataKey, Header
    from fuin.store.s3.parts import Part

_WINDOW = 1 * MIB  # that is read at once
_FIRST = 4096  # bytes; nearly every header is shorter


@dataclass(frozen=True, slots=True)
class ExpectedMessage:
    """What a row says of its message; `entries` are the encrypted data keys of its layers, the outermost first.

    Of a message that was re-wrapped they are the SHA-256 of those that its headers have.
    `has_md5` says that the part's ETag is the MD5 of its plaintext.
    """

    part: Part
    entries: Sequence[EncryptedDataKey | bytes]
    context: Mapping[str, str]
    has_md5: bool


def prove(size: int, expected: ExpectedMessage, data_key: bytes | None, note: Callable[[int], None]) -> ReadSteps[None]:
    """Do the steps of the proof for a blob of `size` bytes; raises TamperedError or FormatError with the reason.

    `data_key` has the keys of all layers; None proves the structure. `note` is called with each number of bytes read.
    """
    stored = expected.part.stored_size
    if size != stored:
        raise TamperedError(f"the blob has {size:,} bytes, and {stored:,} in the index")
    if data_key is not None and len(data_key) != DATA_KEY_LENGTH * len(expected.entries):
        raise TamperedError(f"its data key has {len(data_key)} bytes")
    digests = None if data_key is None else _digests(expected)
    keys = () if data_key is None else layers.split(data_key)
    steps = _prove_layer(size, expected, expected.entries, keys, expected.part.message_id, digests)
    yield from _count_steps(steps, note)
    if digests is not None:
        _check_digests(expected, digests)


def _count_steps(steps: ReadSteps[None], note: Callable[[int], None]) -> ReadSteps[None]:
    """Do the steps, and call `note` after each with the number of bytes that it has read."""
    try:
        step = next(steps)
        while True:
            count = yield step
            note(count)
            step = steps.send(count)
    except StopIteration:
        return


def _prove_layer(
    size: int, expected: ExpectedMessage, entries: Sequence[EncryptedDataKey | bytes], keys: Sequence[bytes],
    message_id: bytes | None, digests: Digests | None,
) -> ReadSteps[None]:  # fmt: skip
    """Prove a message of `size` bytes, which is the plaintext of the layer around it if that has any."""
    header = yield from _read_header(size)
    _check_header(header, entries[0], expected.context, message_id)
    if len(entries) == 1:
        content = expected.part.size
        if stored_length(header.length, header.frame_length, content) != size:
            raise TamperedError(f"a message of {content:,} bytes of content, as in the index, has another length")
    else:
        content = _content_length(header, size)
        if keys and message_id is not None:
            inner = partial(
                _prove_layer, expected=expected, entries=entries[1:], keys=keys[1:], message_id=None, digests=digests
            )
            yield from OuterLayer(keys[0], expected.context, message_id).read(size, inner)
            return
    opener = Opener(header, keys[0]) if keys else None
    yield from _read_frames(header, content, opener, digests)


def _content_length(header: Header, size: int) -> int:
    try:
        return plaintext_length(header.length, header.frame_length, size)
    except ValueError:
        raise TamperedError("no message with this header has the length of the blob") from None


def _read_header(size: int) -> ReadSteps[Header]:
    for limit in (_FIRST, message.HEADER_LIMIT):
        start = memoryview(bytearray(min(size, limit)))
        count = yield ReadInto(start, 0)
        try:
            return parse_header(start[:count])
        except FormatError as error:
            if limit == message.HEADER_LIMIT or count < limit:
                raise FormatError(f"it does not begin with the header of a message: {error}") from None
    raise AssertionError("unreachable")


def _check_header(
    header: Header, entry: EncryptedDataKey | bytes, context: Mapping[str, str], message_id: bytes | None
) -> None:
    """Raise TamperedError unless a header has the id, the context and the encrypted data key of its row."""
    if message_id is not None and header.message_id != message_id:
        raise TamperedError("the message is another one than the index names: its message id differs")
    if header.context != dict(context):
        raise TamperedError(
            f"the message is bound to another encryption context: {_pairs(header.context)} instead of {_pairs(context)}"
        )
    if len(header.encrypted_data_keys) != 1:
        raise TamperedError(f"the message has {len(header.encrypted_data_keys)} encrypted data keys instead of one")
    (found,) = header.encrypted_data_keys
    if isinstance(entry, bytes):
        if found.digest() != entry:
            raise TamperedError("the message was re-wrapped, and has another encrypted data key than before that")
        return
    if (found.provider, found.info) != (entry.provider, entry.info):
        names = [f"{one.provider} {one.info.decode(errors='replace')}" for one in (found, entry)]
        raise TamperedError(f"the message names the key {names[0]}, and the index {names[1]}")
    if found.ciphertext != entry.ciphertext:
        raise TamperedError("the message has another encrypted data key than the index")


def _pairs(context: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(context.items())) or "none"


def _read_frames(header: Header, content: int, opener: Opener | None, digests: Digests | None) -> ReadSteps[None]:
    """Read all frames of a message in order, open each if there is an opener, and digest its plaintext."""
    span = frame_span(header.length, header.frame_length, content, 0, content)
    buffer = bytearray()
    for places in _windows(span.frames()):
        length = sum(place.length for place in places)
        if len(buffer) < length:
            buffer = bytearray(length)
        window = memoryview(buffer)[:length]
        if (yield ReadInto(window, places[0].offset)) < length:
            raise TamperedError("the blob ends early")
        for place in places:
            at = place.offset - places[0].offset
            frame = window[at : at + place.length]
            if opener is None:
                _check_head(place, frame)
                continue
            plaintext = opener.open_frame(place.sequence, place.final, frame)
            if digests is not None:
                digests.update(plaintext)


def _windows(places: Iterator[FramePlace]) -> Iterator[list[FramePlace]]:
    """Yield the frames in groups of about the window's size."""
    group: list[FramePlace] = []
    size = 0
    for place in places:
        group.append(place)
        size += place.length
        if size >= _WINDOW:
            yield group
            group, size = [], 0
    if group:
        yield group


def _check_head(place: FramePlace, frame: memoryview) -> None:
    """Raise TamperedError unless a frame begins as the frame of its place does."""
    if place.final:
        head = message.final_head(place.sequence, place.length - message.FINAL_OVERHEAD)
    else:
        head = message.frame_head(place.sequence)
    if frame[: len(head)] != head:
        raise TamperedError(f"frame {place.sequence} of the message is not at its place")


def _digests(expected: ExpectedMessage) -> Digests:
    """Return the running digests of the checksums that the row has, and of the MD5 if that is its ETag."""
    names = index.parse_values(expected.part)
    if unknown := sorted(names.keys() - ALGORITHMS.keys()):
        raise TamperedError(f"the index has a checksum of an unknown kind: {unknown[0][:40]}")
    return Digests(None, [ALGORITHMS[name] for name in names], etag=expected.has_md5)


def _check_digests(expected: ExpectedMessage, digests: Digests) -> None:
    """Raise TamperedError unless the digests are those of the row."""
    found = digests.values()
    for name, value in index.parse_values(expected.part).items():
        if found[name] != value:
            raise TamperedError(f"the content has another {name} than the index")
    if expected.has_md5 and digests.md5() != expected.part.etag:
        raise TamperedError("the content has another MD5 than its ETag in the index")
