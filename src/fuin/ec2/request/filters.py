"""Filters of lists: names with values that may have wildcards.

One of a filter's values must match, and all filters must hold. `*` stands for any text, `?` for one character, and a
backslash takes their meaning away (EC2 user guide, "List and filter your resources").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from fuin.access.wildcard import Matcher, Piece, compile_pieces
from fuin.ec2.wire.faults import Ec2Fault

if TYPE_CHECKING:
    from fuin.ec2.wire.members import Filter

T = TypeVar("T")
Values = Callable[[T], Iterable[str]]  # the values of an entry that a filter is compared with
Tags = Mapping[str, str]

# AWS's limits of a request, and AWS's texts about them, from answers that clients have recorded.
_VALUES_AT_MOST, _LENGTH_AT_MOST = 200, 255  # in all filters together; characters
_TOO_MANY = f"The maximum number of filter values specified on a single call is {_VALUES_AT_MOST}"
_TOO_LONG = f"The maximum length for a filter value is {_LENGTH_AT_MOST} characters"


def make_filter(
    given: Sequence[Filter], names: Mapping[str, Values[T]], tags_of: Callable[[T], Tags] | None = None
) -> Callable[[T], bool]:
    """Return a function that tests an entry; raises InvalidParameterValue for a filter that the list does not have.

    Too many filters or values, or too long ones, raise FilterLimitExceeded.
    """
    if len(given) > _VALUES_AT_MOST or sum(len(one.Value) for one in given) > _VALUES_AT_MOST:
        raise Ec2Fault("FilterLimitExceeded", _TOO_MANY)
    if any(len(value) > _LENGTH_AT_MOST for one in given for value in one.Value):
        raise Ec2Fault("FilterLimitExceeded", _TOO_LONG)
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


def _any_of(patterns: tuple[str, ...]) -> Matcher:
    """Return a function that tests whether one of the patterns matches a text; without patterns none does."""
    tests = [_matcher(pattern) for pattern in patterns]
    return lambda text: any(test(text) for test in tests)


@lru_cache(256)
def _matcher(pattern: str) -> Matcher:
    """Return a function that tests a whole text in a time of at most the product of both lengths, without going back.

    A backslash takes the meaning of the character after it away.
    """
    first, *rest = pattern.split("\\")
    pieces = [Piece(first, literal=False)]
    while rest:
        part = rest.pop(0)
        if not part and rest:  # two backslashes
            pieces += [Piece("\\", literal=True), Piece(rest.pop(0), literal=False)]
        else:  # the last backslash of a pattern means itself
            pieces += [Piece(part[:1] or "\\", literal=True), Piece(part[1:], literal=False)]
    return compile_pieces(pieces)
