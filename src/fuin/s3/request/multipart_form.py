"""Parsers of multipart/form-data, fed as the bytes arrive: the fields of a form, and then the content of its file.

Sources: RFC 7578, RFC 2046 section 5.1, and what browsers send (WHATWG HTML, "Multipart form data"). Written here
because the standard library has no parser that streams, and no package that has one is among those that Fuin needs.
Nothing here reads ahead: what comes before the file is at most 20 KiB, and of the file no more is kept than could be
the beginning of the delimiter.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from fuin.s3.request.faults import S3Fault, invalid_argument
from fuin.settings import KIB

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS_LIMIT = 20 * KIB  # AWS: "the form data and boundaries (excluding the contents of the file)"
FILE = "file"  # the field whose content is the object

_LINE_END, _HEADERS_END = b"\r\n", b"\r\n\r\n"
_HYPHENS = b"--"  # before the boundary, and behind the last one
_BOUNDARY_LIMIT = 70  # characters; RFC 2046
_ONE_FILE = "POST requires exactly one file upload per request."
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110 section 5.6.2
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*({_NAME})=("(?:[^"\\]|\\.)*"|[^\s;"]+)', re.DOTALL)


def malformed_body() -> S3Fault:
    """Return the error for a body that is not multipart/form-data."""
    return S3Fault("MalformedPOSTRequest")


def check_size(size: int) -> None:
    """Raise MaxPostPreDataLengthExceeded if a form is too large without its file."""
    if size > FIELDS_LIMIT:
        raise S3Fault("MaxPostPreDataLengthExceeded", MaxPostPreDataLengthBytes=str(FIELDS_LIMIT))


def parse_boundary(content_type: str) -> bytes:
    """Return the boundary that a request's Content-Type names; raises PreconditionFailed, MalformedPOSTRequest."""
    kind, separator, rest = content_type.partition(";")
    if kind.strip().lower() != "multipart/form-data":
        condition = "Bucket POST must be of the enclosure-type multipart/form-data"
        raise S3Fault("PreconditionFailed", Condition=condition)
    boundary = _parse_parameters(separator + rest).get("boundary", "")
    if not 1 <= len(boundary) <= _BOUNDARY_LIMIT or not boundary.isascii() or not boundary.isprintable():
        raise malformed_body()
    return boundary.encode()


def _parse_parameters(text: str) -> dict[str, str]:
    """Return the parameters of a header's value, `; name=value` each, by names in lower case.

    A backslash escapes a quotation mark only: in the name of a file it may be a part of a path on Windows.
    """
    found: dict[str, str] = {}
    at, text = 0, text.rstrip(" \t;")
    while at < len(text):
        one = _PARAMETER.match(text, at)
        if one is None or one[1].lower() in found:
            raise malformed_body()
        value = one[2]
        found[one[1].lower()] = value[1:-1].replace('\\"', '"') if value.startswith('"') else value
        at = one.end()
    return found


class _Expect(enum.Enum):
    DELIMITER = enum.auto()  # the first one: what comes before it is ignored
    DELIMITER_END = enum.auto()  # the rest of the delimiter's line
    HEADERS = enum.auto()
    VALUE = enum.auto()
    NOTHING = enum.auto()  # the file begins, or the form has ended


