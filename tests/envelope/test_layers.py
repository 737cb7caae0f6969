"""Messages in two layers: what one layer writes is the plaintext of the other, whatever pieces it comes in."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.envelope import layers
from fuin.envelope.reader import Reader
from fuin.envelope.spans import plaintext_length, stored_length
from fuin.envelope.stream import EncryptedDataKey, Opener, parse_header

CONTEXT = {"aws:s3:arn": "arn:aws:s3:::b/k"}
ENTRIES = [EncryptedDataKey.from_kms("arn:aws:kms:us-east-1:123456789012:key/k", name) for name in (b"outer", b"inner")]


def opened(message: bytes, key: bytes, name: bytes) -> bytes:
    """Return the plaintext of a whole message, which must have the data key of this name."""
    header = parse_header(message)
    assert [entry.ciphertext for entry in header.encrypted_data_keys] == [name]
    reader = Reader(Opener(header, key, expected_context=CONTEXT))
    plaintext = b"".join(bytes(piece) for piece in reader.feed(memoryview(message)[header.length :]))
    reader.finish()
    return plaintext


@given(st.lists(st.binary(max_size=300), max_size=12), st.integers(1, 200))
def test_two_layers(pieces: list[bytes], frame_length: int) -> None:
    """The outer message opens to the inner one, and that to the plaintext; lengths follow from each other."""
    outer, inner = os.urandom(32), os.urandom(32)
    sealer = layers.new_sealer(outer + inner, ENTRIES, CONTEXT, frame_length)
    message = sealer.header
    for piece in pieces:
        message += b"".join(sealer.update(piece))
    message += sealer.finish()
    plaintext = b"".join(pieces)
    assert sealer.plaintext_length == len(plaintext)
    assert parse_header(message).message_id == sealer.message_id
    within = opened(message, outer, b"outer")
    assert opened(within, inner, b"inner") == plaintext
    assert plaintext_length(parse_header(message).length, frame_length, len(message)) == len(within)
    assert parse_header(within).message_id != sealer.message_id


def test_one_layer() -> None:
    """A data key of 32 bytes makes one message; every other number of keys or entries is refused."""
    key = os.urandom(32)
    sealer = layers.new_sealer(key, ENTRIES[:1], CONTEXT, 100)
    assert opened(sealer.header + sealer.finish(), key, b"outer") == b""
    assert layers.split(key + bytes(32)) == (key, bytes(32))
    for wrong in (b"", key[:31], key + b"x", key * 3):
        with pytest.raises(ValueError, match="one data key or two"):
            layers.split(wrong)
    for keys, entries in ((key, ENTRIES), (key * 2, ENTRIES[:1])):
        with pytest.raises(ValueError, match="each layer of a message has one encrypted data key"):
            layers.new_sealer(keys, entries, CONTEXT, 100)


@given(st.integers(0, 400), st.integers(1, 50), st.integers(0, 5000))
def test_lengths_have_an_inverse(header: int, frame: int, plaintext: int) -> None:
    """The plaintext's length follows from the message's; between two such lengths lies no message."""
    stored = stored_length(header, frame, plaintext)
    assert plaintext_length(header, frame, stored) == plaintext
    for other in range(stored + 1, stored_length(header, frame, plaintext + 1)):
        with pytest.raises(ValueError, match="no message has this length"):
            plaintext_length(header, frame, other)
    with pytest.raises(ValueError, match="no message has this length"):
        plaintext_length(header, frame, stored_length(header, frame, 0) - 1)
