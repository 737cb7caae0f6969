"""Every condition operator as a table, after AWS's page of condition operators: policy, request, result."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.access import operators
from fuin.access.conditions import parse_conditions
from fuin.access.operators import OPERATORS, moment, number
from fuin.access.question import Question
from tests.access.builders import ANN

KEY = "aws:SourceThing"


def holds(operator: str, wanted: Any, found: str | tuple[str, ...] | None, *, every: bool = True, **more: str) -> bool:
    """Tell whether one condition holds for a request that has `found` under the key, and `more` keys of aws:."""
    context: dict[str, str | tuple[str, ...]] = {f"aws:{name}": value for name, value in more.items()}
    if found is not None:
        context[KEY] = found
    (condition,) = parse_conditions({operator: {KEY: wanted}}, "here")
    return condition.holds(Question(ANN, "", "", context).facts(), every=every)


@pytest.mark.parametrize(
    ("operator", "wanted", "found", "expected"),
    [
        ("NumericEquals", "10", "10", True),
        ("NumericEquals", "10", "10.0", True),
        ("NumericEquals", 10, "1e1", True),
        ("NumericEquals", ["1", "2"], "2", True),
        ("NumericEquals", "10", "11", False),
        ("NumericEquals", "10", "ten", False),
        ("NumericEquals", "10", None, False),
        ("NumericNotEquals", "10", "11", True),
        ("NumericNotEquals", ["10", "11"], "11", False),
        ("NumericNotEquals", "10", None, True),
        ("NumericLessThan", "10", "9.99", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericLessThan", ["5", "10"], "9", True),  # one value is enough
        ("NumericLessThan", "10", "-20", True),
        ("NumericLessThan", "10", "nan", False),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericLessThanEquals", "10", "10.01", False),
        ("NumericGreaterThan", "10", "10.01", True),
        ("NumericGreaterThan", "10", "10", False),
        ("NumericGreaterThan", "9", "10", True),  # not as text
        ("NumericGreaterThanEquals", "10", "10", True),
        ("NumericGreaterThanEquals", ["10", "30"], "20", True),
        ("NumericGreaterThanEquals", "10", "9", False),
        ("NumericGreaterThanIfExists", "10", None, True),
        ("DateEquals", "2025-01-31T09:30:00Z", "1738315800", True),
        ("DateEquals", "2025-01-31T10:30:00+01:00", "2025-01-31T09:30:00Z", True),
        ("DateEquals", "2025-01-31T04:30:00-0500", "2025-01-31T09:30:00.000Z", True),
        ("DateEquals", 1738315800, "2025-01-31T09:30Z", True),
        ("DateEquals", "2025", "2025-01-01T00:00:00Z", True),  # four digits are a year
        ("DateEquals", "2025-01-31", "2025-01-31T00:00:01Z", False),
        ("DateNotEquals", "2025-01-31", "2025-01-31T00:00:01Z", True),
        ("DateNotEquals", "2025-01-31", None, True),
        ("DateLessThan", "2025-01-31T09:30:00Z", "2025-01-31T09:29:59.999Z", True),
        ("DateLessThan", "2025-01-31T09:30:00Z", "2025-01-31T09:30:00Z", False),
        ("DateLessThan", "2025-01-31", "soon", False),
        ("DateLessThanEquals", "2025-01-31", "2025-01-31", True),
        ("DateGreaterThan", "2025-01", "2025-02", True),
        ("DateGreaterThan", "2025-01", "2024-12-31T23:59:59Z", False),
        ("DateGreaterThanEquals", "2025-01", "2025", True),
        ("DateGreaterThan", "2025-01-01", None, False),
        ("Bool", "false", "False", True),
        ("Bool", "true", "yes", False),
        ("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", True),
        ("BinaryEquals", "QQ==", "Qg==", False),
        ("BinaryEquals", "QQ==", "?", False),
        ("IpAddress", "203.0.113.0/24", "203.0.113.255", True),
        ("IpAddress", "203.0.113.0/24", "203.0.114.0", False),
        ("IpAddress", "203.0.113.7/24", "203.0.113.9", True),
        ("IpAddress", "203.0.113.7", "203.0.113.7", True),
        ("IpAddress", "203.0.113.7", "203.0.113.8", False),
        ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5678:9::1", True),
        ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5679::1", False),
        ("IpAddress", ["10.0.0.0/8", "::1"], "0:0:0:0:0:0:0:1", True),
        ("IpAddress", "203.0.113.0/24", "::ffff:203.0.113.9", True),
        ("IpAddress", "::ffff:203.0.113.0/120", "203.0.113.9", True),
        ("IpAddress", "::ffff:203.0.113.0/120", "203.0.114.9", False),
        ("IpAddress", "::ffff:203.0.113.9", "203.0.113.9", True),
        ("IpAddress", "::ffff:0:0/96", "203.0.113.9", True),
        ("IpAddress", "::ffff:0:0/95", "203.0.113.9", False),
        ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
        ("IpAddress", "0.0.0.0/0", "cloudformation.amazonaws.com", False),
        ("NotIpAddress", "203.0.113.0/24", "198.51.100.1", True),
        ("NotIpAddress", ["203.0.113.0/24", "198.51.100.0/24"], "198.51.100.1", False),
        ("NotIpAddress", "203.0.113.0/24", None, True),
        ("ArnEquals", "arn:aws:sns:us-east-1:123456789012:topic", "arn:aws:sns:us-east-1:123456789012:topic", True),
        ("ArnEquals", "arn:aws:sns:*:123456789012:t*", "arn:aws:sns:us-east-1:123456789012:topic", True),
        ("ArnLike", "arn:aws:iam::*:role/*", "arn:aws:iam::123456789012:role/team/a:b", True),
        ("ArnLike", "arn:aws:iam::*:role/a:?:*", "arn:aws:iam::123456789012:role/a:b:c:d", True),
        ("ArnLike", "arn:aws:iam::1234567890??:role/x", "arn:aws:iam::123456789012:role/x", True),
        ("ArnLike", "arn:aws:*:role/x", "arn:aws:iam::123456789012:role/x", None),
        ("ArnLike", "arn:aws:iam:*:role/*:x", "arn:aws:iam::123456789012:role/a:x", False),  # `*` ends with its part
        ("ArnLike", "arn:aws:iam::123456789012:role/x", "arn:aws:iam::123456789012:role/X", False),
        ("ArnLike", "arn:aws:iam::123456789012:*", "role/x", False),
        ("ArnLike", "*", "arn:aws:iam::123456789012:role/x", True),
        ("ArnLike", "*", "x", False),
        ("ArnNotEquals", "arn:aws:iam::123456789012:*", "arn:aws:iam::111122223333:user/a", True),
        ("ArnNotLike", "arn:aws:iam::123456789012:*", "arn:aws:iam::123456789012:user/a", False),
        ("ArnNotLike", "arn:aws:iam::123456789012:*", None, True),
        ("ArnLikeIfExists", "arn:aws:iam::123456789012:*", None, True),
    ],
)
def test_operator(operator: str, wanted: Any, found: str | None, expected: bool | None) -> None:
    """One operator on one key, present or absent; None where the policy is refused."""
    if expected is None:
        with pytest.raises(Exception, match="takes ARNs"):
            holds(operator, wanted, found)
    else:
        assert holds(operator, wanted, found) is expected


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ("true", None, True),
        ("true", "x", False),
        ("false", None, False),
        ("false", "x", True),
        (True, None, True),
        (["true", "false"], "x", True),
        ("true", (), True),
        ("false", (), False),
    ],
)
def test_null(wanted: Any, found: str | tuple[str, ...] | None, expected: bool) -> None:
    """Null is about whether the key is there; without values it is not."""
    assert holds("Null", wanted, found) is expected


def test_whether_an_empty_text_is_null_is_read_as_granting_less() -> None:
    """AWS speaks of a null dataset such as an empty string: an Allow that asks does not apply, a Deny does."""
    for wanted in ("true", "false"):
        assert not holds("Null", wanted, "", every=True)
        assert holds("Null", wanted, "", every=False)


# AWS: "Multivalued context key examples" and the table of ForAllValues and ForAnyValue.
@pytest.mark.parametrize(
    ("operator", "wanted", "found", "expected"),
    [
        ("ForAllValues:StringEquals", ["environment", "webserver"], ("environment",), True),
        ("ForAllValues:StringEquals", ["environment", "webserver"], ("environment", "webserver"), True),
        ("ForAllValues:StringEquals", ["environment", "webserver"], ("environment", "test"), False),
        ("ForAllValues:StringEquals", ["environment", "webserver"], (), True),
        ("ForAllValues:StringEquals", ["environment", "webserver"], None, True),
        ("ForAllValues:StringEquals", ["environment", "webserver"], "", True),
        ("ForAllValues:StringLike", ["key1*", "key2*"], ("key1a", "key2"), True),
        ("ForAllValues:StringLike", ["key1*", "key2*"], ("key1a", "key3"), False),
        ("ForAllValues:StringNotEquals", ["PROD"], ("a", "b"), True),
        ("ForAllValues:StringNotEquals", ["PROD"], ("a", "PROD"), False),
        ("ForAllValues:StringNotEquals", ["PROD"], None, True),
        ("ForAllValues:StringEqualsIfExists", ["a"], None, True),
        ("ForAnyValue:StringEquals", ["environment", "webserver"], ("environment", "storage"), True),
        ("ForAnyValue:StringEquals", ["environment", "webserver"], ("storage",), False),
        ("ForAnyValue:StringEquals", ["environment", "webserver"], (), False),
        ("ForAnyValue:StringEquals", ["environment", "webserver"], None, False),
        ("ForAnyValue:StringEquals", ["environment"], "environment", True),
        ("ForAnyValue:StringNotEquals", ["a"], ("a", "b"), True),
        ("ForAnyValue:StringNotEquals", ["a"], ("a",), False),
        ("ForAnyValue:StringNotEquals", ["a"], None, False),
        ("ForAnyValue:StringEqualsIfExists", ["a"], None, False),
        ("ForAnyValue:StringNotEqualsIfExists", ["a"], None, False),
        ("ForAnyValue:NumericLessThan", "10", ("5", "20"), True),
        ("ForAllValues:IpAddress", "10.0.0.0/8", ("10.1.1.1", "10.2.2.2"), True),
        ("ForAllValues:ArnLike", "arn:aws:iam::*:user/*", ("arn:aws:iam::1:user/a", "arn:aws:iam::1:role/a"), False),
    ],
)
def test_set_operator(operator: str, wanted: Any, found: tuple[str, ...] | str | None, expected: bool) -> None:
    """Set operators on several values, none and an absent key; effects make no difference to them."""
    assert holds(operator, wanted, found, every=True) is expected
    assert holds(operator, wanted, found, every=False) is expected


@pytest.mark.parametrize("operator", ["StringEquals", "StringNotEquals"])
def test_several_values_without_a_set_operator(operator: str) -> None:
    """An Allow wants it of every value, a Deny of one: neither can be made to grant by one more value."""
    assert not holds(operator, "a", ("a", "b"), every=True)
    assert holds(operator, "a", ("a", "b"), every=False)


_VALUES = {
    "String": st.sampled_from(["", "a", "A", "ab", "b*", "ß"]),
    "Numeric": st.integers(-3, 3).map(str) | st.sampled_from(["1.5", "1e0"]),
    "Date": st.sampled_from(["2025", "2025-01-31", "2025-01-31T09:30:00Z", "1738315800"]),
    "Arn": st.sampled_from(["arn:aws:iam::1:user/a", "arn:aws:iam::1:role/b", "arn:aws:iam::2:user/a:b"]),
    "Ip": st.sampled_from(["10.0.0.1", "10.0.0.0/31", "::1", "2001:db8::/32"]),
}
_NEGATIONS = {
    positive: name
    for name, operator in OPERATORS.items()
    if operator.negated and (positive := name.replace("Not", "")) in OPERATORS
}


@given(st.data(), st.sampled_from(sorted(_NEGATIONS)))
def test_a_negated_operator_is_the_negation(data: st.DataObject, positive: str) -> None:
    """Each …Not… is true exactly where its positive is false, for any one value and for none."""
    values = next(values for prefix, values in _VALUES.items() if positive.startswith(prefix))
    wanted = data.draw(st.lists(values, min_size=1, max_size=3))
    found = data.draw(st.none() | values | st.just("?"))
    assert holds(positive, wanted, found) is not holds(_NEGATIONS[positive], wanted, found)


def test_every_negated_operator_has_a_positive() -> None:
    """The table of negations is whole."""
    assert set(_NEGATIONS.values()) == {name for name, operator in OPERATORS.items() if operator.negated}
    assert len(OPERATORS) == 26


@given(
    st.lists(st.sampled_from("abc"), max_size=3),
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=3),
    st.booleans(),
)
def test_set_operators_against_their_definition(found: list[str], wanted: list[str], negated: bool) -> None:
    """ForAllValues is that no value fails, ForAnyValue that some value holds."""
    operator = "StringNotEquals" if negated else "StringEquals"
    each = [(value in wanted) is not negated for value in found]
    assert holds(f"ForAllValues:{operator}", wanted, tuple(found)) is (False not in each)
    assert holds(f"ForAnyValue:{operator}", wanted, tuple(found)) is (True in each)


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_numbers_are_ordered_as_numbers(wanted: int, found: int) -> None:
    """The four orders agree with those of whole numbers."""
    assert holds("NumericLessThan", str(wanted), str(found)) is (found < wanted)
    assert holds("NumericLessThanEquals", str(wanted), str(found)) is (found <= wanted)
    assert holds("NumericGreaterThan", str(wanted), str(found)) is (found > wanted)
    assert holds("NumericGreaterThanEquals", str(wanted), str(found)) is (found >= wanted)


@given(st.datetimes(), st.sampled_from(["Z", "+00:00", "-0000", ""]))
def test_dates_are_read_to_the_microsecond(when: Any, zone: str) -> None:
    """A date's text is read back as that time."""
    expected = int((when - type(when)(1970, 1, 1)).total_seconds()) if not when.microsecond else None
    read = moment(when.isoformat() + zone)
    assert read is not None
    assert read % 1_000_000 == when.microsecond
    assert expected is None or read == expected * 1_000_000


