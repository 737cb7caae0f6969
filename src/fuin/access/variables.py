"""Policy variables: text of a policy that is replaced by a value of the request, such as ${aws:username}.

AWS: "IAM policy elements: Variables and tags". The value is literal: a `*` in a user's tag is no wildcard. `${*}`,
`${?}` and `${$}` mean these characters themselves. Only policies of version 2012-10-17 have variables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fuin.access.shorten import shorten
from fuin.access.wildcard import Piece
from fuin.errors import MalformedPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

    Facts = Mapping[str, tuple[str, ...]]

_OPEN = "${"
_ESCAPES = ("*", "?", "$")


class Ambiguous(Exception):
    """The key of a variable has several values, so the text is ambiguous."""


class Variable(NamedTuple):
    """One variable: its condition key, in lower case and as written, and its default if the request has no such key."""

    key: str
    default: str | None
    written: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """Text with variables."""

    written: str
    pieces: tuple[Piece | Variable, ...]

    @property
    def constant(self) -> tuple[Piece, ...] | None:
        """Return the pieces if none is a variable (only characters such as `${*}`), else None."""
        pieces = tuple(piece for piece in self.pieces if isinstance(piece, Piece))
        return pieces if len(pieces) == len(self.pieces) else None

    def resolve(self, facts: Facts, longest: int) -> tuple[Piece, ...] | None:
        """Return the pieces with the request's values, or None if nothing can match them.

        Nothing can match if a variable has no value, or if the values together are longer than `longest`, the longest
        text to be matched. So a policy that repeats a variable cannot make long texts out of short ones. Raises
        Ambiguous if a key has several values: AWS accepts only single-valued keys.
        """
        pieces: list[Piece] = []
        length = 0
        for piece in self.pieces:
            if isinstance(piece, Piece):
                pieces.append(piece)
                continue
            found = facts.get(piece.key) or (() if piece.default is None else (piece.default,))
            if not found:
                return None
            if len(found) > 1:
                raise Ambiguous
            length += len(found[0])
            if length > longest:
                return None
            pieces.append(Piece(found[0], True))
        return tuple(pieces)


def escape(text: str) -> str:
    """Return the text that means exactly this text in a policy of version 2012-10-17: it has no wildcards."""
    return "".join(f"{_OPEN}{character}}}" if character in _ESCAPES else character for character in text)


def parse_template(text: str, where: str) -> Template | None:
    """Return the template of a text, or None for plain text; raises MalformedPolicy, with `where` in its text."""
    start = text.find(_OPEN)
    if start < 0:
        return None
    pieces: list[Piece | Variable] = []
    at = 0
    while start >= 0:
        if start > at:
            pieces.append(Piece(text[at:start], False))
        piece, at = _variable(text, start, where)
        pieces.append(piece)
        start = text.find(_OPEN, at)
    if at < len(text):
        pieces.append(Piece(text[at:], False))
    return Template(text, tuple(pieces))


def _variable(text: str, start: int, where: str) -> tuple[Piece | Variable, int]:
    """Return the variable (${key}, ${key, 'default'}) or escaped character at `start`, and the position after it."""
    begin = start + len(_OPEN)
    if text[begin : begin + 1] in _ESCAPES and text[begin + 1 : begin + 2] == "}":
        return Piece(text[begin], True), begin + 2
    end = text.find("}", begin)
    comma = text.find(",", begin, end)
    if end >= 0 and comma >= 0:
        quote = comma + 1
        while text[quote : quote + 1] == " ":
            quote += 1
        last = text.find("'", quote + 1)
        if text[quote : quote + 1] == "'" and last >= 0:
            end = last + 1
            while text[end : end + 1] == " ":
                end += 1
            if text[end : end + 1] == "}":
                return _make_variable(text[begin:comma], text[quote + 1 : last], text, where), end + 1
    elif end >= 0:
        return _make_variable(text[begin:end], None, text, where), end + 1
    raise MalformedPolicy(f"{where}: invalid policy variable in {shorten(text)}")


def _make_variable(key: str, default: str | None, text: str, where: str) -> Variable:
    name = key.strip().lower()
    service, colon, rest = name.partition(":")
    if not (service and colon and rest) or "$" in name or "{" in name or "'" in name:
        raise MalformedPolicy(f"{where}: invalid policy variable in {shorten(text)}")
    return Variable(name, default, key.strip())
