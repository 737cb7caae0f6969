"""The results of a run, read from JUnit's XML, and their comparison with what is expected."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.conformance.expected import KINDS, Reason

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one test, and the adaptations that it has used."""

    outcome: str
    adaptations: frozenset[str] = frozenset()


def read_results(report: Path) -> dict[str, Result]:
    """Return the result of each test by its name; a test whose cleaning up fails has failed."""
    found: dict[str, Result] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = FAILED if kinds & {"failure", "error"} else SKIPPED if "skipped" in kinds else PASSED
        used = frozenset(entry.attrib["value"] for entry in case.iter("property"))
        before = found.get(case.attrib["name"], Result(outcome))  # the test's own entry, before that of its end
        outcome = FAILED if FAILED in (outcome, before.outcome) else outcome
        found[case.attrib["name"]] = Result(outcome, used | before.adaptations)
    return found


def compare(results: Mapping[str, Result], reasons: Sequence[Reason]) -> list[str]:
    """Return a line for each test that failed or passed unlike expected."""
    expected = {name for reason in reasons for name in reason.tests}
    wrong = [f"failed: {name}" for name in _names(results, FAILED) if name not in expected]
    return wrong + [f"passed: {name}" for name in _names(results, PASSED) if name in expected]


def summarize(results: Mapping[str, Result], reasons: Sequence[Reason]) -> Iterator[str]:
    """Yield the lines that say how many tests ran, how many passed, and for which kinds of reason others failed."""
    counts = Counter(result.outcome for result in results.values())
    yield f"{len(results)} tests: " + ", ".join(f"{counts[kind]} {kind}" for kind in (PASSED, FAILED, SKIPPED))
    adapted = Counter(
        ", ".join(sorted(result.adaptations)) or "as they are written"
        for result in results.values()
        if result.outcome == PASSED
    )
    yield from (f"{count:5} passed: {how}" for how, count in adapted.most_common())
    failed = set(_names(results, FAILED))
    for kind, title in KINDS.items():
        yield f"{sum(len(failed & set(row.tests)) for row in reasons if row.kind == kind):5} failed: {title}"


def _names(results: Mapping[str, Result], outcome: str) -> list[str]:
    return [name for name, result in results.items() if result.outcome == outcome]
