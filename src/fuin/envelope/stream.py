"""Sealing and opening of messages, frame by frame, in constant memory.

`Sealer` turns plaintext into a message, `Opener` opens single frames of one; `fuin.envelope.reader` reads whole
messages of unknown length. Keys: HKDF-SHA-512 (RFC 5869) over the data key, salted with the message id; the commitment
in the header is compared before anything is decrypted, so that a message opens under one data key only.
"""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from fuin.envelope.buffers import Buffers
from fuin.envelope.spans import FramePlace, FrameSpan, frame_span, stored_length
from fuin.errors import FormatError, TamperedError
from fuin.formats import message
from fuin.formats.message import EncryptedDataKey, Header, parse_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Buffer

__all__ = [
    "FRAME_LENGTH",
    "EncryptedDataKey",
    "FramePlace",
    "FrameSpan",
    "Header",
    "Opener",
    "Sealer",
    "frame_span",
    "parse_header",
    "stored_length",
]

FRAME_LENGTH = 256 * 1024
_KEY_INFO = message.SUITE.to_bytes(2, "big") + b"DERIVEKEY"
_COMMITMENT_INFO = b"COMMITKEY"  # without the suite, unlike the key's
_HEADER_IV = bytes(12)
_SMALL = 32 * 1024  # bytes of plaintext for which a buffer of a whole frame would cost more than the encryption
_HEAD = message.FRAME_HEAD_LENGTH
_FINAL_HEAD = message.FINAL_HEAD_LENGTH


def _derive_keys(data_key: bytes, message_id: bytes) -> tuple[AESGCM, bytes]:
    """Return the cipher of one message and the commitment to its data key."""
    if len(data_key) != 32:
        raise ValueError("a data key of this suite is 32 bytes long")
    secret = HKDF.extract(SHA512(), message_id, data_key)  # once for both
    key = HKDFExpand(SHA512(), 32, _KEY_INFO).derive(secret)
    commitment = HKDFExpand(SHA512(), message.COMMITMENT_LENGTH, _COMMITMENT_INFO).derive(secret)
    return AESGCM(key), commitment


class Sealer:
    """Writes one message: `header`, then what `update` returns, then what `finish` returns.

    The data key is not kept, only the message's own derived key inside the cipher object.
    """

    def __init__(
        self,
        data_key: bytes,
        encrypted_data_keys: Sequence[EncryptedDataKey],
        context: Mapping[str, str],
        frame_length: int = FRAME_LENGTH,
        message_id: bytes | None = None,
    ) -> None:
        """Derive the keys and make the header; raises FormatError if a limit of the format is passed.

        `message_id` (32 bytes) is for tests and vectors only: a repeated one under one data key breaks AES-GCM.
        """
        self.message_id = os.urandom(message.MESSAGE_ID_LENGTH) if message_id is None else message_id
        self._cipher, commitment = _derive_keys(data_key, self.message_id)
        raw = message.encode_header(self.message_id, context, encrypted_data_keys, frame_length, commitment)
        self.header = raw + self._cipher.encrypt(_HEADER_IV, b"", raw)
        self.frame_length = frame_length
        self.plaintext_length = 0
        self._sequence = 1
        self._pending = bytearray()  # allocated when a piece does not fill a frame for the first time
        self._filled = 0
        self._buffers = Buffers(frame_length + message.FRAME_OVERHEAD)

    def update(self, data: Buffer) -> list[bytearray]:
        """Take more plaintext, of any size, and return the frames that are now full.

        A returned frame does not change while the caller refers to it, or to a memoryview of it; after that its memory
        is reused. Raises FormatError if the message has too many frames.
        """
        view = memoryview(data).cast("B")
        self.plaintext_length += len(view)
        frames: list[bytearray] = []
        offset = 0
        if self._filled:
            offset = self._fill_pending(view)
            if self._filled < self.frame_length:
                return frames
            frames.append(self._seal(memoryview(self._pending)))
            self._filled = 0
        while len(view) - offset >= self.frame_length:
            frames.append(self._seal(view[offset : offset + self.frame_length]))
            offset += self.frame_length
        if offset < len(view):
            self._fill_pending(view[offset:])
        return frames

    def finish(self) -> bytes:
        """Return the final frame, which holds the rest; the Sealer cannot be used after it."""
        plaintext = bytes(self._pending[: self._filled])
        sequence = self._next_sequence()
        head = message.final_head(sequence, len(plaintext))
        aad = message.frame_aad(self.message_id, sequence, True, len(plaintext))
        self._sequence = message.FRAMES_LIMIT + 1  # no frame after the final one
        return head + self._cipher.encrypt(head[8:20], plaintext, aad)

    def _fill_pending(self, view: memoryview) -> int:
        """Copy as many bytes as fit into the pending frame; return their number."""
        taken = min(self.frame_length - self._filled, len(view))
        end = self._filled + taken
        if end > len(self._pending):  # whole at once, but for a message that may be small
            self._pending += bytes((end if end < _SMALL else self.frame_length) - len(self._pending))
        self._pending[self._filled : end] = view[:taken]
        self._filled = end
        return taken

    def _next_sequence(self) -> int:
        sequence = self._sequence
        if sequence > message.FRAMES_LIMIT:
            raise FormatError("the message is finished, or has as many frames as the format allows")
        self._sequence = sequence + 1
        return sequence

    def _seal(self, plaintext: memoryview) -> bytearray:
        sequence = self._next_sequence()
        frame = self._buffers.unused_buffer()
        head = message.frame_head(sequence)
        frame[:_HEAD] = head
        aad = message.frame_aad(self.message_id, sequence, False, self.frame_length)
        self._cipher.encrypt_into(head[4:], plaintext, aad, memoryview(frame)[_HEAD:])
        return frame


