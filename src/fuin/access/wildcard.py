"""Wildcards of policies: `*` stands for any characters, also none, and `?` for exactly one. AWS: "Resource" element.

A pattern is compiled once into a function over `str` methods. Backtracking is never needed: the leftmost place of each
part between two stars is always good enough, so the time is bounded by the lengths of pattern and text.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

Matcher = Callable[[str], bool]
_FEW = 8  # patterns that are faster tried one by one
_Part = tuple[str | None, ...]  # None is the wildcard for one character


class Piece(NamedTuple):
    """A piece of a pattern; in a literal one `*` and `?` are characters like any other."""

    text: str
    literal: bool


def compile_pattern(pattern: str) -> Matcher:
    """Return a function that tells whether a whole text matches `pattern`."""
    if "*" not in pattern:
        return _fixed(pattern)
    head, *middle, tail = pattern.split("*")
    middle = [part for part in middle if part]
    if "?" in pattern:
        return _general(_part(head), [_part(part) for part in middle], _part(tail))
    if not middle and not tail:
        return _anything if not head else lambda text: text.startswith(head)
    return _stars(head, middle, tail)


def compile_pieces(pieces: Sequence[Piece]) -> Matcher:
    """Return the same for a pattern in pieces, some of which are literal."""
    parts: list[list[str | None]] = [[]]
    for text, literal in pieces:
        runs = [text] if literal else text.split("*")
        for index, run in enumerate(runs):
            if index:
                parts.append([])
            parts[-1].extend(run if literal else _part(run))
    if len(parts) == 1:
        whole = tuple(parts[0])
        return lambda text: len(text) == len(whole) and _stands_at(whole, text, 0)
    head, *middle, tail = (tuple(part) for part in parts)
    return _general(head, [part for part in middle if part], tail)


def compile_any(patterns: Iterable[str]) -> Matcher:
    """Return a function that tells whether a text matches at least one of `patterns`."""
    patterns = tuple(patterns)
    exact = frozenset(pattern for pattern in patterns if not is_pattern(pattern))
    wild = tuple(dict.fromkeys(pattern for pattern in patterns if is_pattern(pattern)))
    if not wild:
        return exact.__contains__
    if len(wild) == 1 and not exact:
        return compile_pattern(wild[0])
    return _indexed(exact, wild) if len(wild) > _FEW else _in_turn(exact, wild)


def _in_turn(exact: frozenset[str], wild: Sequence[str]) -> Matcher:
    matchers = tuple(compile_pattern(pattern) for pattern in wild)

    def matches(text: str) -> bool:
        if text in exact:
            return True
        for matcher in matchers:  # noqa: SIM110 - a generator costs as much as a pattern
            if matcher(text):
                return True
        return False

    return matches


def _indexed(exact: frozenset[str], wild: Sequence[str]) -> Matcher:
    """Find patterns by what stands before their first wildcard: lists of thousands cost as little as their lengths."""
    by_head: dict[int, dict[str, list[Matcher]]] = {}
    for pattern in wild:
        head = pattern[: min(place for place in (pattern.find("*"), pattern.find("?")) if place >= 0)]
        by_head.setdefault(len(head), {}).setdefault(head, []).append(compile_pattern(pattern))
    heads = tuple(by_head.items())

    def matches(text: str) -> bool:
        if text in exact:
            return True
        for length, known in heads:
            for matcher in known.get(text[:length], ()):
                if matcher(text):
                    return True
        return False

    return matches


def is_pattern(text: str) -> bool:
    """Tell whether `text` holds a wildcard."""
    return "*" in text or "?" in text


def _part(text: str) -> _Part:
    return tuple(None if character == "?" else character for character in text)


def _anything(_: str) -> bool:
    return True


def _fixed(pattern: str) -> Matcher:
    if "?" not in pattern:
        return lambda text: text == pattern
    part = _part(pattern)
    return lambda text: len(text) == len(part) and _stands_at(part, text, 0)


def _stars(head: str, middle: list[str], tail: str) -> Matcher:
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


def _general(head: _Part, middle: list[_Part], tail: _Part) -> Matcher:
    least = len(head) + len(tail)

    def matches(text: str) -> bool:
        at, end = len(head), len(text) - len(tail)
        if len(text) < least or not _stands_at(head, text, 0) or not _stands_at(tail, text, end):
            return False
        for part in middle:
            at = _end_of(part, text, at, end)
            if at < 0:
                return False
        return True

    return matches


def _end_of(part: _Part, text: str, start: int, end: int) -> int:
    """Return where the leftmost place of `part` in `text[start:end]` ends, or -1.

    Shift-and (Baeza-Yates and Gonnet 1992): bit n tells that the first n + 1 characters end here. Trying place after
    place would let a policy that was written for it hold up the server for seconds.
    """
    if len(part) > end - start:
        return -1
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


def _stands_at(part: _Part, text: str, start: int) -> bool:
    there = text[start : start + len(part)]
    return all(want is None or want == have for want, have in zip(part, there, strict=True))
