"""From forms to inputs: flat numbered lists, and what is refused."""

import re
import signal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.ec2.account.regions import DescribeRegionsInput, zone_id
from fuin.ec2.operations import OPERATIONS
from fuin.ec2.request.filters import make_filter
from fuin.ec2.volumes.create import CreateVolumeInput
from fuin.ec2.wire import answers, form
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.members import Filter, Tag, TagSpecification

_WORDS = ("Filter", "1", "2", "Name", "Value", "VolumeId", "Size", "Action", "Tag", "Key", "", "x", "DryRun")
_NAMES = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=9).map(".".join)


def read(text: str, kind: type[form.Input] = CreateVolumeInput) -> form.Input:
    """Return the input of a form."""
    return form.read_input(kind, form.parse(text.encode()))


def refusal(text: str) -> tuple[str, str]:
    """Return the code and text with which a form is refused."""
    with pytest.raises(Ec2Fault) as error:
        read(text)
    return error.value.code, str(error.value)


def test_lists_are_flat_and_in_order_of_their_numbers() -> None:
    """Gaps do not matter, and structures are lists of members."""
    found = read(
        "Action=CreateVolume&Version=2016-11-15&Size=8&Encrypted=true&TagSpecification.2.ResourceType=volume"
        "&TagSpecification.2.Tag.10.Key=b&TagSpecification.2.Tag.9.Key=a&TagSpecification.2.Tag.9.Value=1"
    )
    tags = [Tag("a", "1"), Tag("b")]
    assert found == CreateVolumeInput(Size=8, Encrypted=True, TagSpecification=[TagSpecification("volume", tags)])
    regions = read("RegionName.1=a&RegionName.2=b&Filter.1.Name=n&Filter.1.Value.1=v", DescribeRegionsInput)
    assert regions == DescribeRegionsInput(RegionName=["a", "b"], Filter=[Filter("n", ["v"])])


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("Size=8&Size=9", "MalformedQueryString", ""),
        ("Size=8&Size.1=9", "MalformedQueryString", ""),
        ("Size=%ff", "MalformedQueryString", ""),
        ("Size=eight", "InvalidParameterValue", "Value (eight) for parameter Size is invalid."),
        ("Encrypted=maybe", "InvalidParameterValue", "parameter Encrypted"),
        ("KmsKey=x", "UnknownParameter", "The parameter KmsKey is not recognized"),
        ("TagSpecification.1.Tag.1.Value=x", "MissingParameter", "parameter TagSpecification[0].Tag[0].Key"),
        ("TagSpecification=x", "InvalidParameterValue", "TagSpecification"),
        ("TagSpecification.a.ResourceType=volume", "InvalidParameterValue", "TagSpecification"),
    ],
)
def test_forms_that_are_refused(text: str, code: str, part: str) -> None:
    """Nothing that a client says is ignored in silence, and every refusal says what is wrong."""
    found = refusal(text)
    assert found[0] == code
    assert part in found[1]


@given(st.dictionaries(_NAMES, st.sampled_from(["", "1", "true", "vol-0", "*", "\\", "-1", "9" * 30]), max_size=8))
def test_any_form_is_read_or_refused(fields: dict[str, str]) -> None:
    """No form makes the server fail."""
    text = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    for operation in OPERATIONS.values():
        try:
            form.read_input(operation.input, form.parse(text))
        except Ec2Fault as fault:
            assert fault.status == 400  # noqa: PT017 - either outcome will do


@pytest.mark.parametrize(
    ("pattern", "text", "holds"),
    [
        ("a*c", "abbc", True), ("a?c", "abc", True), ("a?c", "abbc", False), ("a\\*c", "a*c", True),
        ("a\\*c", "abc", False), ("a\\", "a\\", True), ("*", "", True), ("a.c", "abc", False), ("A", "a", False),
        ("***a***" * 20, "b" * 200, False),
    ],
)  # fmt: skip
def test_wildcards_of_filters(pattern: str, text: str, holds: bool) -> None:
    """A star, a question mark, and a backslash that takes their meaning away."""
    assert make_filter([Filter("n", [pattern])], {"n": lambda entry: (entry,)})(text) is holds


@given(st.text("ab*?\\\\", max_size=8), st.text("ab*?\\\\", max_size=8))
def test_wildcards_of_filters_mean_what_regular_expressions_do(pattern: str, text: str) -> None:
    """Each combination of wildcards and backslashes matches the same texts as an expression that goes back."""
    signs = {"*": ".*", "?": "."}
    parts = [one[1] or one[2] for one in re.finditer(r"\\(.)|(.)", pattern)]
    are_escaped = [one[1] is not None for one in re.finditer(r"\\(.)|(.)", pattern)]
    form = "".join(
        re.escape(part) if is_escaped else signs.get(part, re.escape(part))
        for part, is_escaped in zip(parts, are_escaped, strict=True)
    )
    holds = make_filter([Filter("n", [pattern])], {"n": lambda entry: (entry,)})(text)
    assert holds is bool(re.fullmatch(form, text))


@pytest.mark.parametrize(
    "pattern", ["*a" * 60 + "*b", "*a?" * 60 + "*b", "*a\\a" * 60 + "*b", "*" + "a" * 120 + "?*" + "?a" * 60 + "*b"]
)
def test_many_stars_take_no_time(pattern: str) -> None:
    """A pattern of many stars never goes back: that would take years, and the whole server would wait."""

    def stop(*_: object) -> None:
        raise AssertionError("the pattern has taken over two seconds of the processor")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, 2)
    try:
        assert not make_filter([Filter("n", [pattern])], {"n": lambda entry: (entry,)})("a" * 256)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize(
    ("filters", "part"),
    [
        ([Filter("n", ["x"] * 101), Filter("n", ["x"] * 100)], "filter values specified on a single call is 200"),
        ([Filter("n")] * 201, "filter values specified on a single call is 200"),
        ([Filter("n", ["x" * 256])], "The maximum length for a filter value is 255 characters"),
    ],
)
def test_filters_have_limits(filters: list[Filter], part: str) -> None:
    """AWS's limits hold for all filters of a request together."""
    with pytest.raises(Ec2Fault) as error:
        make_filter(filters, {"n": lambda entry: (entry,)})
    assert (error.value.code, part in str(error.value)) == ("FilterLimitExceeded", True)
    make_filter([Filter("n", ["x" * 255] * 100)] * 2, {"n": lambda entry: (entry,)})


def test_answers() -> None:
    """Members without a value are left out, lists have items, and times end in Z."""
    output: dict[str, Any] = {"none": None, "empty": [], "set": [{"a": True, "b": 5}, {"a": "<&\x00"}], "map": {}}
    assert answers.response("Do", output, "id").decode().split("\n", 1)[1] == (
        '<DoResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>id</requestId><empty/><set><item>'
        "<a>true</a><b>5</b></item><item><a>&lt;&amp;\ufffd</a></item></set><map/></DoResponse>"
    )
    assert answers.timestamp(1_764_438_292.0) == "2025-11-29T17:44:52.000Z"
    assert answers.timestamp(0.9996) == "1970-01-01T00:00:01.000Z"
    assert [zone_id(name[:-1], name) for name in ("eu-central-1b", "us-gov-west-1a", "ap-southeast-2c")] == [
        "euc1-az2", "usgw1-az1", "apse2-az3",
    ]  # fmt: skip
