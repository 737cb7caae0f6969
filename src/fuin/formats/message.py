"""The AWS Encryption SDK message, format version 2, suite 0x0478, framed: layout of header and frames.

Source: "AWS Encryption SDK message format reference" and "Body additional authenticated data (AAD) reference" of the
AWS Encryption SDK developer guide. Suite 0x0478 is AES-256-GCM with HKDF-SHA-512 and key commitment, without
signature. All numbers are big-endian. The page `docs/formats/message.md` draws the layout.
"""

from __future__ import annotations

import hashlib
import struct
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from fuin.errors import FormatError
from fuin.formats.context import encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Buffer

VERSION = 0x02
SUITE = 0x0478
FRAMED = 0x02
KMS_PROVIDER = "aws-kms"

MESSAGE_ID_LENGTH = 32
COMMITMENT_LENGTH = 32
DIGEST_LENGTH = 32  # of an encrypted data key
TAG_LENGTH = 16

FRAME_HEAD_LENGTH = 16  # sequence number, IV
FINAL_HEAD_LENGTH = 24  # end mark, sequence number, IV, content length
FRAME_OVERHEAD = FRAME_HEAD_LENGTH + TAG_LENGTH
FINAL_OVERHEAD = FINAL_HEAD_LENGTH + TAG_LENGTH

# Bounds for reading and writing. The format allows far more, but nobody needs it, and memory must stay bounded.
HEADER_LIMIT = 64 * 1024
CONTEXT_LIMIT = 16 * 1024  # KMS takes 8,192 characters
DATA_KEYS_LIMIT = 32
FRAME_LENGTH_LIMIT = 64 * 1024 * 1024

SEQUENCE_END = 0xFFFFFFFF
FRAMES_LIMIT = SEQUENCE_END - 1  # the end mark is no regular sequence number

_START = struct.Struct(">BH32s")
_U16 = struct.Struct(">H")
_CLOSE = struct.Struct(">BI32s")
_FRAME_HEAD = struct.Struct(">IQI")  # the IV is the sequence number in 12 bytes: eight of zero and these four
_FINAL_HEAD = struct.Struct(">IIQII")
_POSITION = struct.Struct(">IQ")
_FRAME_LABEL = b"AWSKMSEncryptionClient Frame"
_FINAL_LABEL = b"AWSKMSEncryptionClient Final Frame"


class EncryptedDataKey(msgspec.Struct, frozen=True):
    """The data key as one key provider encrypted it; for `aws-kms`, `info` is the key ARN in UTF-8."""

    provider: str
    info: bytes
    ciphertext: bytes

    @classmethod
    def from_kms(cls, key_arn: str, ciphertext: bytes) -> EncryptedDataKey:
        """Return the entry for a CiphertextBlob of GenerateDataKey."""
        return cls(KMS_PROVIDER, key_arn.encode(), ciphertext)

    def digest(self) -> bytes:
        """Return the SHA-256 of the entry as a header has it: its three fields, each after its length."""
        fields = (self.provider.encode(), self.info, self.ciphertext)
        return hashlib.sha256(b"".join(map(_encode_field, fields))).digest()


class Header(msgspec.Struct, frozen=True):
    """A message header; `raw` is everything but the tag, which authenticates it."""

    message_id: bytes
    context: dict[str, str]
    encrypted_data_keys: tuple[EncryptedDataKey, ...]
    frame_length: int  # plaintext bytes
    commitment: bytes
    raw: bytes
    tag: bytes

    @property
    def length(self) -> int:
        """Return the size of the header with its tag, which is the place of the first frame."""
        return len(self.raw) + len(self.tag)


def _text(field: bytes) -> str:
    try:
        return field.decode()
    except UnicodeDecodeError:
        raise FormatError("a text of the message header is not UTF-8") from None


def _read_fields(data: bytes, offset: int, count: int) -> tuple[list[bytes], int]:
    """Return consecutive fields, each of which comes after its length in two bytes, and the place after them."""
    fields: list[bytes] = []
    limit = len(data)
    for _ in range(count):
        start = offset + 2
        offset = start + int.from_bytes(data[offset:start])
        if offset > limit:
            raise FormatError("the message header is cut off or too large")
        fields.append(data[start:offset])
    return fields, offset


def _encode_field(value: bytes) -> bytes:
    if len(value) > 0xFFFF:
        raise FormatError("a field of a message header is at most 65535 bytes long")
    return _U16.pack(len(value)) + value


def encode_context(context: Mapping[str, str]) -> bytes:
    """Return the header's context section without its length: empty without pairs, else count and sorted pairs.

    The keys are sorted by their UTF-8 bytes. Raises FormatError above `CONTEXT_LIMIT`.
    """
    if not context:
        return b""
    section = encode(context)
    if len(section) > CONTEXT_LIMIT:
        raise FormatError(f"the encryption context is larger than {CONTEXT_LIMIT} bytes")
    return section


