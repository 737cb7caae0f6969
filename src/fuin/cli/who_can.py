"""`fuin who-can ACTION TARGET`: every principal that may do something now, why, and under which conditions."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from fuin.access.decide import Decision
from fuin.advice import targets
from fuin.advice.conditional import ConditionalAnswer, Requirement
from fuin.advice.explain import reason_text
from fuin.advice.who_can import Outcome, Row, who_can
from fuin.cli.options import DEFAULT_DATA, Data, Database, Json, settings_of
from fuin.cli.reading import reading
from fuin.cli.terminal_escape import escape

Action = Annotated[str, typer.Argument(help="An action, such as kms:Decrypt or s3:GetObject.")]
Target = Annotated[
    str, typer.Argument(help="A key (id, ARN or alias), s3://bucket/key, a bucket's or object's ARN, or * for none.")
]
All = Annotated[bool, typer.Option("--all", help="Also list those who cannot, with the reason.")]


def who_can_command(
    action: Action, target: Target, data: Data = DEFAULT_DATA, database: Database = "", everybody: All = False,
    json_output: Json = False,
) -> None:  # fmt: skip
    """Show who can do something now, why, and under which conditions.

    The list covers every user, role and root of the server, and every other principal that a policy or grant names. For
    an object under SSE-KMS both rights are needed: on the object, and on its key through S3. It works whether the
    server runs or not.

    **Example**: `fuin who-can s3:GetObject s3://papers/2026/a.txt --data ./fuin-data`
    """
    with reading(settings_of(data, database)) as store:
        rights = store.read_sync(targets.rights, action, target)
        rows = store.read_sync(who_can, rights)
    shown = rows if everybody else [row for row in rows if row.verdict != "cannot"]
    if json_output:
        asked = [{"action": right.action, "resource": right.resource} for right in rights]
        typer.echo(json.dumps({"rights": asked, "principals": [_object(row) for row in shown]}, indent=1))
        return
    for right in rights:
        typer.echo(escape(f"{right.action} on {right.resource}" + (f" ({right.note})" if right.note else "")))
    for row in shown:
        typer.echo("")
        for line in _lines(row):
            typer.echo(line)
    left = len(rows) - len(shown)
    if left or not shown:
        others = f"{left} other{'s' if left > 1 else ''} cannot" if shown else f"None of {left} can"
        typer.echo(f"\n{others}; --all lists them with the reason." if left else "\nNobody can.")


def _lines(row: Row) -> Iterator[str]:
    yield escape(f"{row.name}  {row.verdict.upper()}")
    several = len(row.outcomes) > 1
    for outcome in row.outcomes:
        if several:
            yield f"  {escape(outcome.right.action)}"
        for text in _outcome_lines(outcome):
            first = "    " if several else "  "
            yield textwrap.fill(
                escape(text), 118, initial_indent=first, subsequent_indent=first + "    ", break_on_hyphens=False
            )  # fmt: skip


def _outcome_lines(outcome: Outcome) -> Iterator[str]:
    """Yield the outcome of one right: what grants it, under which conditions, and which denials could undo it."""
    found = outcome.answer
    for reason in _reasons(outcome, found.refusal) if found.refusal else ():
        yield f"no: {_shorten_reason(reason, outcome)}"
    for number, path in enumerate(found.paths):
        for place, reason in enumerate(_reasons(outcome, path.decision)):
            word = "and" if place else "or by" if number else "by"
            yield f"{word} {_shorten_reason(reason, outcome)}"
        for requirement in path.requirements:
            yield f"if {' and '.join(requirement.conditions)}" + _statement_note(
                requirement, _reasons(outcome, path.decision)
            )
    for requirement in found.denials:
        yield f"unless {' and '.join(requirement.conditions)} ({requirement.where})"


def _shorten_reason(reason: str, outcome: Outcome) -> str:
    """Return a reason that calls the resource `it`: the line above has its ARN."""
    resource = outcome.right.resource
    tail = f" on {resource}"
    return f"{reason.removesuffix(tail)} on it" if resource != "*" and reason.endswith(tail) else reason


def _statement_note(requirement: Requirement, reasons: list[str]) -> str:
    """Return the statement that has the condition, unless the only reason already names it."""
    return "" if len(reasons) == 1 and reasons[0].startswith(requirement.where) else f" ({requirement.where})"


def _object(row: Row) -> dict[str, Any]:
    return {
        "principal": row.name,
        "verdict": row.verdict,
        "rights": [_right(outcome) for outcome in row.outcomes],
    }


def _right(outcome: Outcome) -> dict[str, Any]:
    found: ConditionalAnswer = outcome.answer
    ways = [
        {
            "by": [reason_text(outcome.case, cause) for cause in path.decision.causes],
            "if": [_as_object(requirement) for requirement in path.requirements],
        }
        for path in found.paths
    ]
    refused = [reason_text(outcome.case, cause) for cause in found.refusal.causes] if found.refusal else []
    return {
        "action": outcome.right.action,
        "ways": ways,
        "unless": [_as_object(denial) for denial in found.denials],
        **({"because": refused} if refused else {}),
    }


def _reasons(outcome: Outcome, decision: Decision) -> list[str]:
    return [reason_text(outcome.case, cause) for cause in decision.causes]


def _as_object(requirement: Requirement) -> dict[str, Any]:
    return {"statement": requirement.where, "conditions": list(requirement.conditions)}
