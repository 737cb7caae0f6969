"""Messages in layers: the whole inner message is the plaintext of the outer one, and each has a data key of its own.

The data keys of all layers are written one after the other, the outermost first. So a data key of 32 bytes is that of a
message with one layer. Page: docs/formats/two-layers.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fuin.envelope.stream import Sealer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Buffer

    from fuin.envelope.stream import EncryptedDataKey

KEY_LENGTH = 32


class MessageSealer(Protocol):
    """Writes one message: `header`, then what `update` returns, then what `finish` returns."""

    @property
    def header(self) -> bytes:
        """Return the header, that of the outermost layer."""

    @property
    def message_id(self) -> bytes:
        """Return the message id, that of the outermost layer."""

    @property
    def plaintext_length(self) -> int:
        """Return the number of plaintext bytes so far."""

    def update(self, data: Buffer) -> list[bytearray]:
        """Take more plaintext, and return the frames that are now full."""

    def finish(self) -> bytes:
        """Return the rest of the message."""


def split(data_key: bytes) -> tuple[bytes, ...]:
    """Return the data keys of the layers, the outermost first; raises ValueError unless there are one or two."""
    if len(data_key) not in (KEY_LENGTH, 2 * KEY_LENGTH):
        raise ValueError("a message has one data key or two, of 32 bytes each")
    return tuple(data_key[at : at + KEY_LENGTH] for at in range(0, len(data_key), KEY_LENGTH))


def new_sealer(
    data_key: bytes, entries: Sequence[EncryptedDataKey], context: Mapping[str, str], frame_length: int
) -> MessageSealer:
    """Return the sealer of a message with as many layers as `data_key` has keys; `entries` are encrypted, in order."""
    keys = split(data_key)
    if len(keys) != len(entries):
        raise ValueError("each layer of a message has one encrypted data key")
    outer = Sealer(keys[0], [entries[0]], context, frame_length)
    return outer if len(keys) == 1 else TwoLayerSealer(Sealer(keys[1], [entries[1]], context, frame_length), outer)


class TwoLayerSealer:
    """Writes a message whose plaintext is a message."""

    def __init__(self, inner: Sealer, outer: Sealer) -> None:
        self._inner, self._outer = inner, outer
        self._pending = [inner.header]  # what the outer layer has not taken yet

    @property
    def header(self) -> bytes:
        """Return the header of the outer message."""
        return self._outer.header

    @property
    def message_id(self) -> bytes:
        """Return the id of the outer message."""
        return self._outer.message_id

    @property
    def plaintext_length(self) -> int:
        """Return the number of plaintext bytes so far."""
        return self._inner.plaintext_length

    def update(self, data: Buffer) -> list[bytearray]:
        """Take more plaintext, and return the frames of the outer message that are now full."""
        frames = [frame for piece in self._pending for frame in self._outer.update(piece)]
        self._pending.clear()
        for inner in self._inner.update(data):
            frames += self._outer.update(inner)
        return frames

    def finish(self) -> bytes:
        """Return the rest of the outer message, which has the final frame of the inner one."""
        frames = self.update(b"")
        frames += self._outer.update(self._inner.finish())
        return b"".join(frames) + self._outer.finish()
