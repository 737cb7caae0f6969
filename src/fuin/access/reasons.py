"""Why a request was allowed or refused, in words: reasons for the audit record, and AWS's sentence for the caller."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
EXPLICITLY = "with an explicit deny in"  # how sentences of denials go on
GRANT, NOWHERE = "grant", ""  # where else a reason can come from; no sentence names them

_ARTICLES = {IDENTITY: "an", TRUST: "the"}
_OF_NO_BUCKET = ("*", "arn:aws:s3:::*")

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


@dataclass(slots=True)
class Cause:
    """A reason, and the policy that it comes from."""

    reason: Reason
    origin: Origin


def sentence(ask: Ask, cause: str) -> str:
    """Return AWS's sentence for a refusal; S3 puts the resource in quotes and leaves out that it is on none."""
    who = f"User: {ask.principal.arn if ask.principal.kind != 'anonymous' else 'anonymous'}"
    what = f"is not authorized to perform: {ask.action}"
    if ask.action.startswith("s3:"):
        where = f'on resource: "{ask.resource}" ' if ask.resource not in _OF_NO_BUCKET else ""
    else:
        where = f"on resource: {ask.resource} "
    return f"{who} {what} {where}{cause}"


def denied_by(kind: str) -> str:
    """Return the cause of a refusal by a Deny in a policy of this kind.

    AWS: IAM user guide, "Troubleshoot access denied error messages".
    """
    return f"{EXPLICITLY} {_ARTICLES.get(kind, 'a')} {kind}"


def no_policy_allows(ask: Ask, kind: str) -> str:
    """Return the cause of a refusal for want of an allowing statement in a policy of this kind."""
    return f"because no {kind} allows the {ask.action} action"


def near_misses(ask: Ask, policies: Sequence[tuple[Origin, Policy]]) -> tuple[Cause, ...]:
    """Return what came near to allowing `ask`: first statements on the same action, then other actions granted."""
    found = itertools.chain(
        (Cause(reason, origin) for origin, policy in policies for reason in _on_action(ask, policy)),
        (Cause(reason, origin) for origin, policy in policies for reason in _on_others(ask, policy)),
    )
    return tuple(itertools.islice(found, _NEAR_MISSES_AT_MOST))


def _on_action(ask: Ask, policy: Policy) -> Iterator[Reason]:
    for statement in policy.on_action(ask.action):
        if statement.effect != "Allow":
            continue
        causes = list(itertools.islice(_causes(ask, statement), _CAUSES_AT_MOST))
        if causes:
            here = f"{policy.name}, {statement.name}"
            yield Reason(f"{here} is on {ask.action}, but {'; '.join(causes)}", policy.name, statement.name, "")


def _on_others(ask: Ask, policy: Policy) -> Iterator[Reason]:
    service = ask.action.partition(":")[0] + ":"
    this = {statement.index for statement in policy.on_action(ask.action)}
    for statement in policy.statements:
        if statement.effect != "Allow" or statement.not_actions or statement.index in this:
            continue
        same_service = [action for action in statement.action_names if action.lower().startswith(service)]
        if same_service and statement.names(ask.principal) and statement.covers(ask):
            verb = "is" if len(same_service) == 1 else "are"
            text = (
                f"{policy.name}, {statement.name}: {listed(same_service)} {verb} granted, but this needs {ask.action}"
            )
            yield Reason(text, policy.name, statement.name, "")


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
