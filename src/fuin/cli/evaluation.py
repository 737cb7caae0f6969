"""The evaluation of a decision, as lines for people: every policy and statement, and the smallest change that helps."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fuin.access.principal_element import Match
from fuin.access.shorten import shorten_list
from fuin.advice.repairs import Change, condition_text
from fuin.cli.terminal_escape import escape

if TYPE_CHECKING:
    from fuin.access.statement import Statement
    from fuin.advice.explain import ConditionTrace, GrantTrace, PolicyTrace, StatementTrace
    from fuin.advice.retrace import Retraced

_WIDTH = 118
_MATCH_PHRASES = {
    Match.ACCOUNT: "names the account, whose own policies decide the rest",
    Match.IDENTITY: "names the role or user whose session it is",
    Match.DIRECT: "names the caller",
}
_STATEMENTS_AT_MOST = 100


def lines(retraced: Retraced) -> Iterator[str]:
    """Yield a recorded decision's evaluation, indented by two."""
    yield _heading(retraced)
    yield from body(retraced)


def body(retraced: Retraced) -> Iterator[str]:
    """Yield every evaluated policy and grant, and for a refusal the change that would allow it, indented by two."""
    for trace in retraced.evaluation.policies:
        note = "  (not in force then)" if trace.policy.label in retraced.since else ""
        yield f"  {escape(trace.policy.label)}{note}"
        yield from _statements(trace, retraced.evaluation.question.action)
    if not retraced.evaluation.policies and not retraced.untold:
        yield "  there is no policy that could allow or deny it"
    if retraced.untold:
        yield "  the session's policies: the record does not hold their texts"
    grant_outcome = _retirement_outcome if retraced.case.resource.rule == "retirement" else _grant_outcome
    for grant in retraced.evaluation.grants:
        yield _wrap(f"{grant.grant.label}: {grant_outcome(grant)}", 2)
    yield from _changes(retraced.changes)


def _heading(retraced: Retraced) -> str:
    allowed = retraced.evaluation.decision.allowed
    verdict = "allowed" if allowed else "refused"
    if not retraced.same_policies:
        gone = f", and {retraced.gone} of that time are no longer in force" if retraced.gone else ""
        known = ", as far as the record says what the request had" if _has_unknown_condition(retraced) else ""
        return f"  Policies have changed since{gone}. With today's policies{known}: {verdict}"
    if allowed is not retraced.then:
        same = "The policies of that time are still in force, but something else has changed, such as a grant or a tag"
        return f"  {same}. Now: {verdict}"
    return f"  With the policies of that time, which are still in force: {verdict}"


def _has_unknown_condition(retraced: Retraced) -> bool:
    """Return whether the decision could depend on a condition that the record no longer knows."""
    return any(
        not condition.known
        for trace in retraced.evaluation.policies
        for statement in trace.statements
        if statement.near
        for condition in statement.conditions
    )


def _statements(trace: PolicyTrace, action: str) -> Iterator[str]:
    shown = [statement for statement in trace.statements if statement.action]
    for statement in shown[:_STATEMENTS_AT_MOST]:
        yield _wrap(f"{statement.name}, {statement.effect}: {_statement_outcome(trace, statement)}", 4)
    others = len(trace.statements) - len(shown)
    if others:
        yield f"    {others} statement{'s are' if others > 1 else ' is'} not on {escape(action)}"


def _statement_outcome(trace: PolicyTrace, statement: StatementTrace) -> str:
    """Return which parts of a statement on the action match, and which do not."""
    causes: list[str] = []
    named = trace.policy.compiled_policy.statements[statement.index - 1]
    if statement.match is Match.NONE:
        causes.append(f"it names {named.grantees.text if named.grantees else 'nobody'}")
    if not statement.resource:
        word = "everything but " if named.not_resources else ""
        causes.append(f"it is on {word}{shorten_list(named.resource_names)}")
    known = [item for item in statement.conditions if item.known]
    causes += [f"{condition_text(item)} fails: {_observed_values(item)}" for item in known if not item.holds]
    met = [f"{condition_text(item)} holds: {_observed_values(item)}" for item in known if item.holds]
    if causes:
        return "does not match: " + "; ".join([*causes, *met])
    if not statement.certain:
        unknown = [f"{condition_text(item)}: not in the record" for item in statement.conditions if not item.known]
        return "; ".join(["was not evaluated, or did not exist then", *unknown, *met])
    who = f", {_match_phrase(statement, named)}" if named.grantees else ""
    return "; ".join([f"MATCHES{who}", *met])


def _match_phrase(statement: StatementTrace, named: Statement) -> str:
    spares = named.grantees is not None and named.grantees.negated
    return "does not spare the caller" if spares else _MATCH_PHRASES[statement.match]


def _observed_values(condition: ConditionTrace) -> str:
    if condition.found is None:
        return f"the request has no {condition.key}"
    return f"{condition.key} was {shorten_list(condition.found) or 'empty'}"


def _grant_outcome(trace: GrantTrace) -> str:
    if not trace.operation:
        return f"does not match: it allows {shorten_list(trace.grant.operations)}"
    if trace.unmet:
        return "does not match: " + "; ".join(trace.unmet)
    return f"MATCHES, {_MATCH_PHRASES[trace.match]}" if trace.match else "does not name the caller"


def _retirement_outcome(trace: GrantTrace) -> str:
    if trace.match is Match.NONE:
        return "lets neither the caller nor its account retire it"
    whom = "the caller's account, whose own policies decide the rest"
    return f"MATCHES, may be retired by {whom if trace.match is Match.ACCOUNT else 'the caller'}"


def _changes(ways: Sequence[tuple[Change, ...]]) -> Iterator[str]:
    """Yield the changes that would allow it, one alternative after the other."""
    for number, way in enumerate(ways):
        yield "  Smallest change that would allow it:" if number == 0 else "  or:"
        for change in way:
            yield _wrap(f"- {change.text}" + (":" if change.statement else ""), 4)
            if change.statement:
                yield _wrap(json.dumps(change.statement), 6)


def _wrap(text: str, indent: int) -> str:
    return textwrap.fill(
        escape(text), _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 4),
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip


def as_object(retraced: Retraced) -> dict[str, Any]:
    """Return an evaluation for --json."""
    return {
        "allowedNow": retraced.evaluation.decision.allowed,
        "samePolicies": retraced.same_policies,
        "policies": [_policy_object(trace, retraced) for trace in retraced.evaluation.policies],
        "grants": [
            {"grant": trace.grant.grant_id, "matches": trace.takes_effect, "unmet": list(trace.unmet)}
            for trace in retraced.evaluation.grants
        ],
        "changes": [
            [
                {"text": one.text, "policy": one.policy, "statement": one.statement, "replaces": one.index or None}
                for one in way
            ]
            for way in retraced.changes
        ],
    }


def _policy_object(trace: PolicyTrace, retraced: Retraced) -> dict[str, Any]:
    return {
        "policy": trace.policy.label,
        "inForceThen": trace.policy.label not in retraced.since,
        "statements": [
            {
                "statement": item.name, "effect": item.effect, "matches": item.takes_effect if item.certain else None,
                "action": item.action,
                "resource": item.resource, "principal": item.match.name.lower(),
                "conditions": [
                    {"condition": condition_text(one), "found": one.found, "holds": one.holds if one.known else None}
                    for one in item.conditions
                ],
            }
            for item in trace.statements
        ],
    }  # fmt: skip