def decode_context(section: bytes) -> dict[str, str]:
    """Return the pairs of a context section; raises FormatError unless `encode_context` can have written it."""
    if not section:
        return {}
    if len(section) > CONTEXT_LIMIT:
        raise FormatError(f"the encryption context is larger than {CONTEXT_LIMIT} bytes")
    count = int.from_bytes(section[:2])
    fields, end = _read_fields(section, 2, 2 * count)
    keys = fields[::2]
    if any(key <= previous for previous, key in pairwise(keys)):
        raise FormatError("the encryption context has keys out of order or twice")
    if not count or end != len(section):
        raise FormatError("the encryption context does not have the length that it states")
    return {_text(key): _text(value) for key, value in zip(keys, fields[1::2], strict=True)}


def check_frame_length(frame_length: int) -> None:
    """Raise FormatError unless it is between 1 and `FRAME_LENGTH_LIMIT`; zero would mean a message without frames."""
    if not 1 <= frame_length <= FRAME_LENGTH_LIMIT:
        raise FormatError(f"the frame length is not between 1 and {FRAME_LENGTH_LIMIT} bytes")


def encode_header(
    message_id: bytes,
    context: Mapping[str, str],
    encrypted_data_keys: Sequence[EncryptedDataKey],
    frame_length: int,
    commitment: bytes,
) -> bytes:
    """Return a header without its tag, the `raw` of the `Header`; raises FormatError if a limit is passed."""
    if len(message_id) != MESSAGE_ID_LENGTH or len(commitment) != COMMITMENT_LENGTH:
        raise FormatError("message id and commitment are 32 bytes long")
    if not 1 <= len(encrypted_data_keys) <= DATA_KEYS_LIMIT:
        raise FormatError(f"a message has between 1 and {DATA_KEYS_LIMIT} encrypted data keys")
    check_frame_length(frame_length)
    parts = [
        _START.pack(VERSION, SUITE, message_id),
        _encode_field(encode_context(context)),
        _U16.pack(len(encrypted_data_keys)),
    ]
    for key in encrypted_data_keys:
        parts += (_encode_field(key.provider.encode()), _encode_field(key.info), _encode_field(key.ciphertext))
    parts.append(_CLOSE.pack(FRAMED, frame_length, commitment))
    raw = b"".join(parts)
    if len(raw) + TAG_LENGTH > HEADER_LIMIT:
        raise FormatError(f"the message header is larger than {HEADER_LIMIT} bytes")
    return raw


def parse_header(data: Buffer, context: Mapping[str, str] | None = None) -> Header:
    """Return the header at the beginning of `data`, and ignore the bytes after it.

    Give it the first `HEADER_LIMIT` bytes of a message, or fewer if the message or its header is known to be
    shorter. `context` is the one that it should have, which is compared sooner than another one is decoded. Raises
    FormatError for another version, suite or content type and for anything malformed. Nothing is
    authenticated yet: `fuin.envelope.stream.Opener` does that.
    """
    head = bytes(memoryview(data)[:HEADER_LIMIT])
    try:
        version, suite, message_id = _START.unpack_from(head)
        if version != VERSION:
            raise FormatError("not a version 2 message of the AWS Encryption SDK")
        if suite != SUITE:
            raise FormatError(f"the message's algorithm suite is 0x{suite:04X}; only 0x{SUITE:04X} is taken")
        (section,), at = _read_fields(head, _START.size, 1)
        is_known = context is not None and section == encode_context(context)
        pairs = dict(context or ()) if is_known else decode_context(section)
        (count,) = _U16.unpack_from(head, at)
        if not 1 <= count <= DATA_KEYS_LIMIT:
            raise FormatError(f"a message has between 1 and {DATA_KEYS_LIMIT} encrypted data keys")
        fields, at = _read_fields(head, at + _U16.size, 3 * count)
        content_type, frame_length, commitment = _CLOSE.unpack_from(head, at)
    except struct.error:
        raise FormatError("the message header is cut off or too large") from None
    if content_type != FRAMED:
        raise FormatError("only framed messages are taken")
    check_frame_length(frame_length)
    end = at + _CLOSE.size
    tag = head[end : end + TAG_LENGTH]
    if len(tag) < TAG_LENGTH:
        raise FormatError("the message header is cut off or too large")
    keys = tuple([EncryptedDataKey(_text(fields[at]), *fields[at + 1 : at + 3]) for at in range(0, 3 * count, 3)])
    return Header(message_id, pairs, keys, frame_length, commitment, head[:end], tag)


def frame_head(sequence: int) -> bytes:
    """Return the 16 bytes before the ciphertext of a regular frame: sequence number and IV."""
    return _FRAME_HEAD.pack(sequence, 0, sequence)


def final_head(sequence: int, length: int) -> bytes:
    """Return the 24 bytes before the final frame's ciphertext of `length` bytes."""
    return _FINAL_HEAD.pack(SEQUENCE_END, sequence, 0, sequence, length)


def frame_aad(message_id: bytes, sequence: int, final: bool, length: int) -> bytes:
    """Return the associated data of a frame whose plaintext is `length` bytes long."""
    return message_id + (_FINAL_LABEL if final else _FRAME_LABEL) + _POSITION.pack(sequence, length)
