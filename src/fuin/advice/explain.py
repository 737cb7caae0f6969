"""The whole evaluation of one question: every policy and statement, which parts matched, and which condition failed.

It evaluates statements with the same methods as `decide`, and its verdict is the decision of `decide`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.access import grants as granting
from fuin.access.causes import BOUNDARY, IDENTITY, RESOURCE, SESSION
from fuin.access.principal_element import Match
from fuin.access.variables import Variable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fuin.access.causes import SourcedReason
    from fuin.access.conditions import Condition
    from fuin.access.decide import Decision
    from fuin.access.grants import Grant
    from fuin.access.policy import Statement
    from fuin.access.question import Question
    from fuin.access.variables import Template
    from fuin.advice.case import Case, LabelledPolicy


@dataclass(frozen=True, slots=True)
class ConditionTrace:
    """One condition: its text, the request's values in `found` (None: the key is absent), and whether it holds.

    `known` is False if it is no longer known whether the request had the key; then `holds` means nothing. `variables`
    are the keys, in lower case, of the variables in the condition's values.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    found: tuple[str, ...] | None
    holds: bool
    known: bool = True
    variables: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Return every key, in lower case, that the condition needs."""
        return (self.key.lower(), *self.variables)


@dataclass(frozen=True, slots=True)
class StatementTrace:
    """One statement: whether it is on the action and the resource, how it names the caller, and its conditions."""

    index: int  # from 1
    name: str
    effect: str
    match: Match
    action: bool
    resource: bool
    conditions: tuple[ConditionTrace, ...]
    variables: tuple[str, ...] = ()  # the keys, in lower case, of the variables in its resources

    @property
    def takes_effect(self) -> bool:
        """Return whether the statement takes effect."""
        return self.near and all(condition.holds for condition in self.conditions)

    @property
    def near(self) -> bool:
        """Return whether action, resource and principal match, so that only its conditions decide."""
        return self.action and self.resource and self.match is not Match.NONE

    @property
    def certain(self) -> bool:
        """Return whether it is known that the statement takes effect, or that it does not."""
        decided = not self.near or any(condition.known and not condition.holds for condition in self.conditions)
        return decided or all(condition.known for condition in self.conditions)

    @property
    def failed_conditions(self) -> tuple[ConditionTrace, ...]:
        """Return the conditions that do not hold."""
        return tuple(condition for condition in self.conditions if not condition.holds)


@dataclass(frozen=True, slots=True)
class PolicyTrace:
    """One policy with all of its statements."""

    policy: LabelledPolicy
    statements: tuple[StatementTrace, ...]


@dataclass(frozen=True, slots=True)
class GrantTrace:
    """One grant: how it names the caller, whether it has the operation, and its unmet constraints in words."""

    grant: Grant
    match: Match
    operation: bool
    unmet: tuple[str, ...]

    @property
    def takes_effect(self) -> bool:
        """Return whether the grant covers the request."""
        return self.match is not Match.NONE and self.operation and not self.unmet


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The decision about one question, and a trace of every policy and grant."""

    question: Question
    decision: Decision
    policies: tuple[PolicyTrace, ...]
    grants: tuple[GrantTrace, ...]


def explain(case: Case, question: Question) -> Evaluation:
    """Return the evaluation of a question; raises MalformedPolicy for a policy that cannot be evaluated."""
    traces = _trace_retirement if case.resource.rule == "retirement" else _trace_grant
    return Evaluation(
        question, case.decide(question), tuple(trace_policy(case, policy, question) for policy in case.policies),
        tuple(traces(grant, question) for grant in case.grants),
    )  # fmt: skip


def trace_policy(case: Case, policy: LabelledPolicy, question: Question) -> PolicyTrace:
    """Return the trace of one of a case's policies."""
    bounded = case.boundary is not None and policy is case.resource_policy
    return PolicyTrace(
        policy,
        tuple(
            _trace_statement(case, statement, question, bounded=bounded)
            for statement in policy.compiled_policy.statements
        ),
    )


def _trace_statement(case: Case, statement: Statement, question: Question, *, bounded: bool) -> StatementTrace:
    """Return the trace of a statement; a Deny with NotPrincipal excludes nobody who has a boundary (`bounded`)."""
    spares_nobody = bounded and statement.effect == "Deny" and statement.grantees and statement.grantees.negated
    return StatementTrace(
        statement.index, statement.name, statement.effect,
        Match.DIRECT if spares_nobody else statement.match_principal(question.principal),
        statement.actions(question.action.lower()), statement.covers(question),
        tuple(_trace_condition(case, condition, statement, question) for condition in statement.conditions),
        _variables(statement.templates),
    )  # fmt: skip


def _trace_condition(case: Case, condition: Condition, statement: Statement, question: Question) -> ConditionTrace:
    facts = question.facts()
    holds = condition.holds(facts, every=statement.effect == "Allow")
    variables = _variables(condition.templates)
    known = all(key in facts or case.knows(key) for key in (condition.key, *variables))
    found = facts.get(condition.key)
    return ConditionTrace(condition.operator, condition.written, condition.values, found, holds, known, variables)


def _variables(templates: Iterable[Template]) -> tuple[str, ...]:
    return tuple(piece.key for template in templates for piece in template.pieces if isinstance(piece, Variable))


def _trace_grant(grant: Grant, question: Question) -> GrantTrace:
    operation = question.action.removeprefix("kms:") in grant.operations
    return GrantTrace(
        grant,
        grant.match_principal(question.principal),
        operation,
        tuple(one.sentence for one in granting.unmet_constraints(grant, question)),
    )


def _trace_retirement(grant: Grant, question: Question) -> GrantTrace:
    """Return the trace of a grant that is to be retired: whether it lets the caller do that."""
    ways = [match for match, _ in granting.retirers(grant, question.principal)]
    return GrantTrace(grant, max(ways, default=Match.NONE), True, ())


def reason_text(case: Case, cause: SourcedReason) -> str:
    """Return the text of a reason, with the label of the policy that it comes from."""
    reason, (kind, index) = cause.reason, cause.origin
    policies = {
        RESOURCE: (case.resource_policy,) if case.resource_policy else (),
        IDENTITY: case.identity,
        BOUNDARY: (case.boundary,) if case.boundary else (),
        SESSION: case.session,
    }.get(kind, ())
    if index >= len(policies) or not reason.policy or not reason.text.startswith(reason.policy):
        return reason.text
    return policies[index].label + reason.text.removeprefix(reason.policy)
