"""Keyholder frames: their vectors, and that a stream splits the same way wherever it is cut."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.errors import FormatError
from fuin.formats.frames import FIELDS_AT_MOST, LIMIT, Frame, Splitter, decode, encode
from tests.formats import vectors

frame = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 255), st.lists(st.binary(max_size=20), max_size=16))


def split(data: bytes, size: int) -> list[Frame]:
    """Feed `data` to a splitter, `size` bytes at a time."""
    splitter = Splitter()
    return [found for at in range(0, len(data), size) for found in splitter.feed(data[at : at + size])]


@pytest.mark.parametrize("path", vectors.paths("frames"), ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [1, 3, 1_000_000])
def test_vector(path: Path, size: int) -> None:
    """Each vector gives its frames or is refused, whole and in small pieces."""
    case = vectors.read(path, "bytes")
    if "error" in case:
        with pytest.raises(FormatError):
            split(case["bytes"], size)
        return
    expected = [(f["correlation"], f["code"], [bytes.fromhex(field) for field in f["fields"]]) for f in case["frames"]]
    assert split(case["bytes"], size) == expected
    assert b"".join(encode(*one) for one in expected) == case["bytes"]


def test_failures_outnumber_successes() -> None:
    """The vectors say more about what is refused than about what is taken."""
    failed, succeeded = vectors.failures("frames")
    assert failed > 2 * succeeded


@given(st.lists(frame, max_size=5), st.integers(1, 50))
def test_round_trip(frames: list[Frame], size: int) -> None:
    """Frames come out as they went in, wherever the stream was cut."""
    assert split(b"".join(encode(*one) for one in frames), size) == frames


@given(frame, frame)
def test_injective(left: Frame, right: Frame) -> None:
    """Two frames have the same bytes only when they are the same."""
    assert (encode(*left) == encode(*right)) == (left == right)


@given(st.binary(min_size=0, max_size=60))
def test_decoding_takes_canonical_bytes_only(body: bytes) -> None:
    """Whatever decodes is exactly what encoding gives."""
    try:
        found = decode(body)
    except FormatError:
        return
    assert encode(*found)[4:] == body


@pytest.mark.parametrize("tail", [bytes((2, 0, 0, 0, 0, 0, 0, 0, 9)), bytes((1, 0, 0, 0, 9, 0)), bytes((16,))])
def test_frame_does_not_reach_into_the_next(tail: bytes) -> None:
    """A field, or the table of lengths, that goes on in the next frame of the same read is refused."""
    body = bytes(9) + tail
    following = encode(1, 1, [bytes(80)])
    with pytest.raises(FormatError):
        split(len(body).to_bytes(4, "big") + body + following, 1_000)


def test_limits() -> None:
    """The longest frame is taken, one byte or one field more is not."""
    longest = encode(1, 1, [bytes(LIMIT - 14)])
    assert split(longest, 65_536) == [(1, 1, [bytes(LIMIT - 14)])]
    with pytest.raises(FormatError):
        encode(1, 1, [bytes(LIMIT - 13)])
    with pytest.raises(FormatError):
        encode(1, 1, [b""] * (FIELDS_AT_MOST + 1))


def test_unfinished_frame_waits() -> None:
    """A frame that is not whole gives nothing, and stays bounded by the limit."""
    assert split(encode(1, 1, [b"x"])[:-1], 4) == []
