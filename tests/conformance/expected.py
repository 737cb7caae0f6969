"""The tests of the suite that are expected to fail, each under its reason: `expected_failures.toml`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("expected_failures.toml")


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for which tests of the suite fail.

    Attributes: `kind` (one of `KINDS`), `text`, the names of the `tests`, and `over`: "http" or "tls" where they fail
    over that alone, since clients send another request over the other one.
    """

    kind: str
    text: str
    tests: tuple[str, ...]
    over: str = ""


# "off" is off by default on AWS; "missing" is not built; "suite" is a request that is never sent as it was meant;
# "stricter" is an answer of AWS that Fuin refuses; for "unknown" we know no answer of AWS.
KINDS = {
    "aws": "Contradicts AWS",
    "off": "Off by default on AWS, and always here",
    "missing": "Not built",
    "ceph": "Ceph's own",
    "suite": "The suite's own",
    "stricter": "Stricter than AWS",
    "unknown": "Not settled",
}


def read_reasons(text: str | None = None) -> list[Reason]:
    """Return the reasons in their order; raises ValueError where a test is listed twice or a kind is not known."""
    rows = tomllib.loads(FILE.read_text(encoding="utf-8") if text is None else text)["reason"]
    reasons = [Reason(row["kind"], row["text"], tuple(row["tests"]), row.get("over", "")) for row in rows]
    names = [name for reason in reasons for name in reason.tests]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"listed twice: {sorted(doubled)}")
    if strange := {reason.kind for reason in reasons} - KINDS.keys():
        raise ValueError(f"not a kind of reason: {sorted(strange)}")
    return reasons


def expected_over(reasons: list[Reason], transport: str) -> list[Reason]:
    """Return the reasons for which tests fail over "http" or "tls"."""
    return [reason for reason in reasons if reason.over in ("", transport)]


def table(reasons: list[Reason]) -> list[str]:
    """Return the lines of a Markdown table: how many tests fail for each reason."""
    lines = ["| tests | reason |", "|---|---|"]
    return lines + [f"| {len(reason.tests)} | **{KINDS[reason.kind]}**: {reason.text} |" for reason in reasons]
