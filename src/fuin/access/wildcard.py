"""Wildcards of policies: `*` stands for any characters, also none, and `?` for exactly one. AWS: "Resource" element.

A pattern is compiled once into a function over `str` methods. Backtracking is never needed: the leftmost place of each
part between two stars is always good enough, so the time is bounded by the lengths of pattern and text.
"""

from collections.abc import Callable, Iterable

Matcher = Callable[[str], bool]


def compile_pattern(pattern: str) -> Matcher:
    """Return a function that tells whether a whole text matches `pattern`."""
    if "*" not in pattern:
        return _fixed(pattern)
    head, *middle, tail = pattern.split("*")
    middle = [part for part in middle if part]
    if "?" in pattern:
        return _general(head, middle, tail)
    if not middle and not tail:
        return _anything if not head else lambda text: text.startswith(head)
    return _stars(head, middle, tail)


def compile_any(patterns: Iterable[str]) -> Matcher:
    """Return a function that tells whether a text matches at least one of `patterns`."""
    patterns = tuple(patterns)
    exact = frozenset(pattern for pattern in patterns if not is_pattern(pattern))
    matchers = tuple(compile_pattern(pattern) for pattern in patterns if is_pattern(pattern))
    if not matchers:
        return exact.__contains__
    if len(matchers) == 1 and not exact:
        return matchers[0]
    return lambda text: text in exact or any(matches(text) for matches in matchers)


def is_pattern(text: str) -> bool:
    """Tell whether `text` holds a wildcard."""
    return "*" in text or "?" in text


def _anything(_: str) -> bool:
    return True


def _fixed(pattern: str) -> Matcher:
    if "?" not in pattern:
        return lambda text: text == pattern
    return lambda text: len(text) == len(pattern) and _stands_at(pattern, text, 0)


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


def _general(head: str, middle: list[str], tail: str) -> Matcher:
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


def _end_of(part: str, text: str, start: int, end: int) -> int:
    """Return where the leftmost place of `part` in `text[start:end]` ends, or -1.

    Shift-and (Baeza-Yates and Gonnet 1992): bit n tells that the first n + 1 characters end here. Trying place after
    place would let a policy that was written for it hold up the server for seconds.
    """
    if len(part) > end - start:
        return -1
    anything = sum([1 << place for place, want in enumerate(part) if want == "?"])
    masks = dict.fromkeys(part, anything)
    for place, want in enumerate(part):
        masks[want] |= 1 << place
    masks["?"] = anything  # in a text it is a character like any other
    state, whole = 0, 1 << (len(part) - 1)
    for at in range(start, end):
        state = (state << 1 | 1) & masks.get(text[at], anything)
        if state & whole:
            return at + 1
    return -1


def _stands_at(part: str, text: str, start: int) -> bool:
    return all(want in ("?", have) for want, have in zip(part, text[start : start + len(part)], strict=True))
