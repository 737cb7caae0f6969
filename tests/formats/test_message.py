"""The message format: its vectors, its layout, and what a header may not be."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.errors import FormatError, TamperedError
from fuin.formats import message
from fuin.formats.message import EncryptedDataKey, encode_header, parse_header
from tests.envelope.messages import unseal

VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "message").glob("*.json"))
ERRORS = {"format": FormatError, "tampered": TamperedError}
ARN = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
KEY = EncryptedDataKey.from_kms(ARN, b"ciphertext")

texts = st.text(max_size=12)
data_keys = st.builds(EncryptedDataKey, texts, st.binary(max_size=20), st.binary(max_size=20))


def vector(path: Path) -> dict[str, Any]:
    """Return the members of a vector, the binary ones as bytes."""
    members: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {k: bytes.fromhex(v) if k in ("data_key", "message", "plaintext") else v for k, v in members.items()}


@pytest.mark.parametrize("path", VECTORS, ids=[path.stem for path in VECTORS])
@pytest.mark.parametrize("pieces", [1, 1_000_000])
def test_vector(path: Path, pieces: int) -> None:
    """Each vector opens to its plaintext or fails with its kind of error, in one piece and byte by byte."""
    case = vector(path)
    if "error" in case:
        with pytest.raises(ERRORS[case["error"]]):
            unseal(case["message"], case["data_key"], pieces)
        return
    assert unseal(case["message"], case["data_key"], pieces) == case["plaintext"]
    header = parse_header(case["message"])
    assert (header.context, header.frame_length) == (case["context"], case["frame_length"])


def test_failures_outnumber_successes() -> None:
    """The vectors say more about what is refused than about what is taken."""
    failures = sum("error" in vector(path) for path in VECTORS)
    assert failures > 2 * (len(VECTORS) - failures) > 10


@given(
    st.binary(min_size=32, max_size=32),
    st.dictionaries(texts, texts, max_size=5),
    st.lists(data_keys, min_size=1, max_size=3),
    st.integers(1, message.FRAME_LENGTH_LIMIT),
    st.binary(max_size=40),
)
def test_header_round_trip(
    message_id: bytes, context: dict[str, str], keys: list[EncryptedDataKey], frame_length: int, rest: bytes
) -> None:
    """A header is read back as written, whatever follows it."""
    raw = encode_header(message_id, context, keys, frame_length, bytes(32))
    header = parse_header(raw + bytes(16) + rest)
    assert (header.message_id, header.context, header.encrypted_data_keys, header.frame_length) == (
        message_id,
        context,
        tuple(keys),
        frame_length,
    )
    assert (header.raw, header.length) == (raw, len(raw) + 16)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_header_or_a_format_error(data: bytes) -> None:
    """Garbage raises FormatError and nothing else, also after a good beginning."""
    start = b"\x02\x04\x78" + bytes(32)
    for candidate in (data, start + data):
        try:
            header = parse_header(candidate)
        except FormatError:
            continue
        again = encode_header(
            header.message_id, header.context, header.encrypted_data_keys, header.frame_length, header.commitment
        )
        assert again == header.raw


@given(st.dictionaries(texts, texts, max_size=4), st.dictionaries(texts, texts, max_size=4))
def test_context_is_injective(one: dict[str, str], other: dict[str, str]) -> None:
    """Two contexts have the same bytes only if they are equal."""
    assert (message.encode_context(one) == message.encode_context(other)) == (one == other)


def test_context_pairs_do_not_run_together() -> None:
    """A boundary between key and value that moves makes other bytes."""
    assert message.encode_context({"a": "bc"}) != message.encode_context({"ab": "c"})


def test_context_is_sorted_by_bytes() -> None:
    """Beyond the Basic Multilingual Plane, UTF-8 order differs from UTF-16's; UTF-8 counts."""
    encoded = message.encode_context({"𝄞": "", "\uffee": "", "b": "", "a": ""})
    assert list(message.decode_context(encoded)) == ["a", "b", "\uffee", "𝄞"]


@pytest.mark.parametrize(
    "change",
    [
        {"message_id": bytes(31)},
        {"commitment": bytes(33)},
        {"encrypted_data_keys": ()},
        {"encrypted_data_keys": (KEY,) * 33},
        {"encrypted_data_keys": (EncryptedDataKey.from_kms(ARN, bytes(65536)),)},
        {"encrypted_data_keys": (EncryptedDataKey.from_kms(ARN, bytes(40_000)),) * 2},
        {"frame_length": 0},
        {"frame_length": message.FRAME_LENGTH_LIMIT + 1},
        {"context": {"a": "x" * 16_384}},
        {"context": {"\ud800": "lone surrogate"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_nothing_is_written_that_is_not_read(change: dict[str, Any]) -> None:
    """The limits of reading hold for writing as well."""
    good: dict[str, Any] = {
        "message_id": bytes(32),
        "context": {"a": "b"},
        "encrypted_data_keys": (KEY,),
        "frame_length": 16,
        "commitment": bytes(32),
    }
    parse_header(encode_header(**good) + bytes(16))
    with pytest.raises(FormatError):
        encode_header(**{**good, **change})


def test_frame_layout() -> None:
    """Heads and associated data stand as AWS documents them, byte by byte."""
    iv = bytes(8) + b"\x01\x02\x03\x04"
    assert message.frame_head(0x01020304) == b"\x01\x02\x03\x04" + iv
    assert message.final_head(0x01020304, 5) == b"\xff\xff\xff\xff\x01\x02\x03\x04" + iv + struct.pack(">I", 5)
    assert message.frame_aad(b"id", 7, False, 9) == b"idAWSKMSEncryptionClient Frame" + struct.pack(">IQ", 7, 9)
    assert message.frame_aad(b"id", 7, True, 9) == b"idAWSKMSEncryptionClient Final Frame" + struct.pack(">IQ", 7, 9)
