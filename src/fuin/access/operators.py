"""Condition operators: how the values of a policy are compared with one value of a request.

AWS: "IAM JSON policy elements: Condition operators". The function of an operator takes the values of the policy, of
which one is enough, and returns a matcher for a value of the request. A request's value that is not of the operator's
type (a number, a date, an address …) matches nothing. If a value of the policy has the wrong type, the function raises
ValueError, which says what the operator takes.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import ipaddress
import operator
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fuin.access.wildcard import Matcher, Piece, compile_any, compile_pattern, compile_pieces, is_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LONGEST_SCALAR = 64  # characters of a number, a date or an address
_ARN_PARTS = 6
_WILDCARD = re.compile(r"[*?]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_EPOCH = re.compile(r"[0-9]{1,3}|[0-9]{5,12}")  # four digits are a year
_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?([Zz]|[+-]\d\d:?\d\d)?)?)?)?", re.ASCII
)
_MAPPED_BITS = 96  # the length of ::ffff:0:0/96, the part of IPv6 that carries IPv4 (RFC 4291 section 2.5.5.2)
_RANGE = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:/[0-9]{1,3})?")
_EPOCH_START = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator; `make_template_matcher` is None for operators that take no policy variables."""

    make_matcher: Callable[[tuple[str, ...]], Matcher]
    negated: bool = False
    make_template_matcher: Callable[[Sequence[Piece]], Matcher] | None = None


def _equality_matcher(values: tuple[str, ...]) -> Matcher:
    return frozenset(values).__contains__


def _equality_template_matcher(pieces: Sequence[Piece]) -> Matcher:
    return _text(pieces).__eq__


def _caseless_matcher(values: tuple[str, ...]) -> Matcher:
    wanted = frozenset(value.lower() for value in values)
    return lambda text: text.lower() in wanted


def _caseless_template_matcher(pieces: Sequence[Piece]) -> Matcher:
    return _caseless_matcher((_text(pieces),))


def _text(pieces: Sequence[Piece]) -> str:
    return "".join([piece.text for piece in pieces])


def _truth_matcher(values: tuple[str, ...]) -> Matcher:
    if any(value.lower() not in ("true", "false") for value in values):
        raise ValueError("takes true or false")
    return _caseless_matcher(values)


def _binary_matcher(values: tuple[str, ...]) -> Matcher:
    wanted = frozenset(_bytes(value) for value in values)
    if None in wanted:
        raise ValueError("takes base64")
    return lambda text: _bytes(text) in wanted


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def number(text: str) -> Decimal | None:
    """Return the number in a text, or None."""
    if len(text) > _LONGEST_SCALAR or not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def moment(text: str) -> int | None:
    """Return the microseconds since 1970 of a date (ISO 8601 as W3C profiles it, or seconds since 1970), or None."""
    return _moment(text) if len(text) <= _LONGEST_SCALAR else None  # a long text is not put into the cache


@lru_cache(maxsize=1024)
def _moment(text: str) -> int | None:
    if _EPOCH.fullmatch(text):
        return int(text) * _MICROSECONDS
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        when = dt.datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]), dt.UTC,
        )  # fmt: skip
    except ValueError:
        return None
    return (when - _EPOCH_START) // dt.timedelta(microseconds=1) - _offset(zone) * _MICROSECONDS


def _offset(zone: str | None) -> int:
    """Return the offset of a zone such as +09:00 from UTC, in seconds."""
    if zone is None or zone in "Zz":
        return 0
    seconds = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def _is_member(value: Any, wanted: frozenset[Any]) -> bool:
    return value in wanted


def _comparison_maker(
    read: Callable[[str], Any], kind: str, choose: Callable[[list[Any]], Any], test: Callable[[Any, Any], bool]
) -> Callable[[tuple[str, ...]], Matcher]:
    """Return the function of a comparing operator; `choose` returns the policy's value that decides."""

    def make_matcher(values: tuple[str, ...]) -> Matcher:
        read_values = [read(value) for value in values]
        if None in read_values:
            raise ValueError(f"takes {kind}")
        bound = choose(read_values)

        def matches(text: str) -> bool:
            value = read(text)
            return value is not None and test(value, bound)

        return matches

    return make_matcher


def _comparisons(prefix: str, read: Callable[[str], Any], kind: str) -> dict[str, Operator]:
    equals = _comparison_maker(read, kind, frozenset, _is_member)
    return {
        f"{prefix}Equals": Operator(equals),
        f"{prefix}NotEquals": Operator(equals, negated=True),
        f"{prefix}LessThan": Operator(_comparison_maker(read, kind, max, operator.lt)),
        f"{prefix}LessThanEquals": Operator(_comparison_maker(read, kind, max, operator.le)),
        f"{prefix}GreaterThan": Operator(_comparison_maker(read, kind, min, operator.gt)),
        f"{prefix}GreaterThanEquals": Operator(_comparison_maker(read, kind, min, operator.ge)),
    }


