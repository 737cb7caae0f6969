"""Why a request was allowed or refused, in words: reasons for the audit record, and AWS's sentence for the caller."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fuin.access.grantees import Standing
from fuin.access.words import listed

if TYPE_CHECKING:
    from fuin.access.ask import Ask
    from fuin.access.conditions import Condition
    from fuin.access.policy import Policy, Statement

_NEAR_MISSES_AT_MOST = 8
_CAUSES_AT_MOST = 8  # of one statement, which may have thousands of conditions; the record must stay small


# The kinds of policies, as AWS's sentences tell them apart; the value is what they are called there.
IDENTITY, RESOURCE, TRUST = "identity-based policy", "resource-based policy", "role trust policy"
BOUNDARY, SESSION = "permissions boundary", "session policy"
GRANT, NOWHERE = "grant", ""  # where else a reason can come from; no sentence names them

Origin = tuple[str, int]  # the kind of a policy, and which of those that were given


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause of a decision: a sentence, and the policy and statement it speaks of.

    `effect` is Allow or Deny for statements that took effect, and empty for those that only came near.
    """

    text: str
    policy: str
    statement: str
    effect: str


class Cause(NamedTuple):
    """A reason, and the policy that it comes from."""

    reason: Reason
    origin: Origin


def sentence(ask: Ask, cause: str) -> str:
    """Return AWS's sentence for a refusal; S3 puts the resource in quotes and leaves "*" out."""
    who = f"User: {ask.principal.arn if ask.principal.kind != 'anonymous' else 'anonymous'}"
    what = f"is not authorized to perform: {ask.action}"
    if ask.action.startswith("s3:"):
        where = f'on resource: "{ask.resource}" ' if ask.resource != "*" else ""
    else:
        where = f"on resource: {ask.resource} "
    return f"{who} {what} {where}{cause}"


def denied_by(kind: str) -> str:
    """Return the cause of a refusal by a Deny in a policy of this kind."""
    return f"with an explicit deny in {'an' if kind == IDENTITY else 'a'} {kind}"


def no_policy_allows(ask: Ask, kind: str) -> str:
    """Return the cause of a refusal for want of an allowing statement in a policy of this kind."""
    return f"because no {kind} allows the {ask.action} action"


def near_misses(ask: Ask, policies: Sequence[tuple[Origin, Policy]]) -> tuple[Cause, ...]:
    """Return what came near to allowing `ask`: first statements on the same action, then other actions granted."""
    found: list[tuple[int, Cause]] = []
    for origin, policy in policies:
        for statement in policy.statements:
            if statement.effect == "Allow":
                found.extend((rank, Cause(reason, origin)) for rank, reason in _near(ask, policy, statement))
    found.sort(key=lambda item: item[0])
    return tuple(cause for _, cause in found[:_NEAR_MISSES_AT_MOST])


def _near(ask: Ask, policy: Policy, statement: Statement) -> Iterator[tuple[int, Reason]]:
    here = f"{policy.name}, {statement.name}"
    if not statement.actions(ask.action.lower()):
        service = ask.action.partition(":")[0] + ":"
        granted = () if statement.not_actions else statement.action_names
        same_service = [action for action in granted if action.lower().startswith(service)]
        if same_service and statement.names(ask.principal) and statement.covers(ask):
            verb = "is" if len(same_service) == 1 else "are"
            text = f"{here}: {listed(same_service)} {verb} granted, but this needs {ask.action}"
            yield 1, Reason(text, policy.name, statement.name, "")
        return
    causes = list(itertools.islice(_causes(ask, statement), _CAUSES_AT_MOST))
    if causes:
        yield 0, Reason(f"{here} is on {ask.action}, but {'; '.join(causes)}", policy.name, statement.name, "")


def _causes(ask: Ask, statement: Statement) -> Iterator[str]:
    standing = statement.names(ask.principal)
    if standing is Standing.NONE:
        yield f"does not name {ask.principal.arn}"
    if not statement.covers(ask):
        element, names = "NotResource" if statement.not_resources else "Resource", listed(statement.resource_names)
        yield f"its {element} is {names}, {'which leaves out' if statement.not_resources else 'not'} {ask.resource}"
    facts = ask.facts()
    for condition in statement.conditions:
        if not condition.holds(facts, every=True):
            yield _failed(condition, facts.get(condition.key))


def _failed(condition: Condition, found: tuple[str, ...] | None) -> str:
    has = "is absent from the request" if found is None else f"is {listed(found)} in the request"
    return f"its condition {condition.operator} {condition.written} {listed(condition.values)} fails: the key {has}"
