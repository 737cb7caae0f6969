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
    """How a value becomes the bytes of a field and back; `notation` stands before the field's name in the page.

    Both functions may raise struct.error or UnicodeError, which `convert` turns into FormatError.
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


OCTETS = Codec("")
TEXT = Codec("", str.encode, bytes.decode)
U8 = Codec("u8 ", lambda number: bytes((number,)), lambda field: field[0])
U32 = Codec("u32 ", _U32.pack, lambda field: _U32.unpack(field)[0])
U64 = Codec("u64 ", _U64.pack, lambda field: _U64.unpack(field)[0])
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
    except IndexError:  # the optional fields at the end, or an empty field instead of one byte
        if at < len(values):
            raise FormatError("a field of a wrong length") from None
    except (struct.error, ValueError):  # UnicodeError is a ValueError
        raise FormatError("a field of a wrong form, or a value that the field has no room for") from None
    return values
