"""Wildcards of policies: `*` matches any number of characters, `?` exactly one. AWS: the "Resource" element.

A pattern is compiled once, into a function that uses methods of `str`. It never needs to go back: for each part between
two stars, the leftmost match is always good enough. So the time is at most the product of the lengths of pattern and
text.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

Matcher = Callable[[str], bool]
_SHORT = 48  # longest part, in characters, that may be tried at each position
_FEW = 8  # up to this number, trying each pattern is faster than an index
_Part = tuple[str | None, ...]  # None is the wildcard for one character


class Piece(NamedTuple):
    """A piece of a pattern; in a literal piece, `*` and `?` are ordinary characters."""

    text: str
    literal: bool


def compile_pattern(pattern: str) -> Matcher:
    """Return a function that says whether a whole text matches `pattern`."""
    if "*" not in pattern:
        return _starless_matcher(pattern)
    head, *middle, tail = pattern.split("*")
    middle = [part for part in middle if part]
    if "?" in pattern:
        return _general_matcher(_part(head), [_part(part) for part in middle], _part(tail))
    if not middle and not tail:
        return _matches_anything if not head else lambda text: text.startswith(head)
    return _starred_matcher(head, middle, tail)


def compile_pieces(pieces: Sequence[Piece]) -> Matcher:
    """Return a function that says whether a whole text matches a pattern in pieces, of which some are literal."""
    if any("?" in piece.text and not piece.literal for piece in pieces):
        return _compile_parts(pieces)
    parts = [""]
    for text, literal in pieces:
        first, *rest = (text,) if literal else text.split("*")
        parts[-1] += first
        parts.extend(rest)
    if len(parts) == 1:
        return parts[0].__eq__
    return _starred_matcher(parts[0], [part for part in parts[1:-1] if part], parts[-1])


def _compile_parts(pieces: Sequence[Piece]) -> Matcher:
    parts: list[list[str | None]] = [[]]
    for text, literal in pieces:
        first, *rest = (text,) if literal else text.split("*")
        parts[-1].extend(first if literal else _part(first))
        parts.extend(list(_part(run)) for run in rest)
    if len(parts) == 1:
        whole = tuple(parts[0])
        return lambda text: len(text) == len(whole) and _matches_at(whole, text, 0)
    head, *middle, tail = (tuple(part) for part in parts)
    return _general_matcher(head, middle, tail)


def compile_any(patterns: Iterable[str]) -> Matcher:
    """Return a function that says whether a text matches at least one of `patterns`."""
    patterns = tuple(patterns)
    exact = frozenset(pattern for pattern in patterns if not is_pattern(pattern))
    wild = tuple(dict.fromkeys(pattern for pattern in patterns if is_pattern(pattern)))
    if not wild:
        return exact.__contains__
    if len(wild) == 1 and not exact:
        return compile_pattern(wild[0])
    return _indexed_matcher(exact, wild) if len(wild) > _FEW else _sequential_matcher(exact, wild)


def _sequential_matcher(exact: frozenset[str], wild: Sequence[str]) -> Matcher:
    matchers = tuple(compile_pattern(pattern) for pattern in wild)

    def matches(text: str) -> bool:
        if text in exact:
            return True
        for matcher in matchers:  # noqa: SIM110 - a generator costs as much as a pattern
            if matcher(text):
                return True
        return False

    return matches


def _indexed_matcher(exact: frozenset[str], wild: Sequence[str]) -> Matcher:
    """Find patterns by their text before the first wildcard: the cost is by the number of lengths, not of patterns."""
    by_prefix: dict[int, dict[str, list[Matcher]]] = {}
    for pattern in wild:
        head = pattern[: min(place for place in (pattern.find("*"), pattern.find("?")) if place >= 0)]
        by_prefix.setdefault(len(head), {}).setdefault(head, []).append(compile_pattern(pattern))
    prefixes = tuple(by_prefix.items())

    def matches(text: str) -> bool:
        if text in exact:
            return True
        for length, known in prefixes:
            for matcher in known.get(text[:length], ()):
                if matcher(text):
                    return True
        return False

    return matches


def is_pattern(text: str) -> bool:
    """Return whether `text` holds a wildcard."""
    return "*" in text or "?" in text


def _part(text: str) -> _Part:
    return tuple(None if character == "?" else character for character in text)


def _matches_anything(_: str) -> bool:
    return True


def _starless_matcher(pattern: str) -> Matcher:
    if "?" not in pattern:
        return lambda text: text == pattern
    part = _part(pattern)
    return lambda text: len(text) == len(part) and _matches_at(part, text, 0)


def _starred_matcher(head: str, middle: list[str], tail: str) -> Matcher:
    least = len(head) + len(tail)

    def matches(text: str) -> bool:
        if len(text) < least or not text.startswith(head) or not text.endswith(tail):
            return False
        at, end = len(head), len(text) - len(tail)
        for part in middle:
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    return matches


def _general_matcher(head: _Part, middle: Iterable[_Part], tail: _Part) -> Matcher:
    least = len(head) + len(tail)
    runs = [_Run(part) for part in middle if part]

    def matches(text: str) -> bool:
        at, end = len(head), len(text) - len(tail)
        if len(text) < least or not _matches_at(head, text, 0) or not _matches_at(tail, text, end):
            return False
        for run in runs:
            at = run.end_in(text, at, end)
            if at < 0:
                return False
        return True

    return matches


class _Run:
    """A part between two stars, which may hold wildcards for one character."""

    __slots__ = ("_form", "_part")

    def __init__(self, part: _Part) -> None:
        self._part = part
        self._form: re.Pattern[str] | None = None

    def end_in(self, text: str, start: int, end: int) -> int:
        """Return the end of the leftmost match of the part in `text[start:end]`, or -1."""
        if len(self._part) > end - start:
            return -1
        if len(self._part) > _SHORT:
            return _end_of(self._part, text, start, end)
        if self._form is None:  # made at first use, since most are never used; without repetitions it cannot backtrack
            form = "".join("." if want is None else re.escape(want) for want in self._part)
            self._form = re.compile(form, re.DOTALL)
        found = self._form.search(text, start, end)
        return found.end() if found else -1


def _end_of(part: _Part, text: str, start: int, end: int) -> int:
    """Return the end of the leftmost match of a long part, or -1: trying it at each position would take long.

    The algorithm is shift-and (Baeza-Yates and Gonnet 1992): bit n is set if the first n + 1 characters match up to
    here.
    """
    anything = sum([1 << place for place, want in enumerate(part) if want is None])
    masks = dict.fromkeys(part, anything)
    for place, want in enumerate(part):
        masks[want] |= 1 << place
    state, whole = 0, 1 << (len(part) - 1)
    for at in range(start, end):
        state = (state << 1 | 1) & masks.get(text[at], anything)
        if state & whole:
            return at + 1
    return -1


def _matches_at(part: _Part, text: str, start: int) -> bool:
    there = text[start : start + len(part)]
    return all(want is None or want == have for want, have in zip(part, there, strict=True))
