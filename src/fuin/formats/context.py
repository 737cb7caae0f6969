"""The encryption context as bytes: sorted, length-prefixed pairs, so that two contexts never share one encoding.

Page: docs/formats/encryption-context.md. AWS: KMS "Encryption context" (the order of the pairs does not matter,
everything else does).
"""

import itertools
import struct
from collections.abc import Mapping

from fuin.errors import FormatError

Context = Mapping[str, str]

EMPTY = b"\x00\x00"
LIMIT = 65_535  # bytes of one encoding

_LENGTH = struct.Struct(">H")
_SHORT = [f"\0{chr(length)}" for length in range(128)]  # numbers whose encoding is ASCII


def encode(context: Context) -> bytes:
    """Return the canonical bytes of `context`: u16 count, then each key and value, u16 length before each.

    Pairs are sorted by code point, which is the order of their UTF-8 bytes. Raises FormatError for text that is not
    Unicode (a lone surrogate) or an encoding of more than 65,535 bytes.
    """
    if not context:
        return EMPTY
    try:
        return _encode_short(context) or _encode(context)
    except UnicodeEncodeError:
        raise FormatError("the encryption context is not Unicode text") from None


def _encode_short(context: Context) -> bytes | None:
    """Return the encoding if all of it is ASCII, as in most contexts; this takes a third of the time.

    Only in ASCII is each character one byte, so that texts can be joined and their lengths counted in characters.
    """
    if len(context) >= len(_SHORT):
        return None
    whole = _SHORT[len(context)]
    try:
        for key, value in sorted(context.items()):
            whole += f"{_SHORT[len(key)]}{key}{_SHORT[len(value)]}{value}"
    except IndexError:  # a longer text
        return None
    return whole.encode() if whole.isascii() else None


def _encode(context: Context) -> bytes:
    texts = [text.encode() for pair in sorted(context.items()) for text in pair]
    size = 2 + 2 * len(texts) + sum(map(len, texts))
    if size > LIMIT:
        raise FormatError(f"the encryption context takes more than {LIMIT} bytes")
    prefix = _LENGTH.pack
    return prefix(len(context)) + b"".join([part for text in texts for part in (prefix(len(text)), text)])


def decode(data: bytes) -> dict[str, str]:
    """Return the context of its canonical bytes; raises FormatError on any other bytes."""
    if len(data) < 2 or len(data) > LIMIT:
        raise FormatError("not an encryption context")
    texts: list[str] = []
    at = 2
    for _ in range(2 * _LENGTH.unpack_from(data)[0]):
        text, at = _parse_text(data, at)
        texts.append(text)
    if at != len(data):
        raise FormatError("bytes after the encryption context")
    keys = texts[::2]
    if any(left >= right for left, right in itertools.pairwise(keys)):
        raise FormatError("the keys of the encryption context do not ascend")
    return dict(zip(keys, texts[1::2], strict=True))


def _parse_text(data: bytes, at: int) -> tuple[str, int]:
    start = at + 2
    if start > len(data):
        raise FormatError("the encryption context ends early")
    end = start + _LENGTH.unpack_from(data, at)[0]
    if end > len(data):
        raise FormatError("the encryption context ends early")
    try:
        return data[start:end].decode(), end
    except UnicodeDecodeError:
        raise FormatError("the encryption context is not UTF-8") from None
