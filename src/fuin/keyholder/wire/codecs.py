"""The forms that a field of a keyholder request or answer can have, and how a whole list of fields is converted.

Most fields are bytes, which need no conversion. So a list of fields is converted in place, at the few positions that
need it, and a request without such a position costs nothing here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from fuin.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

Conversion = tuple[tuple[int, Callable[[Any], Any]], ...]  # positions, and what converts the field there

_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


class Codec(NamedTuple):
    """How a value becomes the bytes of a field and back; the page has the `notation` before the field's name.

    `decode` raises FormatError. `encode` may also raise struct.error or ValueError, which `convert` turns into it.
    """

    notation: str
    encode: Callable[[Any], bytes] | None = None
    decode: Callable[[bytes], Any] | None = None


class Field(NamedTuple):
    """One field: its name for people, its form, the page that describes it, and whether it may be missing."""

    name: str
    codec: Codec
    page: str = ""
    optional: bool = False


def _decode_text(field: bytes) -> str:
    try:
        return field.decode()
    except UnicodeDecodeError:
        raise FormatError("an identifier that is not UTF-8") from None


def _decode_u8(field: bytes) -> int:
    if len(field) != 1:
        raise FormatError("a number of another size than one byte")
    return field[0]


def _decode_u32(field: bytes) -> Any:
    if len(field) != 4:
        raise FormatError("a number of another size than four bytes")
    return _U32.unpack(field)[0]


def _decode_u64(field: bytes) -> Any:
    if len(field) != 8:
        raise FormatError("a number of another size than eight bytes")
    return _U64.unpack(field)[0]


OCTETS = Codec("")
TEXT = Codec("", str.encode, _decode_text)
U8 = Codec("u8 ", lambda number: bytes((number,)), _decode_u8)
U32 = Codec("u32 ", _U32.pack, _decode_u32)
U64 = Codec("u64 ", _U64.pack, _decode_u64)
FLAG = Codec("u8 ", lambda value: b"\1" if value else b"\0", b"\1".__eq__)


def octets(name: str, page: str = "", *, optional: bool = False) -> Field:
    """Return a field of bytes."""
    return Field(name, OCTETS, page, optional)


def text(name: str) -> Field:
    """Return a field of UTF-8 text."""
    return Field(name, TEXT)


def u8(name: str, *, optional: bool = False) -> Field:
    """Return a field of a number of one byte."""
    return Field(name, U8, optional=optional)


def u32(name: str) -> Field:
    """Return a field of a number of four bytes."""
    return Field(name, U32)


def u64(name: str, *, optional: bool = False) -> Field:
    """Return a field of a number of eight bytes."""
    return Field(name, U64, optional=optional)


def flag(name: str) -> Field:
    """Return a field that says yes (1) or no (0)."""
    return Field(name, FLAG)


def encoders(fields: Sequence[Field]) -> Conversion:
    """Return the positions of values that have to be encoded, with their encoders."""
    return tuple((at, field.codec.encode) for at, field in enumerate(fields) if field.codec.encode is not None)


def decoders(fields: Sequence[Field]) -> Conversion:
    """Return the positions of fields that have to be decoded, with their decoders."""
    return tuple((at, field.codec.decode) for at, field in enumerate(fields) if field.codec.decode is not None)


def convert(values: list[Any], conversion: Conversion) -> list[Any]:
    """Convert values in place and return them; optional ones at the end may be missing. Raises FormatError."""
    try:
        for at, function in conversion:
            values[at] = function(values[at])
    except IndexError:
        pass  # the optional values at the end
    except (struct.error, ValueError):  # UnicodeError is a ValueError
        raise FormatError("a value that its field has no room for") from None
    return values
