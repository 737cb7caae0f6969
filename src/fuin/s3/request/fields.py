"""Valid names and values of HTTP headers (RFC 9110 section 5), for those that no HTTP parser has checked.

A presigned query may have headers, and set headers of the answer; later answers repeat them.
"""

from __future__ import annotations

from fuin.s3.request.faults import S3Fault, invalid_argument

_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # section 5.6.2
_CONTROLS = bytes(byte for byte in (*range(0x20), 0x7F) if byte != 0x09)  # section 5.5
_SHOWN = 100  # characters of a wrong value in the answer
_NOT_LATIN = "Header value cannot be represented using ISO-8859-1."


def is_name(name: bytes) -> bool:
    """Return whether a header may have this name."""
    return bool(name) and not name.translate(None, _TOKEN)


def check_name(name: str) -> None:
    """Raise InvalidArgument for a name that no header can have."""
    if not is_name(name.encode()):
        raise S3Fault("InvalidArgument", "Header name is not valid.", ArgumentName=_printable(name))


def parse_value(name: str, text: str) -> bytes:
    """Return a request header's value, in UTF-8 and without space around it; raises InvalidArgument."""
    raw = text.encode().strip(b" \t")
    if len(raw) != len(raw.translate(None, _CONTROLS)):
        raise invalid_argument(
            _printable(name), _printable(text), "Header value holds characters that no header can hold."
        )
    return raw


def check_answer_value(name: str, text: str) -> None:
    """Raise InvalidArgument unless a header of the answer can have the value: Latin-1, on one line."""
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:
        raise invalid_argument(name, _printable(text), _NOT_LATIN) from None
    if len(raw) != len(raw.translate(None, _CONTROLS)):
        raise invalid_argument(name, _printable(text), _NOT_LATIN)


def _printable(text: str) -> str:
    """Return a text for the answer's XML, which cannot have control characters either."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text[:_SHOWN])
