"""The table of damages to a stored message: what somebody with the disk can do to its bytes."""

from collections.abc import Callable

from fuin.envelope.stream import parse_header
from fuin.formats import message

Damage = Callable[[bytes], bytes]


def _frames(raw: bytes) -> tuple[bytes, list[bytes]]:
    """Return the header of a message and its frames; the last one is the final frame."""
    header = parse_header(raw)
    size, at, frames = header.frame_length + message.FRAME_OVERHEAD, header.length, []
    while raw[at : at + 4] != b"\xff\xff\xff\xff":
        frames.append(raw[at : at + size])
        at += size
    return raw[: header.length], [*frames, raw[at:]]


def _with_frames(change: Callable[[list[bytes]], list[bytes]]) -> Damage:
    """Return a damage that rearranges the frames."""

    def damage(raw: bytes) -> bytes:
        header, frames = _frames(raw)
        return header + b"".join(change(frames))

    return damage


def _flip(place: Callable[[bytes, int], int]) -> Damage:
    """Return a damage of one bit, at a place that depends on the message and on its header's length."""

    def damage(raw: bytes) -> bytes:
        changed = bytearray(raw)
        changed[place(raw, parse_header(raw).length) % len(raw)] ^= 4
        return bytes(changed)

    return damage


def _find(raw: bytes, text: bytes) -> int:
    at = raw.find(text)
    assert at >= 0
    return at + len(text)


_HEAD = message.FRAME_HEAD_LENGTH

# Each is for a message of two regular frames at least, and a final one with content.
DAMAGES: dict[str, Damage] = {
    "a flipped bit of the version": _flip(lambda raw, length: 0),
    "a flipped bit of the message id": _flip(lambda raw, length: 10),
    "a flipped bit of the encryption context": _flip(lambda raw, length: _find(raw, b"aws:s3:arn") + 5),
    "a flipped bit of the encrypted data key": _flip(lambda raw, length: length - 60),
    "a flipped bit of the frame length": _flip(lambda raw, length: length - 50),
    "a flipped bit of the commitment": _flip(lambda raw, length: length - 40),
    "a flipped bit of the header's tag": _flip(lambda raw, length: length - 1),
    "a flipped bit of a frame's number": _flip(lambda raw, length: length + 3),
    "a flipped bit of a frame's nonce": _flip(lambda raw, length: length + 6),
    "a flipped bit of the first frame": _flip(lambda raw, length: length + _HEAD),
    "a flipped bit of the second frame": _flip(lambda raw, length: length + len(_frames(raw)[1][0]) + _HEAD),
    "a flipped bit of the final frame's length": _flip(lambda raw, length: len(raw) - len(_frames(raw)[1][-1]) + 23),
    "a flipped bit of the last tag": _flip(lambda raw, length: -1),
    "frames in another order": _with_frames(lambda frames: [frames[1], frames[0], *frames[2:]]),
    "a frame twice": _with_frames(lambda frames: [frames[0], *frames]),
    "a frame in another's place": _with_frames(lambda frames: [frames[0], frames[0], *frames[2:]]),
    "without a frame": _with_frames(lambda frames: frames[1:]),
    "without the final frame": _with_frames(lambda frames: frames[:-1]),
    "with two final frames": _with_frames(lambda frames: [*frames, frames[-1]]),
    "cut within a frame": lambda raw: raw[: len(raw) // 2],
    "cut by a byte": lambda raw: raw[:-1],
    "a byte longer": lambda raw: raw + b"x",
    "twice": lambda raw: raw + raw,
    "empty": lambda raw: b"",
    "zeros instead": lambda raw: bytes(len(raw)),
}

# Damages that an observer without any key cannot see: the structure is as it should be.
NEEDS_KEY = frozenset({
    "a flipped bit of the commitment", "a flipped bit of the header's tag", "a flipped bit of the first frame",
    "a flipped bit of the second frame", "a flipped bit of the last tag",
})  # fmt: skip
