"""Sealer, Opener and Reader: round trips, tampering, truncation, ranges, bindings."""

import itertools
import os
import random
import struct
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from fuin.envelope.reader import Reader
from fuin.envelope.stream import Opener, Sealer, frame_span, parse_header, stored_length
from fuin.errors import FormatError, TamperedError
from tests.envelope.messages import DATA_KEY, KEYS, frames, seal, unseal

CONTEXT = {"aws:s3:arn": "arn:aws:s3:::bucket/印", "a": ""}
LENGTHS = (0, 1, 15, 16, 17, 31, 32, 33, 100)


def opener(message: bytes) -> Opener:
    """Return the Opener of a test message."""
    return Opener(parse_header(message), DATA_KEY)


@given(
    st.binary(max_size=300),
    st.integers(1, 80),
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4),
    st.integers(1, 90),
    st.integers(1, 90),
)
def test_what_is_sealed_opens(
    plaintext: bytes, frame_length: int, context: dict[str, str], written: int, read: int
) -> None:
    """Any plaintext and context, in pieces of any size, come back, and the size is the one foretold."""
    message = seal(plaintext, frame_length, context, written)
    header = parse_header(message)
    assert unseal(message, pieces=read) == plaintext
    assert header.context == context
    assert len(message) == stored_length(header.length, frame_length, len(plaintext))


@given(st.integers(0, 70), st.integers(1, 20), st.data())
def test_range_opens_to_the_slice(length: int, frame_length: int, data: st.DataObject) -> None:
    """A range read gives the slice, reads only the file's span, and its frames follow one another."""
    start = data.draw(st.integers(0, length))
    end = data.draw(st.integers(start, length))
    plaintext = bytes(range(length))
    message = seal(plaintext, frame_length)
    opening = opener(message)
    span = frame_span(opening.header.length, frame_length, length, start, end)
    found, offset = b"", span.file_offset
    for place in span.frames():
        assert place.offset == offset
        offset += place.length
        stored = message[place.offset : place.offset + place.length]
        found += bytes(opening.open_frame(place.sequence, place.final, stored)[place.skip : place.stop])
    assert found == plaintext[start:end]
    assert offset == span.file_offset + span.file_length
    assert span.last - span.first <= (end - start) // frame_length + 1


def test_range_to_the_end_includes_the_final_frame() -> None:
    """Reading to the end proves completeness, also where the final frame is empty; a range within does not pay it."""
    assert [place.final for place in frame_span(100, 16, 32, 0, 32).frames()] == [False, False, True]
    assert [place.final for place in frame_span(100, 16, 32, 0, 31).frames()] == [False, False]
    assert [place.final for place in frame_span(100, 16, 0, 0, 0).frames()] == [True]


@pytest.mark.parametrize(("start", "end"), [(-1, 4), (5, 4), (0, 33), (33, 33)])
def test_range_outside_the_plaintext_is_refused(start: int, end: int) -> None:
    """The caller must have checked the range against the object's length."""
    with pytest.raises(ValueError, match="range"):
        frame_span(100, 16, 32, start, end)


def test_every_single_bit_flip_is_refused() -> None:
    """No bit of a message, header or body, can change without an error."""
    message = seal(b"sixteen bytes is one frame, more", 16, CONTEXT)
    for position in range(len(message) * 8):
        changed = bytearray(message)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises((FormatError, TamperedError)):
            unseal(bytes(changed), pieces=len(message))


@pytest.mark.parametrize("pieces", [1, 13, 10_000])
def test_every_truncation_is_refused(pieces: int) -> None:
    """A message cut off at any byte is an error, also between two frames."""
    message = seal(bytes(40), 16, CONTEXT)
    for length in range(len(message)):
        with pytest.raises((FormatError, TamperedError)):
            unseal(message[:length], pieces=pieces)


@pytest.mark.parametrize("pieces", [1, 13, 10_000])
@pytest.mark.parametrize("extra", [b"\0", bytes(100), b"\xff\xff\xff\xff"])
def test_bytes_after_the_end_are_refused(pieces: int, extra: bytes) -> None:
    """Nothing may follow the final frame."""
    with pytest.raises(TamperedError, match="after"):
        unseal(seal(bytes(40)) + extra, pieces=pieces)


def _swapped(parts: list[bytes]) -> list[bytes]:
    return [parts[1], parts[0], *parts[2:]]


def _repeated(parts: list[bytes]) -> list[bytes]:
    return [parts[0], *parts]


def _left_out(parts: list[bytes]) -> list[bytes]:
    return parts[1:]


def _final_first(parts: list[bytes]) -> list[bytes]:
    return [parts[-1]]


def _final_twice(parts: list[bytes]) -> list[bytes]:
    return [*parts, parts[-1]]


def _renumbered(parts: list[bytes]) -> list[bytes]:
    """Return the frames with the second under the first's number, so that only the tag can tell."""
    return [parts[0][:16] + parts[1][16:], *parts[1:]]


