"""The messages of small objects are opened at once: the same bytes and the same refusals as those of blobs."""

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from fuin.envelope import layers
from fuin.errors import TamperedError
from fuin.formats.message import EncryptedDataKey
from fuin.s3.payload import small
from fuin.store.s3.parts import Part
from tests.support.damages import DAMAGES

CONTEXT = {"aws:s3:arn": "arn:aws:s3:::bucket/key"}
BODY = os.urandom(5000)
ENTRY = EncryptedDataKey.from_kms("arn:aws:kms:us-east-1:000000000000:key/k", b"encrypted")


def sealed(data_key: bytes, frame_length: int, body: bytes = BODY) -> Part:
    """Return a part in its row, of as many layers as there are data keys."""
    sealer = layers.new_sealer(data_key, [ENTRY] * (len(data_key) // 32), CONTEXT, frame_length)
    message = b"".join([sealer.header, *map(bytes, sealer.update(body)), sealer.finish()])
    return Part("blob", len(body), len(message), 1, "etag", None, sealer.message_id, 0.0, message)


@pytest.mark.parametrize("keys", [1, 2], ids=["one layer", "two layers"])
@pytest.mark.parametrize("frame_length", [256 * 1024, 5000, 777])
def test_any_bytes_of_any_message(keys: int, frame_length: int) -> None:
    """Of one frame or more, of one layer or two: whole, in part, and nothing of it."""
    data_key = os.urandom(32 * keys)
    part = sealed(data_key, frame_length)
    for start, end in ((0, 5000), (0, 0), (10, 20), (776, 778), (4999, 5000)):
        assert bytes(small.open_bytes(part, start, end, data_key, CONTEXT)) == BODY[start:end]
    assert bytes(small.open_bytes(sealed(data_key, frame_length, b""), 0, 0, data_key, CONTEXT)) == b""


@pytest.mark.parametrize("frame_length", [256 * 1024, 777], ids=["one frame", "more frames"])
@pytest.mark.parametrize(
    "change",
    [
        lambda part: replace(part, message_id=os.urandom(32)),
        lambda part: replace(part, size=part.size + 1),
        lambda part: replace(part, size=part.size - 1),
        lambda part: replace(part, stored_size=part.stored_size - 1),
        lambda part: replace(part, content=part.content[:-1]),
        lambda part: replace(part, content=part.content + b"\0", stored_size=part.stored_size + 1),
        lambda part: replace(part, content=b"", stored_size=0),
        lambda part: replace(part, content=sealed(os.urandom(32), 256 * 1024).content),
    ],
    ids=["id", "longer", "shorter", "stored size", "cut", "extended", "nothing", "another message"],
)  # fmt: skip
def test_a_row_that_is_not_its_message(change: Callable[[Part], Part], frame_length: int) -> None:
    """The row's id, its sizes and its message belong together."""
    data_key = os.urandom(32)
    part = sealed(data_key, frame_length)
    with pytest.raises(TamperedError):
        small.open_bytes(change(part), 0, part.size, data_key, CONTEXT)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_every_damage_to_bytes(damage: Callable[[bytes], bytes]) -> None:
    """What is done to files in `test_tamper.py`, done to a message in its row, with the row's size adapted."""
    data_key = os.urandom(32)
    part = sealed(data_key, 256 * 1024, os.urandom(2 * 256 * 1024 + 1000))
    damaged = damage(part.content or b"")
    for stored_size in {part.stored_size, len(damaged)}:
        with pytest.raises(TamperedError):
            small.open_bytes(replace(part, content=damaged, stored_size=stored_size), 0, part.size, data_key, CONTEXT)


def test_another_key_or_context() -> None:
    """A message commits to its data key, and is bound to its object."""
    data_key = os.urandom(32)
    part = sealed(data_key, 256 * 1024)
    with pytest.raises(TamperedError, match="commits to another data key"):
        small.open_bytes(part, 0, 1, os.urandom(32), CONTEXT)
    with pytest.raises(TamperedError, match="another encryption context"):
        small.open_bytes(part, 0, 1, data_key, {"aws:s3:arn": "arn:aws:s3:::bucket/other"})
