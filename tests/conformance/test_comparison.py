"""The list of expected failures, and how results are compared with it; the suite itself is `make s3-conformance`."""

from pathlib import Path

import pytest

from tests.conformance.expected import KINDS, Reason, expected_over, read_reasons, table
from tests.conformance.results import FAILED, PASSED, SKIPPED, Result, compare, read_results, summarize
from tests.support.server import REPOSITORY

PAGE = REPOSITORY / "docs" / "reference" / "s3-conformance.md"
REASONS = [Reason("aws", "It contradicts AWS.", ("a", "b"))]


def test_the_page_has_the_table_of_the_list() -> None:
    """Each reason is in the page of the reference, with the number of its tests."""
    reasons = read_reasons()
    assert reasons
    assert "\n".join(table(reasons)) in PAGE.read_text(encoding="utf-8")


def test_the_list_names_each_test_once_under_a_known_kind() -> None:
    """A test that is listed twice would be counted twice."""
    row = '[[reason]]\nkind = "{}"\ntext = "x"\ntests = ["a"]\n'
    assert read_reasons(row.format("aws"))[0].tests == ("a",)
    with pytest.raises(ValueError, match="listed twice"):
        read_reasons(row.format("aws") * 2)
    with pytest.raises(ValueError, match="not a kind"):
        read_reasons(row.format("mood"))


def test_results_unlike_expected_are_named() -> None:
    """A new failure is named, and so is an expected one that passes; what did not run says nothing."""
    results = {"a": Result(FAILED), "b": Result(PASSED), "c": Result(FAILED), "d": Result(PASSED), "e": Result(SKIPPED)}
    assert compare(results, REASONS) == ["failed: c", "passed: b"]
    assert compare({"a": Result(FAILED)}, REASONS) == []


def test_some_tests_fail_over_one_transport_only() -> None:
    """Over the other one they have to pass."""
    reasons = [*REASONS, Reason("suite", "It is not sent over TLS.", ("c",), "tls")]
    assert compare({"a": Result(FAILED), "c": Result(FAILED)}, expected_over(reasons, "tls")) == []
    assert compare({"a": Result(FAILED), "c": Result(FAILED)}, expected_over(reasons, "http")) == ["failed: c"]


def test_results_are_read_from_the_report(tmp_path: Path) -> None:
    """A test whose cleaning up fails has failed; the adaptations that it used are read."""
    report = tmp_path / "report.xml"
    used = '<properties><property name="adaptation" value="a form"/></properties>'
    report.write_text(
        "<testsuites><testsuite>"
        f'<testcase name="a">{used}</testcase><testcase name="b"/><testcase name="b"><error/></testcase>'
        '<testcase name="c"><failure/></testcase><testcase name="d"><skipped/></testcase>'
        "</testsuite></testsuites>"
    )
    results = read_results(report)
    assert {name: result.outcome for name, result in results.items()} == {
        "a": PASSED, "b": FAILED, "c": FAILED, "d": SKIPPED,
    }  # fmt: skip
    assert results["a"].adaptations == {"a form"}
    lines = list(summarize(results, REASONS))
    assert lines[:2] == ["4 tests: 1 passed, 2 failed, 1 skipped", "    1 passed: a form"]
    assert f"    1 failed: {KINDS['aws']}" in lines