def _final_as_regular(parts: list[bytes]) -> list[bytes]:
    """Return the frames with a full regular frame dressed up as the final one: a cut between two frames."""
    return [struct.pack(">IIQII", 0xFFFFFFFF, 1, 0, 1, 16) + parts[0][16:]]


@pytest.mark.parametrize("pieces", [1, 13, 10_000])
@pytest.mark.parametrize(
    "change", [_swapped, _repeated, _left_out, _final_first, _final_twice, _renumbered, _final_as_regular]
)
def test_frames_out_of_place_are_refused(change: Callable[[list[bytes]], list[bytes]], pieces: int) -> None:
    """Frames that are genuine by themselves are refused anywhere but at their place."""
    message = seal(bytes(range(40)))
    header = message[: parse_header(message).length]
    assert unseal(header + b"".join(frames(message)), pieces=pieces) == bytes(range(40))
    with pytest.raises(TamperedError):
        unseal(header + b"".join(change(frames(message))), pieces=pieces)


@pytest.mark.parametrize("pieces", [1, 13, 10_000])
def test_final_frame_is_bounded_before_it_is_read(pieces: int) -> None:
    """A final frame that claims more than a frame's bytes is refused at its head, not gathered."""
    message = seal(bytes(40))
    header = message[: parse_header(message).length]
    head = struct.pack(">IIQII", 0xFFFFFFFF, 1, 0, 1, 1000)
    with pytest.raises(TamperedError, match="longer than its frame length"):
        unseal(header + head + bytes(2000), pieces=pieces)


def test_frame_of_another_message_is_refused() -> None:
    """Two messages under one data key do not share frames: each derives its own key."""
    one, other = seal(bytes(40)), seal(bytes(40))
    with pytest.raises(TamperedError):
        opener(one).open_frame(1, False, frames(other)[0])


@pytest.mark.parametrize(("sequence", "final", "index"), [(2, False, 0), (1, True, 0), (1, False, -1), (4, True, -1)])
def test_open_frame_checks_the_place(sequence: int, final: bool, index: int) -> None:
    """A frame opens with its own sequence number and kind only."""
    message = seal(bytes(40))
    with pytest.raises(TamperedError):
        opener(message).open_frame(sequence, final, frames(message)[index])


@pytest.mark.parametrize("length", [0, 1, 16, 31, 47, 49, 100])
def test_open_frame_checks_the_length(length: int) -> None:
    """A regular frame has one size."""
    message = seal(bytes(40))
    with pytest.raises(TamperedError, match="length"):
        opener(message).open_frame(1, False, bytes(length))


@pytest.mark.parametrize("length", [0, 39, 57])
def test_open_frame_checks_the_final_length(length: int) -> None:
    """A final frame holds between no bytes and a full frame."""
    message = seal(bytes(40))
    with pytest.raises(TamperedError, match="length"):
        opener(message).open_frame(3, True, bytes(length))


def test_failed_frame_leaves_no_plaintext() -> None:
    """What AES-GCM decrypted before it came to the tag is wiped from the caller's buffer."""
    message = seal(b"secret plaintext and more")
    frame = bytearray(frames(message)[0])
    frame[-1] ^= 1
    out = bytearray(16)
    with pytest.raises(TamperedError):
        opener(message).open_frame(1, False, frame, out)
    assert out == bytes(16)


def test_open_frame_writes_to_the_given_buffer() -> None:
    """The plaintext stands at the beginning of `out`, which may be longer."""
    message = seal(b"secret plaintext and more")
    out = bytearray(20)
    assert bytes(opener(message).open_frame(1, False, frames(message)[0], out)) == b"secret plaintext"
    assert out == b"secret plaintext" + bytes(4)


def test_full_final_frame_opens() -> None:
    """Other SDKs may write the last full frame as the final one; a reader takes it."""
    sealer = Sealer(DATA_KEY, KEYS, {}, 16)
    key = HKDF(SHA512(), 32, sealer.message_id, b"\x04\x78DERIVEKEY").derive(DATA_KEY)
    iv = bytes(11) + b"\1"
    aad = sealer.message_id + b"AWSKMSEncryptionClient Final Frame" + struct.pack(">IQ", 1, 16)
    final = b"\xff\xff\xff\xff" + struct.pack(">I", 1) + iv + struct.pack(">I", 16)
    assert unseal(sealer.header + final + AESGCM(key).encrypt(iv, bytes(range(16)), aad)) == bytes(range(16))


def test_other_data_key_is_refused() -> None:
    """The commitment refuses every data key but the one."""
    with pytest.raises(TamperedError, match="commits"):
        unseal(seal(b"text"), data_key=bytes(32))


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_data_key_of_another_length_is_refused(length: int) -> None:
    """The suite takes 32 bytes."""
    with pytest.raises(ValueError, match="32"):
        Sealer(bytes(length), KEYS, {})


def test_binding_holds_for_the_own_message() -> None:
    """A message opens where its id and context are the expected ones."""
    header = parse_header(seal(b"text", context=CONTEXT))
    Opener(header, DATA_KEY, expected_message_id=header.message_id, expected_context=CONTEXT)