@lru_cache(maxsize=1024)
def _address(text: str) -> tuple[int, int] | None:
    """Return the version and the number of an IP address; an IPv4 address inside IPv6 counts as IPv4."""
    if "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.version, int(address)


def _network_matcher(values: tuple[str, ...]) -> Matcher:
    """Return a matcher for address ranges, indexed by prefix length: the time does not grow with their number."""
    ranges: dict[tuple[int, int], set[int]] = {}
    for value in values:
        if not _RANGE.fullmatch(value):
            raise ValueError("takes IP addresses and CIDR ranges")
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise ValueError("takes IP addresses and CIDR ranges") from None
        shift = network.max_prefixlen - network.prefixlen
        first = network.network_address
        if first.version == 6 and shift <= first.max_prefixlen - _MAPPED_BITS and first.ipv4_mapped is not None:
            first = first.ipv4_mapped  # as `_address` does; the shift stays the same
        ranges.setdefault((first.version, shift), set()).add(int(first) >> shift)

    by_length = tuple((version, shift, frozenset(known)) for (version, shift), known in ranges.items())

    def matches(text: str) -> bool:
        found = _address(text) if len(text) <= _LONGEST_SCALAR else None
        if found is None:
            return False
        for version, shift, known in by_length:  # noqa: SIM110 - a generator costs as much as a range
            if found[0] == version and found[1] >> shift in known:
                return True
        return False

    return matches


def _arn_matcher(values: tuple[str, ...]) -> Matcher:
    """Return a matcher for ARNs that compares each of the six parts: a `*` matches only within its part."""
    for value in values:
        if value != "*" and (not value.startswith("arn:") or value.count(":") < _ARN_PARTS - 1):
            raise ValueError("takes ARNs")
    exact = frozenset(value for value in values if not is_pattern(value))
    patterns = [_arn_part_matchers((Piece(value, False),)) for value in values if is_pattern(value) and value != "*"]
    prefixes = tuple(_WILDCARD.split(value, maxsplit=1)[0] for value in values if is_pattern(value))  # "" for "*"
    every = "*" in values

    def matches(text: str) -> bool:
        if not text.startswith(prefixes):  # most patterns are about other ARNs
            return text in exact
        parts = text.split(":", _ARN_PARTS - 1)
        if len(parts) < _ARN_PARTS:
            return False
        return every or text in exact or any(all(map(_apply, wanted, parts)) for wanted in patterns)

    return matches


def _arn_template_matcher(pieces: Sequence[Piece]) -> Matcher:
    wanted = _arn_part_matchers(pieces)

    def matches(text: str) -> bool:
        parts = text.split(":", _ARN_PARTS - 1)
        return len(parts) == len(wanted) == _ARN_PARTS and all(map(_apply, wanted, parts))

    return matches


def _arn_part_matchers(pieces: Sequence[Piece]) -> list[Matcher]:
    """Return a matcher for each part of an ARN; there are fewer than six if the text is not an ARN."""
    parts: list[list[Piece]] = [[]]
    for text, literal in pieces:
        first, *rest = text.split(":", _ARN_PARTS - len(parts))
        parts[-1].append(Piece(first, literal))
        parts.extend([Piece(run, literal)] for run in rest)
    return [_part_matcher(part) for part in parts]


def _apply(matches: Matcher, text: str) -> bool:
    return matches(text)


def _part_matcher(pieces: Sequence[Piece]) -> Matcher:
    if len(pieces) == 1 and not pieces[0].literal:
        return compile_pattern(pieces[0].text)
    return compile_pieces(pieces)


# "Null" is not here: it tests whether the key is present, and compares no value.
OPERATORS: dict[str, Operator] = {
    "StringEquals": Operator(_equality_matcher, make_template_matcher=_equality_template_matcher),
    "StringNotEquals": Operator(_equality_matcher, negated=True, make_template_matcher=_equality_template_matcher),
    "StringEqualsIgnoreCase": Operator(_caseless_matcher, make_template_matcher=_caseless_template_matcher),
    "StringNotEqualsIgnoreCase": Operator(
        _caseless_matcher, negated=True, make_template_matcher=_caseless_template_matcher
    ),
    "StringLike": Operator(compile_any, make_template_matcher=compile_pieces),
    "StringNotLike": Operator(compile_any, negated=True, make_template_matcher=compile_pieces),
    **_comparisons("Numeric", number, "numbers"),
    **_comparisons("Date", moment, "dates such as 2025-01-31T09:30:00Z or seconds since 1970"),
    "Bool": Operator(_truth_matcher),
    "BinaryEquals": Operator(_binary_matcher),
    "IpAddress": Operator(_network_matcher),
    "NotIpAddress": Operator(_network_matcher, negated=True),
    "ArnEquals": Operator(_arn_matcher, make_template_matcher=_arn_template_matcher),
    "ArnLike": Operator(_arn_matcher, make_template_matcher=_arn_template_matcher),
    "ArnNotEquals": Operator(_arn_matcher, negated=True, make_template_matcher=_arn_template_matcher),
    "ArnNotLike": Operator(_arn_matcher, negated=True, make_template_matcher=_arn_template_matcher),
}
