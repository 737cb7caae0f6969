"""Near misses: the statements that nearly allowed a refused request, in words, for the audit record."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fuin.access.causes import Reason, SourcedReason
from fuin.access.principal_element import Match
from fuin.access.shorten import shorten_list

if TYPE_CHECKING:
    from fuin.access.causes import Origin
    from fuin.access.conditions import Condition
    from fuin.access.policy import Policy, Statement
    from fuin.access.question import Question

_NEAR_MISSES_AT_MOST = 8
_CAUSES_AT_MOST = 8  # of one statement: it may have thousands of conditions, but the record must stay small


def near_misses(question: Question, policies: Sequence[tuple[Origin, Policy]]) -> tuple[SourcedReason, ...]:
    """Return the near misses: first statements on the same action, then statements that allow other actions."""
    found = itertools.chain(
        (
            SourcedReason(reason, origin)
            for origin, policy in policies
            for reason in _reasons_on_action(question, policy)
        ),
        (
            SourcedReason(reason, origin)
            for origin, policy in policies
            for reason in _reasons_on_other_actions(question, policy)
        ),
    )
    return tuple(itertools.islice(found, _NEAR_MISSES_AT_MOST))


def _reasons_on_action(question: Question, policy: Policy) -> Iterator[Reason]:
    for statement in policy.statements_on(question.action):
        if statement.effect != "Allow":
            continue
        causes = list(itertools.islice(_causes(question, statement), _CAUSES_AT_MOST))
        if causes:
            here = f"{policy.name}, {statement.name}"
            yield Reason(f"{here} is on {question.action}, but {'; '.join(causes)}", policy.name, statement.name, "")


def _reasons_on_other_actions(question: Question, policy: Policy) -> Iterator[Reason]:
    service = question.action.partition(":")[0] + ":"
    this = {statement.index for statement in policy.statements_on(question.action)}
    for statement in policy.statements:
        if statement.effect != "Allow" or statement.not_actions or statement.index in this:
            continue
        same_service = [action for action in statement.action_names if action.lower().startswith(service)]
        if same_service and statement.match_principal(question.principal) and statement.covers(question):
            verb = "is" if len(same_service) == 1 else "are"
            granted = f"{policy.name}, {statement.name}: {shorten_list(same_service)} {verb} granted"
            text = f"{granted}, but this needs {question.action}"
            yield Reason(text, policy.name, statement.name, "", tuple(same_service))


def _causes(question: Question, statement: Statement) -> Iterator[str]:
    match = statement.match_principal(question.principal)
    if match is Match.NONE:
        yield f"does not name {question.principal.arn}"
    if not statement.covers(question):
        element, names = (
            "NotResource" if statement.not_resources else "Resource",
            shorten_list(statement.resource_names),
        )
        verb = "which leaves out" if statement.not_resources else "not"
        yield f"its {element} is {names}, {verb} {question.resource}"
    facts = question.facts()
    for condition in statement.conditions:
        if not condition.holds(facts, every=True):
            yield _failure_text(condition, facts.get(condition.key))


def _failure_text(condition: Condition, found: tuple[str, ...] | None) -> str:
    has = "is absent from the request" if found is None else f"is {shorten_list(found)} in the request"
    return (
        f"its condition {condition.operator} {condition.written} {shorten_list(condition.values)} fails: the key {has}"
    )
