"""Wildcards against a slow, obvious reference."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.access.wildcard import compile_any, compile_pattern

_LETTERS = st.text(alphabet="ab/:", max_size=12)
_PATTERNS = st.text(alphabet="ab/:*?", max_size=10)


def _reference(pattern: str, text: str) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


@given(_PATTERNS, _LETTERS)
def test_pattern_matches_what_the_reference_matches(pattern: str, text: str) -> None:
    """A compiled pattern agrees with a regular expression of the same meaning."""
    assert compile_pattern(pattern)(text) is _reference(pattern, text)


@given(st.lists(_PATTERNS, max_size=4) | st.lists(_PATTERNS, min_size=12, max_size=20), _LETTERS)
def test_any_of_several_patterns_is_enough(patterns: list[str], text: str) -> None:
    """Several patterns match when one of them does."""
    assert compile_any(patterns)(text) is any(_reference(pattern, text) for pattern in patterns)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/", True),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b", False),
        ("a*a", "a", False),
        ("a*b*c", "a-b-b-c", True),
        ("ab*ab", "aab", False),
        ("?", "é", True),
        ("?", "", False),
        ("*.txt", "a\nb.txt", True),
        ("[ab]", "a", False),
    ],
)
def test_pattern_corner(pattern: str, text: str, expected: bool) -> None:
    """Corners: nothing between stars, overlapping ends, line ends, and no other special characters."""
    assert compile_pattern(pattern)(text) is expected


def test_one_of_many_patterns_is_found() -> None:
    """Lists of patterns are found by what stands before the first wildcard, however long that is."""
    heads = ["", "a", "ab", "abc", "b", "bc", "bcd", "c", "cd", "cde", "d", "de"]
    matches = compile_any([f"{head}-?*" for head in heads])
    assert all(matches(f"{head}-x") for head in heads)
    assert not any(matches(f"{head}-") or matches(f"x{head}-x") for head in heads)


@given(st.integers(0, 3), st.integers(1, 30), st.text(alphabet="ab", max_size=40))
def test_a_long_part_agrees_with_the_reference(before: int, wanted: int, rest: str) -> None:
    """Parts too long to be tried place by place are found as well."""
    part = "a?" * wanted + "b" * 30
    text = "b" * before + "ab" * wanted + "b" * 30 + rest
    assert compile_pattern(f"*{part}*")(text)
    assert compile_pattern(f"*{part}a*")(text) is _reference(f"*{part}a*", text)


def test_hostile_pattern_takes_no_time() -> None:
    """Many stars against a long text that nearly matches: backtracking would take ages."""
    started = time.thread_time()
    assert not compile_pattern("*a" * 60 + "*b")("a" * 2000)
    assert not compile_pattern("*?a" * 60 + "*b")("a" * 2000)
    assert not compile_pattern("*" + "a" * 2000 + "?" + "a" * 2000 + "b*")("a" * 8000)
    assert time.thread_time() - started < 1
