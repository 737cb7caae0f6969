"""Text beyond ASCII in x-amz-meta- headers: the encoded words of RFC 2047, as S3 takes and gives them.

A client may send a value as it is, in UTF-8, or as encoded words; S3 gives it back as it is when all of it is printable
ASCII, and as one encoded word otherwise: in the form Q, or in B (base64) when a character cannot be printed. So what
was stored can always be sent in a header. Sources: "Working with object metadata" in the S3 User Guide; which form is
chosen, and which characters Q escapes, was found against AWS by localstack (test_user_metadata_rfc2047_encoded).
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata

_CHARSETS = {"utf-8": "utf-8", "us-ascii": "ascii", "iso-8859-1": "latin-1"}
_WORD = re.compile(r"=\?([A-Za-z0-9-]{1,20})\?([BbQq])\?([!->@-~]*)\?=", re.ASCII)
_BETWEEN = re.compile(r"(\?=)[ \t]+(?==\?[A-Za-z0-9-]{1,20}\?[BbQq]\?)", re.ASCII)
_ESCAPED = re.compile(rb"=([0-9A-Fa-f]{2})")
_KEPT = frozenset(range(0x21, 0x7F)) - frozenset(b"_=?")
_SHOWN = {**{byte: f"={byte:02X}" for byte in range(256)}, **{byte: chr(byte) for byte in _KEPT}, 0x20: "_", 0x09: "\t"}
_REPLACEMENT = "\ufffd"


def header_value(value: str) -> str:
    """Return a stored value for a header; `value` is the Latin-1 text of the client's bytes."""
    if value.isascii() and value.isprintable() and "=?" not in value:  # nearly all of them
        return value
    return encode(decode(_client_text(value)))


def _client_text(value: str) -> str:
    """Return the client's text: its bytes as UTF-8, or else as Latin-1, which is HTTP's old rule."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


def decode(text: str) -> str:
    """Return a text with its encoded words decoded; malformed words stay as they are."""
    if "=?" not in text:
        return text
    return _WORD.sub(
        _decode_word, _BETWEEN.sub(r"\1", text)
    )  # white space between two words does not count (section 6.2)


def _decode_word(found: re.Match[str]) -> str:
    charset, form, content = _CHARSETS.get(found[1].lower()), found[2].upper(), found[3]
    if charset is None:
        return found[0]
    try:
        raw = base64.b64decode(content, validate=True) if form == "B" else _decode_q(content)
        return raw.decode(charset)
    except (binascii.Error, ValueError):
        return found[0]


def _decode_q(content: str) -> bytes:
    return _ESCAPED.sub(lambda escaped: bytes.fromhex(escaped[1].decode()), content.replace("_", " ").encode())


def encode(text: str) -> str:
    """Return a text as it is, or as one encoded word unless it is printable ASCII (a tab is taken for printable)."""
    if text.isascii() and text.replace("\t", "").isprintable():
        return text
    raw = text.encode()
    if any(character == _REPLACEMENT or unicodedata.category(character).startswith("C") for character in text):
        return f"=?UTF-8?B?{base64.b64encode(raw).decode()}?="
    return f"=?UTF-8?Q?{''.join([_SHOWN[byte] for byte in raw])}?="
