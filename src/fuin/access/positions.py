"""The positions of the statements in a policy document: lines and columns, as AWS's policy simulator reports them.

As its answers show, both count from 1. A statement begins after the bracket or the statement before it (a single
statement: after its own brace) and ends after its closing brace.
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterator
from typing import NamedTuple

_SPACE = re.compile(r"[ \t\r\n]*")
_LINE_END = re.compile(r"\n")
_decode = json.JSONDecoder().raw_decode


class Position(NamedTuple):
    """A place in a document, both counted from 1."""

    line: int
    column: int


def spans(document: str) -> list[tuple[Position, Position]]:
    """Return the begin and end of each statement of a valid policy document."""
    lines = [0, *(found.end() for found in _LINE_END.finditer(document))]
    return [(_position(lines, begin), _position(lines, end)) for begin, end in _offsets(document)]


def _offsets(document: str) -> Iterator[tuple[int, int]]:
    at = _value_of(document, "Statement")
    if document[at] != "[":
        yield at + 1, _decode(document, at)[1]
        return
    begin = at + 1
    at = _skip(document, begin)
    while document[at] != "]":
        _, end = _decode(document, at)
        yield begin, end
        begin = end
        at = _skip(document, end)
        if document[at] == ",":
            at = _skip(document, at + 1)


def _value_of(document: str, wanted: str) -> int:
    """Return the offset of a member's value in the outermost object."""
    at = _skip(document, _skip(document, 0) + 1)  # after the brace
    while True:
        name, at = _decode(document, at)
        at = _skip(document, _skip(document, at) + 1)  # after the colon
        if name == wanted:
            return at
        _, at = _decode(document, at)
        at = _skip(document, _skip(document, at) + 1)  # after the comma


def _skip(document: str, at: int) -> int:
    found = _SPACE.match(document, at)
    return found.end() if found else at


def _position(lines: list[int], at: int) -> Position:
    """Return the position of an offset; `lines` holds the offsets at which lines begin."""
    line = bisect.bisect_right(lines, at)
    return Position(line, at - lines[line - 1] + 1)
