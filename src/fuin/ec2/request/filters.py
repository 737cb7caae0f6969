"""Filters of lists: names with values that may have wildcards.

One of a filter's values must match, and all filters must hold. `*` stands for any text, `?` for one character, and a
backslash takes their meaning away (EC2 user guide, "List and filter your resources").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from fuin.ec2.wire.faults import Ec2Fault

if TYPE_CHECKING:
    from fuin.ec2.wire.members import Filter

T = TypeVar("T")
Values = Callable[[T], Iterable[str]]  # the values of an entry that a filter is compared with
Tags = Mapping[str, str]

_FILTERS_AT_MOST, _VALUES_AT_MOST = 200, 200  # AWS: EC2 user guide


def make_filter(
    given: Sequence[Filter], names: Mapping[str, Values[T]], tags_of: Callable[[T], Tags] | None = None
) -> Callable[[T], bool]:
    """Return a function that tests an entry; raises InvalidParameterValue for a filter that the list does not have."""
    if len(given) > _FILTERS_AT_MOST or any(len(one.Value) > _VALUES_AT_MOST for one in given):
        raise Ec2Fault("InvalidParameterValue", "The request has too many filters or values of a filter.")
    tests = [_test(one, names, tags_of) for one in given]
    return lambda entry: all(test(entry) for test in tests)


def _test(one: Filter, names: Mapping[str, Values[T]], tags_of: Callable[[T], Tags] | None) -> Callable[[T], bool]:
    matches = _any_of(tuple(one.Value))
    values = names.get(one.Name)
    if values is not None:
        find: Values[T] = values
        return lambda entry: any(map(matches, find(entry)))
    if tags_of is None:
        raise _unknown(one)
    tags = tags_of
    if one.Name == "tag-key":
        return lambda entry: any(map(matches, tags(entry)))
    if one.Name.startswith("tag:"):
        key = one.Name[4:]
        return lambda entry: key in tags(entry) and matches(tags(entry)[key])
    raise _unknown(one)


def _unknown(one: Filter) -> Ec2Fault:
    return Ec2Fault("InvalidParameterValue", f"The filter '{one.Name[:128]}' is invalid")


def _any_of(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Return a function that tests whether one of the patterns matches a text; without patterns none does."""
    tests = [_matcher(pattern) for pattern in patterns]
    return lambda text: any(test(text) for test in tests)


@lru_cache(256)
def _matcher(pattern: str) -> Callable[[str], object]:
    parts, escaped = [], False
    for character in pattern:
        if escaped:
            parts.append(re.escape(character))
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "*":
            if parts[-1:] != [".*"]:  # several in a row are one
                parts.append(".*")
        else:
            parts.append("." if character == "?" else re.escape(character))
    if escaped:
        parts.append(re.escape("\\"))
    return re.compile("".join(parts), re.DOTALL).fullmatch