class Opener:
    """Opens the frames of one message, in any order; it exists only once the header has proved genuine.

    `expected_message_id` and `expected_context`, if given, must be the message's own: they bind the bytes to the place
    where they are stored. The data key is not kept.
    """

    def __init__(
        self,
        header: Header,
        data_key: bytes,
        *,
        expected_message_id: bytes | None = None,
        expected_context: Mapping[str, str] | None = None,
    ) -> None:
        """Check binding, commitment and header tag; raises TamperedError."""
        if expected_message_id is not None and not hmac.compare_digest(expected_message_id, header.message_id):
            raise TamperedError("the message is not the one that was stored here")
        if expected_context is not None and dict(expected_context) != header.context:
            raise TamperedError("the message was encrypted with another encryption context")
        self._cipher, commitment = _derive_keys(data_key, header.message_id)
        if not hmac.compare_digest(commitment, header.commitment):
            raise TamperedError("the message commits to another data key")
        try:
            self._cipher.decrypt(_HEADER_IV, header.tag, header.raw)
        except InvalidTag:
            raise TamperedError("the message's header does not hold") from None
        self.header = header
        self.frame_length = header.frame_length
        self._buffers: Buffers | None = None  # made for the first large frame

    def open_frame(self, sequence: int, final: bool, buffer: Buffer, out: bytearray | None = None) -> memoryview:
        """Return the plaintext of the whole stored frame in `buffer`, which must be frame number `sequence` (from 1).

        The plaintext is written to the beginning of `out` if that is given, else to a buffer of the Opener's own, which
        is reused once nothing refers to the returned view. Raises TamperedError, and leaves no plaintext behind, if the
        frame has another place, kind, length or message, or was changed.
        """
        frame = memoryview(buffer).cast("B")
        head_length = _FINAL_HEAD if final else _HEAD
        length = len(frame) - head_length - message.TAG_LENGTH
        if not (0 <= length <= self.frame_length if final else length == self.frame_length):
            raise TamperedError(f"frame {sequence} of the message does not have the length of a frame")
        head = message.final_head(sequence, length) if final else message.frame_head(sequence)
        if frame[:head_length] != head:
            raise TamperedError(f"frame {sequence} of the message is not at its place")
        if out is None:
            out = bytearray(length) if length < _SMALL else self._unused_buffer()
        plaintext = memoryview(out)[:length]
        aad = message.frame_aad(self.header.message_id, sequence, final, length)
        iv = head[8:20] if final else head[4:]
        try:
            self._cipher.decrypt_into(iv, frame[head_length:], aad, plaintext)
        except InvalidTag:
            plaintext[:] = bytes(length)  # AES-GCM has decrypted already when it comes to the tag
            raise TamperedError(f"frame {sequence} of the message does not hold") from None
        return plaintext

    def _unused_buffer(self) -> bytearray:
        if self._buffers is None:
            self._buffers = Buffers(self.frame_length)
        return self._buffers.unused_buffer()