class FieldsParser:
    """The parser of all that precedes the file's content.

    `fields` are the names and values in their order. When `feed` returns True, the file's content begins with `rest`,
    or, if `has_file` is False, the form has ended without a file.
    """

    def __init__(self, boundary: bytes) -> None:
        self.delimiter = _LINE_END + _HYPHENS + boundary
        self.fields: list[tuple[str, str]] = []
        self.has_file = False
        self.file_name: str | None = None  # as the client gives it, perhaps with a path
        self.size = 0  # bytes before the file's content
        self._buffer = bytearray(_LINE_END)  # so that the first delimiter looks like the others
        self._at = 0  # where the next part of the form begins
        self._searched = 0  # up to here there is no end of that part
        self._name = ""
        self._expect = _Expect.DELIMITER

    @property
    def is_done(self) -> bool:
        """Return whether the file begins or the form has ended."""
        return self._expect is _Expect.NOTHING

    @property
    def rest(self) -> bytes:
        """Return the beginning of the file's content, or what follows the form's last delimiter."""
        return bytes(memoryview(self._buffer)[self._at :])

    def feed(self, data: bytes) -> bool:
        """Take the next piece of the body, and return whether the file begins or the form has ended.

        Raises MalformedPOSTRequest and MaxPostPreDataLengthExceeded.
        """
        self._buffer += data
        while not self.is_done:
            if not self._step():
                check_size(len(self._buffer) - len(_LINE_END))
                return False
        check_size(self._at - len(_LINE_END))
        self.size = self._at - len(_LINE_END)
        return True

    def _step(self) -> bool:
        """Parse one more part of the form, if all of it has come; return whether it had."""
        match self._expect:
            case _Expect.DELIMITER:
                return self._skip_delimiter(self._find(self.delimiter))
            case _Expect.DELIMITER_END:
                return self._end_delimiter()
            case _Expect.HEADERS:
                return self._read_headers(self._find(_HEADERS_END))
            case _:
                return self._read_value(self._find(self.delimiter))

    def _find(self, end: bytes) -> int:
        """Return where a sequence of bytes is, or -1; bytes that were searched once are not searched again."""
        found = self._buffer.find(end, self._searched)
        if found < 0:
            self._searched = max(self._searched, len(self._buffer) - len(end) + 1)
        return found

    def _move(self, to: int, expect: _Expect, searched: int | None = None) -> bool:
        self._at = to
        self._searched = to if searched is None else searched
        self._expect = expect
        return True

    def _skip_delimiter(self, found: int) -> bool:
        return found >= 0 and self._move(found + len(self.delimiter), _Expect.DELIMITER_END)

    def _end_delimiter(self) -> bool:
        """Parse the rest of a delimiter's line: spaces, or the two hyphens that end the form."""
        if self._buffer.startswith(_HYPHENS, self._at):
            return self._move(self._at, _Expect.NOTHING)
        end = self._find(_LINE_END)
        line = bytes(self._buffer[self._at : end if end >= 0 else len(self._buffer)])
        if line.strip(b" \t") not in ((b"",) if end >= 0 else (b"", b"-", b"\r")):
            raise malformed_body()
        # The search begins at this line's end: it ends the headers as well, if a part has no headers.
        return end >= 0 and self._move(end + len(_LINE_END), _Expect.HEADERS, end)

    def _read_headers(self, found: int) -> bool:
        if found < 0:
            return False
        name, file_name = _parse_headers(bytes(self._buffer[self._at : found]))
        start = found + len(_HEADERS_END)
        if name.lower() == FILE:
            self.has_file, self.file_name = True, file_name
            return self._move(start, _Expect.NOTHING)
        self._name = name
        # A part may end with its headers: then the empty line is the beginning of the delimiter.
        return self._move(start, _Expect.VALUE, start - len(_LINE_END))

    def _read_value(self, found: int) -> bool:
        if found < 0:
            return False
        self.fields.append((self._name, _decode(bytes(self._buffer[self._at : found]))))
        return self._skip_delimiter(found)


def _parse_headers(lines: bytes) -> tuple[str, str | None]:
    """Return the name of a part, and that of its file if it has one; all other headers are ignored (RFC 7578 4.8)."""
    for line in _decode(lines).split("\r\n"):
        header, found, value = line.partition(":")
        if header.strip().lower() == "content-disposition" and found:
            disposition, separator, rest = value.partition(";")
            parameters = _parse_parameters(separator + rest)
            if disposition.strip().lower() != "form-data" or "name" not in parameters:
                break
            return parameters["name"], parameters.get("filename")
    raise malformed_body()


def _decode(raw: bytes) -> str:
    """Return text; AWS: "the form and policy must be UTF-8 encoded"."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise malformed_body() from None


class FileParser:
    """The parser of the file's content and of what follows it, which is checked and then ignored."""

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter = delimiter
        self._tail = b""  # may be the beginning of the delimiter
        self._has_ended = False
        self._after = bytearray()  # what follows the file, from the delimiter on

    def feed(self, data: bytes) -> Iterator[memoryview]:
        """Yield the file's content in the next piece of the body; raises what `finish` does."""
        if self._has_ended:
            self._keep(data)
            return
        data = self._tail + data if self._tail else data
        found = data.find(self._delimiter)
        if found >= 0:
            self._has_ended, self._tail = True, b""
            self._keep(data[found:])
        else:
            found = self._find_beginning(data)
            self._tail = data[found:]
        yield memoryview(data)[:found]

    def _find_beginning(self, data: bytes) -> int:
        """Return where the delimiter may begin in the last bytes; its only carriage return is its first byte."""
        last = data.rfind(b"\r", max(0, len(data) - len(self._delimiter) + 1))
        return last if last >= 0 and self._delimiter.startswith(data[last:]) else len(data)

    def _keep(self, data: bytes) -> None:
        self._after += data[: FIELDS_LIMIT + 1]  # enough to see that it is too much
        if len(self._after) > FIELDS_LIMIT:
            self.finish()
            raise malformed_body()

    def finish(self) -> None:
        """Raise MalformedPOSTRequest unless the form is whole, IncorrectNumberOfFilesInPostRequest for a second file.

        A line that only begins as the delimiter does would have cut the file: it is refused.
        """
        others = FieldsParser(self._delimiter[len(_LINE_END + _HYPHENS) :])
        if not self._has_ended or not others.feed(bytes(self._after[len(_LINE_END) : FIELDS_LIMIT])):
            raise malformed_body()
        if others.has_file:
            raise S3Fault("IncorrectNumberOfFilesInPostRequest")
        if others.rest[len(_HYPHENS) :].partition(_LINE_END)[0].strip(b" \t\n"):
            raise malformed_body()


def closing_length(delimiter: bytes) -> int:
    """Return the length in bytes of what follows the file if it is the last field, as all clients write it."""
    return len(delimiter + _HYPHENS + _LINE_END)


def no_file() -> S3Fault:
    """Return the error for a form without a file."""
    return invalid_argument(FILE, "0", _ONE_FILE)