@pytest.mark.parametrize(
    "context", [{}, {"a": ""}, {**CONTEXT, "b": ""}, {**CONTEXT, "a": "x"}, {"aws:s3:arn": "arn:aws:s3:::bucket/other"}]
)
def test_other_context_is_refused(context: dict[str, str]) -> None:
    """A message moved under another name does not open: the expected context must be equal."""
    header = parse_header(seal(b"text", context=CONTEXT))
    with pytest.raises(TamperedError, match="context"):
        Opener(header, DATA_KEY, expected_context=context)


@pytest.mark.parametrize("message_id", [b"", bytes(32), os.urandom(32)], ids=["empty", "zeros", "random"])
def test_other_message_id_is_refused(message_id: bytes) -> None:
    """An older version put back in its place does not open: the index holds the message's id."""
    header = parse_header(seal(b"text"))
    with pytest.raises(TamperedError, match="not the one"):
        Opener(header, DATA_KEY, expected_message_id=message_id)


def test_message_ids_are_fresh() -> None:
    """No two messages share an id, hence no key and no IV."""
    assert len({Sealer(DATA_KEY, KEYS, {}).message_id for _ in range(100)}) == 100


KIB = 1024


@pytest.mark.parametrize("frame_length", [20 * KIB, 32 * KIB, 64 * KIB])
@pytest.mark.parametrize(
    "lengths",
    [
        (1, 32 * KIB - 2),
        (1, 32 * KIB - 1),
        (1, 32 * KIB),
        (32 * KIB - 1, 1, 1),
        (32 * KIB, 32 * KIB - 1, 1),
        (20 * KIB - 1, 1, 20 * KIB, 7),
        (64 * KIB - 1, 2),
        (100, 64 * KIB, 100, 31 * KIB, 2 * KIB),
        (5,) * 7000,
    ],
    ids=lambda lengths: "+".join(map(str, lengths[:5])),
)
def test_pieces_make_the_same_message_as_the_whole(lengths: tuple[int, ...], frame_length: int) -> None:
    """However the plaintext comes, around the size of a small message and of a frame, the message is the same."""
    plaintext = random.Random(1).randbytes(sum(lengths))
    ends = list(itertools.accumulate(lengths))
    sealer = Sealer(DATA_KEY, KEYS, {}, frame_length, bytes(32))
    found = [
        bytes(frame) for n, end in zip(lengths, ends, strict=True) for frame in sealer.update(plaintext[end - n : end])
    ]
    message = sealer.header + b"".join(found) + sealer.finish()
    whole = Sealer(DATA_KEY, KEYS, {}, frame_length, bytes(32))
    assert message == whole.header + b"".join(map(bytes, whole.update(plaintext))) + whole.finish()
    assert unseal(message, pieces=50_000) == plaintext


def test_finished_sealer_takes_no_more() -> None:
    """A frame after the final one would repeat an IV's place; it is refused."""
    sealer = Sealer(DATA_KEY, KEYS, {}, 16)
    sealer.finish()
    with pytest.raises(FormatError):
        sealer.update(bytes(16))
    with pytest.raises(FormatError):
        sealer.finish()


def test_unfinished_reader_is_incomplete() -> None:
    """All regular frames opened are no whole message."""
    message = seal(bytes(32))
    header = parse_header(message)
    reader = Reader(Opener(header, DATA_KEY))
    assert len(reader.feed(message[header.length : header.length + 96])) == 2
    with pytest.raises(TamperedError, match="before its final frame"):
        reader.finish()


def test_held_frames_are_not_written_to_again() -> None:
    """Buffers are reused, but never while the caller holds a frame or a view of one."""
    sealer = Sealer(DATA_KEY, KEYS, {}, 1024)
    held = [memoryview(frame) for _ in range(50) for frame in sealer.update(bytes(1024))]
    message = sealer.header + b"".join(held) + sealer.finish()
    header = parse_header(message)
    opening = Opener(header, DATA_KEY)
    views = [opening.open_frame(number + 1, False, frame) for number, frame in enumerate(held)]
    assert unseal(message) == bytes(50 * 1024)
    assert len({id(view.obj) for view in views}) == 50


def test_released_frames_are_reused() -> None:
    """Where nobody holds a frame, one buffer serves for all."""
    sealer = Sealer(DATA_KEY, KEYS, {}, 1024)
    assert len({id(sealer.update(bytes(1024))[0]) for _ in range(50)}) == 1


def test_sealer_takes_any_buffer() -> None:
    """Bytes, bytearrays and views of other shapes are bytes all the same."""
    wide = memoryview(struct.pack("=4I", 1, 2, 3, 4)).cast("I")
    sealer = Sealer(DATA_KEY, KEYS, {}, 16)
    frame = b"".join(sealer.update(bytearray(8)) + sealer.update(wide) + sealer.update(memoryview(bytes(8))))
    assert unseal(sealer.header + frame + sealer.finish()) == bytes(8) + wide.tobytes() + bytes(8)