@given(st.text(max_size=30))
def test_any_text_is_a_number_a_date_or_none(text: str) -> None:
    """Whatever a request brings, it is read or it is not; nothing else happens."""
    value = number(text)
    assert value is None or (text.isascii() and value.is_finite())
    assert moment(text) is None or text.isascii()


@pytest.mark.parametrize("text", ["١", "1_0", "0x1", "inf", "NaN", "1e9999", " 1", "1\n", "--1", "", "1" * 65])
def test_what_python_takes_for_a_number_is_none_here(text: str) -> None:
    """Digits of other scripts, underscores, names and white space make no number."""
    assert number(text) is None


@pytest.mark.parametrize(
    "text", ["2025-1-1", "2025-02-30", "2025-W01", "20250131", "2025-01-31T24:00Z", "2025-01-31T09", "２０２５", "-1"]
)
def test_dates_that_are_none(text: str) -> None:
    """Only W3C's profile of ISO 8601 and plain seconds are dates; eight digits are seconds."""
    assert moment(text) == (20250131 * 1_000_000 if text == "20250131" else None)


def test_long_texts_are_not_remembered() -> None:
    """Strangers choose what requests bring: what is too long for a date or an address takes no place in a cache."""
    for text in ("9" * 65, "1.2.3.4" + "0" * 30_000):
        known = operators._moment.cache_info().currsize, operators._address.cache_info().currsize
        assert moment(text) is None
        assert not holds("IpAddress", "0.0.0.0/0", text)
        assert (operators._moment.cache_info().currsize, operators._address.cache_info().currsize) == known
