"""The encryption context: its vectors, and that no two contexts have the same bytes."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuin.errors import FormatError
from fuin.formats.context import EMPTY, LIMIT, decode, encode
from tests.formats import vectors

pairs = st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=5)
# Letters so few that concatenations collide all the time, were there no lengths.
colliding = st.dictionaries(st.text("ab", max_size=3), st.text("ab", max_size=3), max_size=3)


@pytest.mark.parametrize("path", vectors.paths("encryption-context"), ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    """Each vector has the bytes that it says, both ways, or is refused."""
    case = vectors.read(path, "bytes")
    if "error" not in case:
        assert encode(case["context"]) == case["bytes"]
        assert decode(case["bytes"]) == case["context"]
    elif "context" in case:
        with pytest.raises(FormatError):
            encode(case["context"])
    else:
        with pytest.raises(FormatError):
            decode(case["bytes"])


def test_failures_outnumber_successes() -> None:
    """The vectors say more about what is refused than about what is taken."""
    failed, succeeded = vectors.failures("encryption-context")
    assert failed > 2 * succeeded > 10


@given(pairs)
def test_round_trip(context: dict[str, str]) -> None:
    """What is encoded decodes to the same pairs."""
    assert decode(encode(context)) == context


@given(colliding, colliding)
@example({"a": "bc"}, {"ab": "c"})
@example({"a": "b"}, {"a": "", "b": ""})
def test_injective(left: dict[str, str], right: dict[str, str]) -> None:
    """Two contexts have the same bytes only when they are the same."""
    assert (encode(left) == encode(right)) == (left == right)


def test_lengths_about_those_of_short_texts() -> None:
    """Short texts, long ones and such as are not ASCII have the same format, each alone and all together."""
    texts = ["", "a" * 127, "b" * 128, "c" * 255, "d" * 256, "é" * 63, "é" * 64, "漢" * 127]
    for key in texts:
        for value in texts:
            parts = [len(part).to_bytes(2) + part for part in (key.encode(), value.encode())]
            assert encode({key: value}) == b"\0\1" + b"".join(parts)
    everything = dict.fromkeys(texts, "e")
    assert decode(encode(everything)) == everything


@pytest.mark.parametrize("count", [127, 128, 256])
def test_many_pairs(count: int) -> None:
    """The number of pairs has two bytes, also where one would do."""
    context = {str(number): "" for number in range(count)}
    assert encode(context)[:2] == count.to_bytes(2)
    assert decode(encode(context)) == context


@given(pairs)
def test_order_of_pairs_is_no_matter(context: dict[str, str]) -> None:
    """The order in which a client sends its pairs changes nothing."""
    shuffled = dict(reversed(context.items()))
    assert encode(shuffled) == encode(context)


@given(pairs, pairs)
def test_no_encoding_begins_another(left: dict[str, str], right: dict[str, str]) -> None:
    """An encoding ends by itself: none is the beginning of another one."""
    if left != right:
        assert not encode(left).startswith(encode(right))


@given(st.binary(max_size=40))
def test_decoding_takes_canonical_bytes_only(data: bytes) -> None:
    """Whatever decodes is exactly what encoding gives."""
    try:
        context = decode(data)
    except FormatError:
        return
    assert encode(context) == data


def test_limits() -> None:
    """The longest encoding is taken, one byte more is not; no pairs are two zero bytes."""
    assert len(encode({"a": "x" * (LIMIT - 7)})) == LIMIT
    with pytest.raises(FormatError):
        encode({"a": "x" * (LIMIT - 6)})
    assert encode({}) == EMPTY == b"\0\0"
